"""What can be set about the GPU arbiter node."""

from __future__ import annotations

from dataclasses import dataclass, field

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.gpu.core.turns import ArbiterRules


@dataclass(frozen=True)
class GpuArbiterSettings:
    """Settings of the GPU arbiter node."""

    detector: str = setting("detector", "name of the detector's node")
    gpu_lock_file: str = setting("/run/tier3/gpu.lock", "kernel lock of all who use the GPU")
    epoch_file: str = setting("/run/tier3/gpu.epoch", "where the newest lease epoch is published")
    rules: ArbiterRules = field(default_factory=ArbiterRules)
    autostart: bool = setting(
        False, "configure and activate at the start, where nobody else brings the node up"
    )

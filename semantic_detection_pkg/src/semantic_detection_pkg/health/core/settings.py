"""What can be set about the health monitor node."""

from __future__ import annotations

from dataclasses import dataclass, field

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.health.core.policy import HealthLimits
from semantic_detection_pkg.health.core.streams import StreamLimits


@dataclass(frozen=True)
class HealthMonitorSettings:
    """Settings of the health monitor node."""

    period_s: float = setting(1.0, "time between two readings", minimum=0.1, maximum=60.0)
    output_dir: str = setting(
        "output/recordings", "folder of the recordings, on the volume whose free space counts"
    )
    root_dir: str = setting("/", "where the kernel's files lie", formerly=("root",))
    vlm_hold_file: str = setting(
        "",
        "exists while the vision-language model shall not run; '': none",
        formerly=("hold_file",),
    )
    streams: StreamLimits = field(default_factory=StreamLimits)
    limits: HealthLimits = field(default_factory=HealthLimits)

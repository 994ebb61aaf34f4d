"""What can be set about the health monitor node."""

from __future__ import annotations

from dataclasses import dataclass, field

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.health.core.policy import Limits


@dataclass(frozen=True)
class HealthMonitorSettings:
    """Settings of the health monitor node."""

    period_s: float = setting(1.0, "time between two readings", minimum=0.1, maximum=60.0)
    output_dir: str = setting("output", "folder on the volume whose free space counts")
    root_dir: str = setting("/", "where the kernel's files lie", formerly=("root",))
    vlm_hold_file: str = setting(
        "",
        "exists while the vision-language model shall not run; '': none",
        formerly=("hold_file",),
    )
    camera_min_hz: float = setting(
        5.0, "a slower camera is a warning; 0: no camera", minimum=0.0, maximum=240.0
    )
    detections_min_hz: float = setting(
        1.0, "slower detections are a warning; 0: no detector", minimum=0.0, maximum=240.0
    )
    gimbal_min_hz: float = setting(
        10.0, "a slower attitude is a warning; 0: no gimbal", minimum=0.0, maximum=240.0
    )
    limits: Limits = field(default_factory=Limits)

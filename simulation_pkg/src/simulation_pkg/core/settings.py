"""What can be set about the demo's judge."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.camera.core.settings import frame_transport_setting


@dataclass(frozen=True)
class DemoJudgeSettings:
    """Settings of the demo's judge."""

    duration_s: float = setting(
        0.0,
        "end this long after the first frame; 0: never",
        minimum=0.0,
        maximum=86400.0,
        formerly=("seconds",),
    )
    save_dir: str = setting("", "folder for overlay pictures; '': none")
    save_period_s: float = setting(
        1.0,
        "time between two overlay pictures",
        minimum=0.0,
        maximum=3600.0,
        formerly=("save_every_s",),
    )
    frame_transport: str = frame_transport_setting()

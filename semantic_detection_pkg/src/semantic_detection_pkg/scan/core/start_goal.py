"""The goal that the parameters name, for a robot that is to scan by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import DEGREES, setting
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.inputs import Goal


@dataclass(frozen=True)
class StartGoal:
    """The goal at the start, where nobody else gives one."""

    autostart: bool = setting(False, "start a scan with the area, classes and zoom below")
    area_yaw_min_rad: float = setting(
        -60.0, "right end of the area", minimum=-360.0, maximum=360.0, scale=DEGREES
    )
    area_yaw_max_rad: float = setting(
        60.0, "left end of the area", minimum=-360.0, maximum=360.0, scale=DEGREES
    )
    area_pitch_min_rad: float = setting(
        2.0, "upper end of the area", minimum=-90.0, maximum=90.0, scale=DEGREES
    )
    area_pitch_max_rad: float = setting(
        40.0, "lower end of the area", minimum=-90.0, maximum=90.0, scale=DEGREES
    )
    classes: tuple[str, ...] = setting(
        (), "what to look for; ['']: all that the detector knows", formerly=("words",)
    )
    zoom: float = setting(
        0.0, "zoom of the sweep; 0: sweep_zoom", unit="x", minimum=0.0, maximum=100.0
    )
    repeat: bool = setting(False, "begin again when the area is covered")

    def goal(self, words: tuple[str, ...] = ()) -> Goal:
        """Return the goal; it looks for `words` where the parameters name none."""
        return Goal("autostart", self.area(), self.classes or words, self.zoom, self.repeat)

    def area(self) -> Area:
        """Return the area of the goal.

        Raises:
            ConfigurationError: its ends are in the wrong order.
        """
        return Area(
            self.area_yaw_min_rad,
            self.area_yaw_max_rad,
            self.area_pitch_min_rad,
            self.area_pitch_max_rad,
        )

"""The newest position, attitude and gimbal pose, as long as they are fresh."""

from __future__ import annotations

import math
import time
from typing import Any

from ros_support_pkg.core.words import LinkState, read
from semantic_detection_pkg.common.core.position import RobotPlace
from semantic_detection_pkg.scan.core.from_messages import from_fix, from_imu
from semantic_detection_pkg.scan.core.inputs_and_decisions import BaseAttitude, Fix

_FRESH_S = 5.0  # older, it is not where the robot is


class Whereabouts:
    """Takes messages in; all of it in the executor's thread, times of the steady clock."""

    def __init__(self) -> None:
        """Begin without any."""
        self._fix: tuple[Fix, float] | None = None
        self._attitude: tuple[BaseAttitude, float] | None = None
        self._pose: tuple[tuple[float, float, float], float] | None = None

    def take_fix(self, message: Any) -> None:
        """Take a NavSatFix; one without a fix says that there is none now."""
        fix = from_fix(message)
        self._fix = None if fix is None else (fix, time.monotonic())

    def take_imu(self, message: Any) -> None:
        """Take an Imu; one without an attitude says that there is none."""
        attitude = from_imu(message)
        self._attitude = None if attitude is None else (attitude, time.monotonic())

    def take_gimbal(self, message: Any) -> None:
        """Take a GimbalState; angles of a line that is not up are old."""
        pose = (message.yaw_rad, message.pitch_rad, message.hfov_rad)
        is_known = read(message, "link", LinkState.DOWN) is LinkState.UP
        is_known = is_known and all(map(math.isfinite, pose))
        self._pose = (pose, time.monotonic()) if is_known else None

    def place(self, now_s: float) -> RobotPlace | None:
        """Return where the base is; None where that is not known now."""
        # Each is looked at once: whoever asks may do so while the next one is taken.
        known, attitude = self._fix, self._attitude
        if known is None or now_s - known[1] > _FRESH_S:
            return None
        fix = known[0]
        is_turned = attitude is not None and now_s - attitude[1] <= _FRESH_S
        return RobotPlace(
            fix.latitude_deg,
            fix.longitude_deg,
            fix.altitude_m,
            fix.sigma_horizontal_m,
            fix.sigma_vertical_m,
            attitude[0].quaternion_xyzw if is_turned and attitude else None,
        )

    def pose(self, now_s: float) -> tuple[float, float, float] | None:
        """Return yaw, pitch and horizontal field of view [rad]; None: not known now."""
        if self._pose is None or now_s - self._pose[1] > _FRESH_S:
            return None
        return self._pose[0]

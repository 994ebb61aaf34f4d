"""The newest position, attitude and gimbal pose, as long as they are fresh."""

from __future__ import annotations

import math
import time
from typing import Any, TypeVar

from ros_support_pkg.core.words import LinkState, read
from semantic_detection_pkg.common.core.position import RobotPlace
from semantic_detection_pkg.scan.core.from_messages import from_fix, from_imu
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, BaseLost, Fix
from semantic_detection_pkg.scan.core.standing_inputs import StandingInputs

T = TypeVar("T")

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

    def fix(self, now_s: float) -> Fix | None:
        """Return the newest fix; None where it is too old, or there is none now."""
        return _fresh(self._fix, now_s)

    def attitude(self, now_s: float) -> BaseAttitude | None:
        """Return the newest attitude; None where it is too old, or there is none now."""
        return _fresh(self._attitude, now_s)

    def place(self, now_s: float) -> RobotPlace | None:
        """Return where the base is; None where that is not known now."""
        fix, attitude = self.fix(now_s), self.attitude(now_s)
        if fix is None:
            return None
        return RobotPlace(
            fix.latitude_deg,
            fix.longitude_deg,
            fix.altitude_m,
            fix.sigma_horizontal_m,
            fix.sigma_vertical_m,
            None if attitude is None else attitude.quaternion_xyzw,
        )

    def pose(self, now_s: float) -> tuple[float, float, float] | None:
        """Return yaw, pitch and horizontal field of view [rad]; None: not known now."""
        return _fresh(self._pose, now_s)


def follow_base(where: Whereabouts, standing: StandingInputs, now_s: float) -> list[BaseLost]:
    """Have the newest fix and attitude stand, and return which of them stands no longer."""
    lost: list[BaseLost] = []
    newest = (("fix", Fix, where.fix(now_s)), ("imu", BaseAttitude, where.attitude(now_s)))
    for what, kind, now in newest:
        known = standing.get(kind)
        if now is None and known is not None:
            standing.forget(kind)
            lost.append(BaseLost(what))
        elif now is not known:
            standing.put(now)
    return lost


def _fresh(taken: tuple[T, float] | None, now_s: float) -> T | None:
    # Looked at once: whoever asks may do so while the next one is taken.
    return None if taken is None or now_s - taken[1] > _FRESH_S else taken[0]

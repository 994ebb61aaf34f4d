"""Where the gimbal pointed a moment ago: attitude at the time a picture was taken. Pure."""

from __future__ import annotations

import bisect
import math
from collections import deque
from dataclasses import dataclass
from itertools import islice

from gimbal_driver_pkg.protocol.messages import Attitude


@dataclass(frozen=True)
class Pose:
    """Angles in radians, REP 103.

    Attributes:
        is_exact: between two readings; else it is the nearest reading.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    is_exact: bool


class PoseHistory:
    """The readings of the last `span_s` seconds."""

    def __init__(self, span_s: float = 5.0) -> None:
        """Start empty."""
        self._span_s = span_s
        self._readings: deque[Attitude] = deque()

    def add(self, reading: Attitude) -> None:
        """Take a reading; one that is not newer than the last is left out."""
        if self._readings and reading.stamp_s <= self._readings[-1].stamp_s:
            return
        self._readings.append(reading)
        while self._readings[0].stamp_s < reading.stamp_s - self._span_s:
            self._readings.popleft()

    def clear(self) -> None:
        """Forget all: what comes next may not join on to it."""
        self._readings.clear()

    def at(self, stamp_s: float) -> Pose | None:
        """Return the pose at `stamp_s`, by linear interpolation; None without any reading.

        Yaw is interpolated the short way round.
        """
        if not self._readings:
            return None
        index = bisect.bisect_left(self._readings, stamp_s, key=lambda r: r.stamp_s)
        if index == 0 or index == len(self._readings):
            nearest = self._readings[min(index, len(self._readings) - 1)]
            is_exact = nearest.stamp_s == stamp_s
            return Pose(nearest.yaw_rad, nearest.pitch_rad, nearest.roll_rad, is_exact)
        before, after = islice(self._readings, index - 1, index + 1)
        part = (stamp_s - before.stamp_s) / (after.stamp_s - before.stamp_s)
        turn = math.remainder(after.yaw_rad - before.yaw_rad, math.tau)
        return Pose(
            before.yaw_rad + part * turn,
            before.pitch_rad + part * (after.pitch_rad - before.pitch_rad),
            before.roll_rad + part * (after.roll_rad - before.roll_rad),
            is_exact=True,
        )

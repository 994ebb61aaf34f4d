"""Notices a gimbal that turns the other way than it is told. Pure.

The signs of some models are disputed (see `protocol.signs`); a wrong one makes every loop run away.
Nothing is moved for it: what is commanded anyway is compared with what is read.
"""

from __future__ import annotations

import math

from gimbal_driver_pkg.protocol.messages import Attitude, SetRate

_LEAST_RAD_S = math.radians(3.0)
_WINDOW_S = 0.5
_SHARE = 0.3
"""Part of the commanded turn that must be read, the wrong way round, to be blamed."""
_VERDICTS = 2


class _Axis:
    def __init__(self) -> None:
        self.is_reversed = False
        self._start: tuple[float, float] | None = None  # time, angle
        self._rate = 0.0
        self._against = 0

    def add_reading(self, rate: float, stamp_s: float, angle: float) -> None:
        if rate != self._rate or abs(rate) < _LEAST_RAD_S or self._start is None:
            self._rate, self._start = rate, (stamp_s, angle)
            return
        since_s, angle_then = self._start
        elapsed_s = stamp_s - since_s
        if elapsed_s < _WINDOW_S:
            return
        share = math.remainder(angle - angle_then, math.tau) / (rate * elapsed_s)
        self._start = (stamp_s, angle)
        if share > _SHARE:
            self._against, self.is_reversed = 0, False
        elif share < -_SHARE:
            self._against += 1
            self.is_reversed = self._against >= _VERDICTS


class SignCheck:
    """Compares rates on the wire with readings."""

    def __init__(self) -> None:
        """Start without suspicion."""
        self._axes = {"yaw": _Axis(), "pitch": _Axis()}

    def add_reading(self, commanded: SetRate | None, reading: Attitude) -> None:
        """Add a reading made while `commanded` was in force."""
        rate = commanded or SetRate(0.0, 0.0)
        self._axes["yaw"].add_reading(rate.yaw_rate_rad_s, reading.stamp_s, reading.yaw_rad)
        self._axes["pitch"].add_reading(rate.pitch_rate_rad_s, reading.stamp_s, reading.pitch_rad)

    @property
    def faults(self) -> tuple[str, ...]:
        """One line for every axis that turns the wrong way."""
        return tuple(
            f"{name} turns the other way than commanded: wrong sign for this model"
            for name, axis in self._axes.items()
            if axis.is_reversed
        )

"""Where the gimbal pointed at a moment: the readings of the last seconds, interpolated.

Angles are REP 103 from the gimbal's base: yaw + is left, pitch + is nose down, roll + is right side
down; they turn in the order yaw, roll, pitch. Stamps are nanoseconds since the epoch.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

_READINGS_MAX = 400  # 8 s at 50 Hz: longer than any detection takes
_ZOOM_MAX = 1000.0  # no camera has more
_ANGLE_MAX_RAD = 4.0 * math.pi
_RATE_MAX_RAD_S = 100.0
_GUESS_NS = 150_000_000  # beyond a reading its rates are trusted for so long
_GAP_NS = 500_000_000  # readings farther apart say nothing of the time between them
_SET_BACK_NS = 1_000_000_000  # stamps that fall further, twice, are of a clock that was set back
_CLOCKS_MAX = 4  # settings of the clock whose readings are kept


@dataclass(frozen=True)
class Pose:
    """Where the gimbal pointed at `stamp_ns`, and how it moved.

    Attributes:
        zoom: magnification, 1 or more; NaN while unknown.
        hfov_rad: horizontal field of view; NaN while unknown.
    """

    stamp_ns: int
    yaw_rad: float
    pitch_rad: float
    roll_rad: float = 0.0
    yaw_rate_rad_s: float = 0.0
    pitch_rate_rad_s: float = 0.0
    zoom: float = 1.0
    hfov_rad: float = math.nan

    @property
    def is_usable(self) -> bool:
        """Whether a gimbal can have these angles and rates; neither NaN nor infinity is one."""
        angles = (self.yaw_rad, self.pitch_rad, self.roll_rad)
        rates = (self.yaw_rate_rad_s, self.pitch_rate_rad_s)
        return all(abs(angle) <= _ANGLE_MAX_RAD for angle in angles) and all(
            abs(rate) <= _RATE_MAX_RAD_S for rate in rates
        )


PoseT = TypeVar("PoseT", bound=Pose)


class PoseHistory(Generic[PoseT]):
    """Usable readings in the order of their stamps.

    Where the clock was set back, two readings in a row say so. From then on the newer setting
    counts first; readings of the ones before are kept for frames that are still on their way.
    """

    def __init__(self, readings_max: int = _READINGS_MAX) -> None:
        """Start empty; of more than `readings_max` readings the oldest are forgotten."""
        self._readings_max = readings_max
        self._readings: deque[PoseT] = deque(maxlen=readings_max)
        self._earlier: deque[deque[PoseT]] = deque(maxlen=_CLOCKS_MAX - 1)  # the newest first
        self._fallen: PoseT | None = None  # a reading whose stamp fell, alone so far

    def add(self, reading: PoseT) -> None:
        """Take a reading; one that is not newer than the last, or of no use, changes nothing."""
        if not reading.is_usable:
            return
        if not 0.0 < reading.hfov_rad < math.pi:
            reading = replace(reading, hfov_rad=math.nan)
        if not 1.0 <= reading.zoom < _ZOOM_MAX:
            reading = replace(reading, zoom=math.nan)
        readings = self._readings
        if readings and reading.stamp_ns < readings[-1].stamp_ns - _SET_BACK_NS:
            self._add_fallen(reading)
        elif not readings or reading.stamp_ns > readings[-1].stamp_ns:
            self._fallen = None
            readings.append(reading)

    def _add_fallen(self, reading: PoseT) -> None:
        fallen = self._fallen
        if fallen is None or reading.stamp_ns < fallen.stamp_ns:
            self._fallen = reading
        elif reading.stamp_ns > fallen.stamp_ns:
            self._earlier.appendleft(self._readings)
            self._readings = deque((fallen, reading), maxlen=self._readings_max)
            self._fallen = None

    @property
    def newest(self) -> PoseT | None:
        """Return the newest reading; None before the first."""
        return self._readings[-1] if self._readings else None

    def at(self, stamp_ns: int) -> PoseT | None:
        """Return the pose at a moment; None where no reading is near enough.

        Between two readings it is interpolated, yaw and roll the short way round. Up to 0.15 s
        before the first or after the last, and into a gap of more than 0.5 s, the rates carry the
        nearer reading on.
        """
        found = (_pose_among(one, stamp_ns) for one in (self._readings, *self._earlier))
        return next((pose for pose in found if pose is not None), None)


def _pose_among(readings: deque[PoseT], stamp_ns: int) -> PoseT | None:
    """Return the pose at a moment by readings of one setting of the clock; see `PoseHistory.at`."""
    index = bisect_right(readings, stamp_ns, key=lambda reading: reading.stamp_ns)
    before = readings[index - 1] if index > 0 else None
    after = readings[index] if index < len(readings) else None
    if before and after and after.stamp_ns - before.stamp_ns <= _GAP_NS:
        return _between(before, after, stamp_ns)
    if before and stamp_ns - before.stamp_ns <= _GUESS_NS:
        return _moved(before, stamp_ns)
    if after and after.stamp_ns - stamp_ns <= _GUESS_NS:
        return _moved(after, stamp_ns)
    return None


def hfov_at_zoom(hfov_rad: float, zoom: float, known_zoom: float = 1.0) -> float:
    """Return the field of view [rad] at `zoom` of a lens that has `hfov_rad` at `known_zoom`.

    Zoom scales the focal length, so tan(hfov / 2) * zoom stays the same.
    """
    return 2.0 * math.atan(math.tan(hfov_rad / 2.0) * known_zoom / zoom)


def _moved(reading: PoseT, stamp_ns: int) -> PoseT:
    """Return the reading, carried on at its rates."""
    later_s = (stamp_ns - reading.stamp_ns) * 1e-9
    return replace(
        reading,
        stamp_ns=stamp_ns,
        yaw_rad=reading.yaw_rad + reading.yaw_rate_rad_s * later_s,
        pitch_rad=reading.pitch_rad + reading.pitch_rate_rad_s * later_s,
    )


def _between(before: PoseT, after: PoseT, stamp_ns: int) -> PoseT:
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)

    def mix(low: float, high: float) -> float:
        return low + share * (high - low)

    def mix_angle(low: float, high: float) -> float:
        return low + share * math.remainder(high - low, math.tau)

    return replace(
        after,
        stamp_ns=stamp_ns,
        yaw_rad=mix_angle(before.yaw_rad, after.yaw_rad),
        pitch_rad=mix(before.pitch_rad, after.pitch_rad),
        roll_rad=mix_angle(before.roll_rad, after.roll_rad),
        yaw_rate_rad_s=mix(before.yaw_rate_rad_s, after.yaw_rate_rad_s),
        pitch_rate_rad_s=mix(before.pitch_rate_rad_s, after.pitch_rate_rad_s),
        zoom=mix(before.zoom, after.zoom),
        hfov_rad=_hfov_between(before, after, share),
    )


def _hfov_between(before: Pose, after: Pose, share: float) -> float:
    """Return the field of view in between: the focal length, not the angle, changes evenly."""
    first, second = math.tan(before.hfov_rad / 2.0), math.tan(after.hfov_rad / 2.0)
    if not (first > 0.0 and second > 0.0):
        return math.nan
    return 2.0 * math.atan(1.0 / ((1.0 - share) / first + share / second))

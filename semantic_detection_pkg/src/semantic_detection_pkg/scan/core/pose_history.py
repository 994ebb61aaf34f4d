"""Where the gimbal pointed at a moment: readings of the last seconds, interpolated."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.inputs_and_decisions import GimbalReading

_READINGS_MAX = 400  # 8 s at 50 Hz: longer than any detection takes
_ZOOM_MAX = 1000.0  # no camera has more
_ANGLE_MAX_RAD = 4.0 * math.pi
_RATE_MAX_RAD_S = 100.0
_GUESS_NS = 150_000_000  # beyond the newest reading the rates are trusted for so long


class PoseHistory:
    """Readings in order of their stamps; only those of a line that is up."""

    def __init__(self, hfov_wide_rad: float) -> None:
        """`hfov_wide_rad` [rad] stands in at zoom 1 for gimbals that do not tell theirs."""
        self._hfov_wide_rad = hfov_wide_rad
        self._readings: deque[GimbalReading] = deque(maxlen=_READINGS_MAX)

    def add(self, reading: GimbalReading) -> None:
        """Take a reading; one that is not newer than the last, or of no use, changes nothing."""
        if not reading.is_up or not _is_sane(reading):
            return
        if self._readings and reading.stamp_ns <= self._readings[-1].stamp_ns:
            return
        if not 0.0 < reading.hfov_rad < math.pi:
            reading = replace(reading, hfov_rad=math.nan)
        if not 1.0 <= reading.zoom < _ZOOM_MAX:
            reading = replace(reading, zoom=math.nan)
        self._readings.append(reading)

    @property
    def newest(self) -> GimbalReading | None:
        """None before the first."""
        return self._readings[-1] if self._readings else None

    def hfov_rad(self, zoom: float) -> float:
        """Horizontal field of view at a zoom: zoom scales the focal length."""
        newest = self.newest
        if newest is not None and 0.0 < newest.hfov_rad < math.pi and newest.zoom >= 1.0:
            wide = math.tan(newest.hfov_rad / 2.0) * newest.zoom
        else:
            wide = math.tan(self._hfov_wide_rad / 2.0)
        return 2.0 * math.atan(wide / zoom)

    def at(self, stamp_ns: int) -> GimbalReading | None:
        """Angles, rates and zoom at a moment; None before the first or long after the last."""
        readings = self._readings
        if not readings or stamp_ns < readings[0].stamp_ns - _GUESS_NS:
            return None
        last = readings[-1]
        if stamp_ns >= last.stamp_ns:
            return None if stamp_ns - last.stamp_ns > _GUESS_NS else _moved(last, stamp_ns)
        for index in range(len(readings) - 1, 0, -1):
            before = readings[index - 1]
            if before.stamp_ns <= stamp_ns:
                return _between(before, readings[index], stamp_ns)
        return _moved(readings[0], stamp_ns)

    def view_at(self, stamp_ns: int, width: int, height: int) -> CameraView | None:
        """Where a picture of this size [px] looked; None where nobody knows."""
        pose = self.at(stamp_ns)
        if pose is None:
            return None
        hfov = pose.hfov_rad
        if not 0.0 < hfov < math.pi:
            hfov = self.hfov_rad(max(pose.zoom, 1.0) if math.isfinite(pose.zoom) else 1.0)
        return CameraView(pose.yaw_rad, pose.pitch_rad, pose.roll_rad, hfov, width, height)


def _is_sane(reading: GimbalReading) -> bool:
    """Angles and rates that a gimbal can have; neither NaN nor infinity."""
    angles = (reading.yaw_rad, reading.pitch_rad, reading.roll_rad)
    rates = (reading.yaw_rate_rad_s, reading.pitch_rate_rad_s)
    return all(abs(angle) <= _ANGLE_MAX_RAD for angle in angles) and all(
        abs(rate) <= _RATE_MAX_RAD_S for rate in rates
    )


def _moved(reading: GimbalReading, stamp_ns: int) -> GimbalReading:
    """The reading, gone on at its rates."""
    later_s = (stamp_ns - reading.stamp_ns) * 1e-9
    return replace(
        reading,
        stamp_ns=stamp_ns,
        yaw_rad=reading.yaw_rad + reading.yaw_rate_rad_s * later_s,
        pitch_rad=reading.pitch_rad + reading.pitch_rate_rad_s * later_s,
    )


def _between(before: GimbalReading, after: GimbalReading, stamp_ns: int) -> GimbalReading:
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


def _hfov_between(before: GimbalReading, after: GimbalReading, share: float) -> float:
    """The focal length, not the angle, goes evenly."""
    first, second = math.tan(before.hfov_rad / 2.0), math.tan(after.hfov_rad / 2.0)
    if not (first > 0.0 and second > 0.0):
        return math.nan
    return 2.0 * math.atan(1.0 / ((1.0 - share) / first + share / second))

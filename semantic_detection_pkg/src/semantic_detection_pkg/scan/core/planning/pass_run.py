"""One pass of a search by probability being made: the rates step by step."""

from __future__ import annotations

import math

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.planning.pass_layer import PlannedPass
from semantic_detection_pkg.scan.core.planning.sweep import SweepSettings
from semantic_detection_pkg.scan.core.pointing import (
    BearingState,
    Rates,
    limit_rates,
    rates_towards,
)

_ZOOM_REACHED = 0.06  # of the zoom
_NEAR_SHARE = 0.12  # of the picture: as near as this to its start a pass begins
_END_SLACK_S = 0.05  # [s] a pass ends this much before its end


class PassRun:
    """One pass being made: to its start and zoom, then along it."""

    def __init__(self, one: PlannedPass, wide: CameraView) -> None:
        """Begin on the way to its start."""
        self.one = one
        self._near_rad = _NEAR_SHARE * wide.hfov_rad / one.zoom
        self._began_s: float | None = None  # when it reached the start; None: on its way
        self._last_yaw_rad = 0.0
        self._done_rad = 0.0  # [rad] covered so far; summed up, as yaw may wrap on the way

    def is_over(self, now_s: float, gimbal: BearingState) -> bool:
        """Return whether its end is passed."""
        one = self.one
        if self._began_s is None:
            return False
        if one.start_rad == one.end_rad:
            return now_s - self._began_s >= one.stay_s
        sign = math.copysign(1.0, one.end_rad - one.start_rad)
        yaw, _ = gimbal.at(now_s)
        self._done_rad += sign * math.remainder(yaw - self._last_yaw_rad, math.tau)
        self._last_yaw_rad = yaw
        length = abs(one.end_rad - one.start_rad)
        return self._done_rad >= length - _END_SLACK_S * one.rate_rad_s

    def rates(
        self,
        now_s: float,
        gimbal: BearingState,
        zoom: float,
        limits: GimbalLimits,
        settings: SweepSettings,
    ) -> Rates:
        """Return the rates towards the start, and from there along the pass. [rad/s]"""
        one = self.one
        yaw, pitch = gimbal.at(now_s)
        to_start = limits.turn(yaw, one.start_rad)
        sign = math.copysign(1.0, one.end_rad - one.start_rad)
        is_near = max(abs(to_start), abs(one.pitch_rad - pitch)) < self._near_rad
        if self._began_s is None and is_near and abs(zoom - one.zoom) <= _ZOOM_REACHED * one.zoom:
            self._began_s = now_s
            self._last_yaw_rad, self._done_rad = yaw, -sign * to_start
        goal = BearingState(now_s, yaw + to_start, one.pitch_rad)
        wanted = rates_towards(gimbal, goal, now_s, limits, settings.pointing)
        if self._began_s is None or one.start_rad == one.end_rad:
            return wanted
        return limit_rates(gimbal, (sign * one.rate_rad_s, wanted[1]), limits)

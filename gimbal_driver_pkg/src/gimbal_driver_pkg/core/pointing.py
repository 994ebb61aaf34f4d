"""When a goal of the point action is reached, lost or too late. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from gimbal_driver_pkg.core.motion import Aim
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.errors import InvalidValueError
from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.words import LinkState

_HOLD_S = 0.1
"""[s] It counts as reached when it has been within the tolerance for so long."""

_ZOOM_TOLERANCE = 0.06
"""Zoom is told in tenths; a part of the goal, because great zooms are told coarsely."""


@dataclass(frozen=True)
class Progress:
    """Where it stands.

    Attributes:
        is_done: it has ended, well or not.
        is_reached: it has ended well.
        message: why not, or which limit cut the goal; "" for nothing to say.
        error_rad: angle between the lines of sight of the goal and now; NaN while not known.
    """

    is_done: bool
    is_reached: bool
    message: str
    error_rad: float


class Pointing:
    """One goal."""

    def __init__(
        self, aim: Aim, zoom: float, tolerance_rad: float, timeout_s: float, now_s: float
    ) -> None:
        """Begin; `zoom` 0 leaves it as it is.

        Raises:
            InvalidValueError: tolerance or timeout is not positive.
        """
        check = partial(check_range, above=0.0, error=InvalidValueError)
        check("tolerance_rad", tolerance_rad, maximum=math.pi)
        check("timeout_s", timeout_s, maximum=3600.0)
        self.aim = aim
        self._zoom = zoom
        self._tolerance_rad = tolerance_rad
        self._started_s = now_s
        self._ends_s = now_s + timeout_s
        self._within_since_s = math.inf

    def progress(self, state: GimbalState, aim_now: Aim | None, now_s: float) -> Progress:
        """Return where it stands; `aim_now` is the aim that the driver follows now."""
        error_rad = self._error(state)
        if aim_now is not self.aim:
            return Progress(True, False, "replaced by another command", error_rad)
        if not self._is_within(state, error_rad):
            self._within_since_s = math.inf
        elif self._within_since_s == math.inf:
            self._within_since_s = now_s
        if now_s - self._within_since_s >= _HOLD_S:
            return Progress(True, True, self._cuts(), error_rad)
        if now_s >= self._ends_s:
            reason = "no line to the gimbal" if state.link is LinkState.DOWN else "too slow"
            return Progress(True, False, f"not there in time: {reason}", error_rad)
        return Progress(False, False, "", error_rad)

    def _error(self, state: GimbalState) -> float:
        reading = state.attitude
        # A reading from before the command says nothing.
        if reading is None or reading.stamp_s < self._started_s or state.link is not LinkState.UP:
            return math.nan
        return self.aim.error_rad(reading.yaw_rad, reading.pitch_rad)

    def _is_within(self, state: GimbalState, error_rad: float) -> bool:
        is_zoomed = not self._zoom or abs(state.zoom - self._zoom) <= _ZOOM_TOLERANCE * self._zoom
        return error_rad <= self._tolerance_rad and is_zoomed

    def _cuts(self) -> str:
        cut = {"yaw": self.aim.yaw_saturated, "pitch": self.aim.pitch_saturated}
        axes = " and ".join(axis for axis, is_cut in cut.items() if is_cut)
        return f"{axes} cut to the soft limits" if axes else ""

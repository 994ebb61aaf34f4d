"""Which states are worth a message: each wakes every node that follows the gimbal."""

from __future__ import annotations

import math
from dataclasses import replace

from gimbal_driver_pkg.core.state import GimbalState

#: [s] What has not changed is told again after this long, with its age. At least 10 a second then
#: come at any rate from 20 Hz on; with fewer the health monitor warns of a slow gimbal.
_AGAIN_S = 0.07


class StateNews:
    """Tells new states from those that were told a moment ago."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._told: GimbalState | None = None
        self._told_s = -math.inf

    def is_due(self, state: GimbalState, now_s: float) -> bool:
        """Return whether to tell a state, and take it as told then.

        Args:
            now_s: on a steady clock.
        """
        told = self._told
        is_due = (
            told is None
            or now_s - self._told_s >= _AGAIN_S
            or state.attitude is not told.attitude  # equal angles may be a newer reading
            or _without_age(state) != _without_age(told)
        )
        if is_due:
            self._told, self._told_s = state, now_s
        return is_due


def _without_age(state: GimbalState) -> GimbalState:
    # Numbers that are not known are no news each time: NaN is not equal to itself.
    return replace(
        state,
        age_s=0.0,
        attitude=None,
        zoom=-1.0 if math.isnan(state.zoom) else state.zoom,
        hfov_rad=-1.0 if math.isnan(state.hfov_rad) else state.hfov_rad,
    )

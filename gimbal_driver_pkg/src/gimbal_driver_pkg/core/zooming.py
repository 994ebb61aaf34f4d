"""Zooming at a rate for a while. Pure.

Some models stop a running zoom by themselves, so it is said again and again; a stop also starts the
autofocus, so it is said once.
"""

from __future__ import annotations

import math

from gimbal_driver_pkg.protocol.messages import Command, ZoomAtRate

_REPEAT_S = 0.5


class Zooming:
    """The zoom's dead-man: it ends by itself."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._rate = 0.0
        self._until_s = math.inf
        self._say_at_s = math.inf

    @property
    def is_running(self) -> bool:
        """Whether it zooms because of us."""
        return self._rate != 0.0

    def run(self, rate: float, duration_s: float, now_s: float) -> None:
        """Zoom at `rate` -1..1 for `duration_s`; 0 stops."""
        ZoomAtRate(rate)  # refuses what is out of range
        self._rate = rate
        self._until_s = now_s + duration_s if rate else math.inf
        self._say_at_s = now_s

    def cancel(self) -> None:
        """Forget it: another command has taken the zoom over, or the line is gone."""
        self._rate = 0.0
        self._until_s = self._say_at_s = math.inf

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        return min(self._until_s, self._say_at_s)

    def commands(self, now_s: float) -> list[Command]:
        """Return what has to leave now."""
        if now_s >= self._until_s:
            self.run(0.0, 0.0, now_s)
        if now_s < self._say_at_s:
            return []
        self._say_at_s = now_s + _REPEAT_S if self._rate else math.inf
        return [ZoomAtRate(self._rate)]

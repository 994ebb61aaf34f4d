"""How often and how lately each topic spoke. Pure; time is an argument."""

from __future__ import annotations

import math
from collections import deque

_WINDOW_S = 3.0


class RateMeter:
    """Counts one topic's messages over the last seconds."""

    def __init__(self, started_s: float) -> None:
        """Nothing has come yet."""
        self._started_s = started_s
        self._times_s: deque[float] = deque()

    def count(self, now_s: float) -> None:
        """A message came."""
        self._times_s.append(now_s)
        self._forget(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Messages a second over the window."""
        self._forget(now_s)
        span_s = min(_WINDOW_S, max(now_s - self._started_s, 1e-3))
        return len(self._times_s) / span_s

    def age_s(self, now_s: float) -> float:
        """[s] since the newest within the window; infinite without one."""
        return now_s - self._times_s[-1] if self._times_s else math.inf

    def _forget(self, now_s: float) -> None:
        while self._times_s and now_s - self._times_s[0] > _WINDOW_S:
            self._times_s.popleft()

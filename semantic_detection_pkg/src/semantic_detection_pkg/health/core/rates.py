"""How often, how lately and how late each topic spoke. Pure; time is an argument."""

from __future__ import annotations

import math
import statistics
from collections import deque

WINDOW_S = 3.0


class RateMeter:
    """Counts one topic's messages over the last seconds."""

    def __init__(self, started_s: float) -> None:
        """Begin with nothing received."""
        self._started_s = started_s
        self._times_s: deque[float] = deque()
        self._latencies_s: deque[float] = deque()  # one for each of the times

    def count(self, now_s: float, latency_s: float = math.nan) -> None:
        """Note that a message came, so long after its capture [s]; NaN: it does not tell."""
        self._times_s.append(now_s)
        self._latencies_s.append(latency_s)
        self._forget(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Return the messages in a second over the window. [Hz]"""
        self._forget(now_s)
        span_s = min(WINDOW_S, max(now_s - self._started_s, 1e-3))
        return len(self._times_s) / span_s

    def age_s(self, now_s: float) -> float:
        """Return the time since the newest within the window; infinite without one. [s]"""
        return now_s - self._times_s[-1] if self._times_s else math.inf

    def latency_s(self, now_s: float) -> float:
        """Return the median time from capture to arrival within the window [s]; NaN: unknown.

        The median, because a step of the clock makes some messages look old or of the future.
        """
        self._forget(now_s)
        told = [one for one in self._latencies_s if math.isfinite(one)]
        return statistics.median(told) if told else math.nan

    def is_new(self, now_s: float) -> bool:
        """Return whether there was no time yet to judge."""
        return now_s - self._started_s < WINDOW_S

    def _forget(self, now_s: float) -> None:
        while self._times_s and now_s - self._times_s[0] > WINDOW_S:
            self._times_s.popleft()
            self._latencies_s.popleft()

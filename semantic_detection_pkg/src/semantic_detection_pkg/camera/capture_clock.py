"""The clock that stamps pictures, and when that was on the machine's steady clock.

The stamp of a frame is of the time of day, which may be set; how late a frame is can only be told
on the steady clock. Each reading of the one is kept with the other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_READINGS = 8  # pictures that may lie between the stamp and the question
_AFTER_MAX_NS = 10_000_000  # a stamp from beyond the clock's newest reading is of another clock
_BEFORE_MAX_NS = 10_000_000_000


class CaptureClock:
    """Call it for a stamp; ask it afterwards when the stamp was on the steady clock."""

    def __init__(
        self, now_ns: Callable[[], int], steady_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Read both clocks [ns]."""
        self._now_ns = now_ns
        self._steady_ns = steady_ns
        self._readings: deque[tuple[int, int]] = deque(maxlen=_READINGS)

    def __call__(self) -> int:
        """Return the time of day [ns since the epoch]."""
        stamp_ns, steady_ns = self._now_ns(), self._steady_ns()
        self._readings.append((stamp_ns, steady_ns))
        return stamp_ns

    def steady_of(self, stamp_ns: int) -> int:
        """Return a stamp of late on the steady clock [ns]; 0: it cannot be told.

        A stamp that is none of the clock's readings (a source that counts from a delay or has
        stamps of its own) goes by the nearest one.
        """
        readings = tuple(self._readings)
        if not readings:
            return 0
        then_ns, steady_ns = min(readings, key=lambda reading: abs(stamp_ns - reading[0]))
        after_ns = stamp_ns - then_ns
        if not -_BEFORE_MAX_NS <= after_ns <= _AFTER_MAX_NS:
            return 0
        return max(0, steady_ns + after_ns)

"""Work that may take a share of a thread's time and no more. Pure; time is an argument."""

from __future__ import annotations

import math


class ShareOfTime:
    """Tells when work may be done again: the longer it took, the later."""

    def __init__(self, share: float) -> None:
        """Allow it at once.

        Args:
            share: of the time, above 0, at most 1.
        """
        self._share = share
        self._due_s = -math.inf

    def is_due(self, now_s: float) -> bool:
        """Return whether it may be done now; `now_s` is on a steady clock."""
        return now_s >= self._due_s

    def done(self, took_s: float, now_s: float) -> None:
        """Note that it was done, and how long that took."""
        self._due_s = now_s + took_s * (1.0 / self._share - 1.0)

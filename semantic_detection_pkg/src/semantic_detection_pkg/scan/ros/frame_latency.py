"""The way of a frame through the scan: tracked, decided by, and which command is its."""

from __future__ import annotations

from interfaces_pkg.msg import FrameTimes
from ros_support_pkg.core.latency import LatencyLedger
from ros_support_pkg.steady_clock import is_comparable, steady_ns


class FrameLatency:
    """Follows the frames of each step; `ledger` has the figures."""

    def __init__(self) -> None:
        """Begin without a frame."""
        self.ledger = LatencyLedger(("tracked", "decided"))
        self._waiting: list[FrameTimes] = []
        self._tracked_ns = 0

    def take(self, times: FrameTimes) -> None:
        """Take a frame that the next step gets."""
        if is_comparable(times):
            self._waiting.append(times)

    def tracked(self) -> None:
        """Note that the step's frames are in the tracks."""
        self._tracked_ns = steady_ns()

    def decided(self, *, is_busy: bool) -> FrameTimes:
        """End a step; return the stamps for its command: of its newest frame, or none.

        Args:
            is_busy: a goal is in hand; without one frames are taken and nothing is done with them.
        """
        frames, self._waiting = self._waiting, []
        if not frames or not is_busy:
            return FrameTimes()
        decided_ns = steady_ns()
        for times in frames:
            times.tracked_ns, times.decided_ns = self._tracked_ns, decided_ns
            self.ledger.add("tracked", times.inferred_ns, times.tracked_ns)
            self.ledger.add("decided", times.tracked_ns, times.decided_ns)
        return frames[-1]

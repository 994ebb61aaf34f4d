"""When the scan controller takes a step: at a rate, and sooner for a frame."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from ros_support_pkg.steady_clock import steady_ns
from ros_support_pkg.timers import every

_GAP_NS = 20_000_000  # between two steps, however fast frames come
_FADE = 0.99  # of the slowest step, in each step


class StepPace:
    """Calls a step by a timer; `hurry` has the next one taken at once.

    Attributes:
        slowest_ms: that the slowest of the last steps took.
    """

    def __init__(self, node: Node, rate_hz: float, step: Callable[[], object]) -> None:
        """Begin to call `step` at `rate_hz` in the node's executor."""
        self.slowest_ms = 0.0
        self._step = step
        self._stepped_ns = 0
        self._timer = every(node, 1.0 / rate_hz, self._take)
        # Whoever hurries is a subscription's callback; what a step raises is no fault of a message.
        self._wake = node.create_guard_condition(self._take_early)

    def hurry(self) -> None:
        """Have a step taken as soon as the executor can, unless one was just now."""
        self._wake.trigger()

    def _take_early(self) -> None:
        if steady_ns() - self._stepped_ns >= _GAP_NS:
            self._timer.reset()
            self._take()

    def _take(self) -> None:
        self._stepped_ns = steady_ns()
        self._step()
        took_ms = 1e-6 * (steady_ns() - self._stepped_ns)
        self.slowest_ms = max(took_ms, _FADE * self.slowest_ms)

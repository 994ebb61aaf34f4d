"""The way of a frame through the detector: taken up, inferred."""

from __future__ import annotations

from interfaces_pkg.msg import FrameTimes
from ros_support_pkg.core.latency import INFERENCE, LatencyLedger
from ros_support_pkg.steady_clock import clock_id, steady_ns

_NS_PER_MS = 1_000_000


class FrameLatency:
    """Stamps each frame; `ledger` has the figures."""

    def __init__(self) -> None:
        """Begin without a frame."""
        self.ledger = LatencyLedger(("received", "inferred", INFERENCE))

    def received(self, captured_ns: int) -> FrameTimes:
        """Begin with a frame; `captured_ns` is on the steady clock, 0: not known."""
        now_ns = steady_ns()
        self.ledger.add("received", captured_ns, now_ns)
        return FrameTimes(clock=clock_id(), captured_ns=captured_ns, received_ns=now_ns)

    def inferred(self, times: FrameTimes, inference_ms: float) -> FrameTimes:
        """End with a frame, of which the model took so long; return its stamps."""
        times.inferred_ns = now_ns = steady_ns()
        times.inference_ns = round(max(0.0, inference_ms) * _NS_PER_MS)
        self.ledger.add("inferred", times.received_ns, now_ns)
        self.ledger.add_duration(INFERENCE, times.inference_ns, now_ns)
        return times

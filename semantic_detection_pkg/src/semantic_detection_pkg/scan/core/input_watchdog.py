"""The inputs that the scan cannot do without, and whether they are there."""

from __future__ import annotations

from collections import deque

from semantic_detection_pkg.scan.core.inputs import (
    CameraBeat,
    FrameDetections,
    GimbalReading,
    GpuStatus,
)
from semantic_detection_pkg.scan.core.settings import InputTimeouts

_NS_PER_S = 1_000_000_000
_SLOW = 1.5  # intervals of a slow camera's frames without one, until it counts as lost
_SLOWEST_S = 4.0  # of such intervals
_INTERVALS_KEPT = 3  # the shortest counts: after a loss the longest says nothing
_LENT_KNOWN_NS = 5_000_000_000  # the arbiter tells each second; then it is gone


class InputWatchdog:
    """Tells in words what is missing. Times are those of the steps in which messages came."""

    def __init__(self, settings: InputTimeouts) -> None:
        """Begin with nothing heard."""
        self._settings = settings
        self._reading: GimbalReading | None = None
        self._reading_ns: int | None = None
        self._frame_ns: int | None = None
        self._intervals_ns: deque[int] = deque(maxlen=_INTERVALS_KEPT)
        self._beat_ns: int | None = None
        self._excused_until_ns = 0
        self._gpu_ns = 0
        self._gpu = GpuStatus(is_lent=False, is_degraded=False)

    @property
    def gpu(self) -> GpuStatus:
        """Return the newest status; that of a GPU of its own where nobody tells."""
        return self._gpu

    def note_input(self, now_ns: int, item: object) -> None:
        """Note that an input came; those that are not watched do not matter."""
        if isinstance(item, GimbalReading):
            self._reading, self._reading_ns = item, now_ns
        elif isinstance(item, FrameDetections):
            if self._frame_ns is not None:
                self._intervals_ns.append(now_ns - self._frame_ns)
            self._frame_ns = now_ns
        elif isinstance(item, CameraBeat):
            self._beat_ns = now_ns
        elif isinstance(item, GpuStatus):
            if self._gpu.is_lent and not item.is_lent:
                self.restart_detections_timeout(now_ns)  # the detector needs a moment to come back
            self._gpu, self._gpu_ns = item, now_ns

    def restart_detections_timeout(self, now_ns: int) -> None:
        """Give the detector its full time again: it could not detect anything until now."""
        self._excused_until_ns = now_ns + round(self._settings.detections_timeout_s * _NS_PER_S)

    def gimbal_problem(self, now_ns: int) -> str:
        """Return why the gimbal cannot be moved; empty: it can."""
        if self._reading is None or self._reading_ns is None:
            return "gimbal: nothing heard yet"
        silent_s = (now_ns - self._reading_ns) / _NS_PER_S
        if silent_s > self._settings.gimbal_timeout_s:
            return f"gimbal: nothing heard for {_rounded(silent_s)} s"
        if not self._reading.is_up:
            return f"gimbal: link {self._reading.link}"
        return ""

    def detections_problem(self, now_ns: int) -> str:
        """Return why nothing is detected; empty: something is, or the GPU is lent.

        A camera that is heard while no detections come leaves only the detector. One that gives a
        frame every three seconds is slow, not lost.
        """
        is_lent = self._gpu.is_lent and now_ns - self._gpu_ns <= _LENT_KNOWN_NS
        if is_lent or now_ns < self._excused_until_ns:
            return ""
        limit_s = max(self._settings.detections_timeout_s, _SLOW * self._interval_s)
        silent_s = None if self._frame_ns is None else (now_ns - self._frame_ns) / _NS_PER_S
        if silent_s is not None and silent_s <= limit_s:
            return ""
        since = "yet" if silent_s is None else f"for {_rounded(silent_s)} s"
        if self._beat_ns is None:
            return f"detector or camera: no detections {since}"
        camera_s = (now_ns - self._beat_ns) / _NS_PER_S
        if camera_s > self._settings.camera_timeout_s:
            return f"camera: no frame for {_rounded(camera_s)} s"
        return f"detector: no detections {since}"

    @property
    def _interval_s(self) -> float:
        """Return the time between two frames with detections, 0 until some came. [s]"""
        is_known = len(self._intervals_ns) == _INTERVALS_KEPT
        return min(min(self._intervals_ns) / _NS_PER_S, _SLOWEST_S) if is_known else 0.0


def _rounded(seconds: float) -> int:
    """Return whole seconds: a reason that changes at each step would be news at each step."""
    return int(seconds)

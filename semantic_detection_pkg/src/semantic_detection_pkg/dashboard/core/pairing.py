"""Which frame belongs to which detections, when they come one after the other on two ways.

A frame is shown with its own detections, so that what is drawn lies on what is seen: as soon as
they are there. Frames that the detector skipped are not shown. When no detections have come for a
while (the detector is paused or gone), frames are shown bare, at once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

FrameT = TypeVar("FrameT")
FoundT = TypeVar("FoundT")

_FRAMES_MAX = 12  # more than a detector falls behind at 30 Hz within the silence
_SET_BACK_NS = 1_000_000_000  # stamps that fall further are of a clock that was set back


class Pairing(Generic[FrameT, FoundT]):
    """Frames that wait for their detections, and detections that wait for their frame."""

    def __init__(self, silence_s: float = 0.5) -> None:
        """Begin empty; bare frames are shown after `silence_s` without detections."""
        self._silence_s = silence_s
        self._frames: OrderedDict[int, FrameT] = OrderedDict()
        self._found: tuple[int, FoundT] | None = None
        self._found_s = -silence_s
        self._shown_ns = -1

    def add_frame(
        self, stamp_ns: int, frame: FrameT, now_s: float
    ) -> tuple[FrameT, FoundT | None] | None:
        """Add a frame, and return what is to be shown now, if anything."""
        if self._found is not None and self._found[0] == stamp_ns:
            return self._show(stamp_ns, frame, self._found[1])
        if now_s - self._found_s >= self._silence_s:
            self._frames.clear()
            return self._show(stamp_ns, frame, None)
        self._frames[stamp_ns] = frame
        while len(self._frames) > _FRAMES_MAX:
            self._frames.popitem(last=False)
        return None

    def add_found(
        self, stamp_ns: int, found: FoundT, now_s: float
    ) -> tuple[FrameT, FoundT | None] | None:
        """Add the detections of a frame, and return what is to be shown now, if anything."""
        self._found = (stamp_ns, found)
        self._found_s = now_s
        if stamp_ns not in self._frames:
            return None
        frame = self._frames[stamp_ns]
        while self._frames.popitem(last=False)[0] != stamp_ns:
            pass  # older ones, by the order in which they came: the clock may have been set back
        return self._show(stamp_ns, frame, found)

    def clear(self) -> None:
        """Forget the frames that wait."""
        self._frames.clear()

    def _show(
        self, stamp_ns: int, frame: FrameT, found: FoundT | None
    ) -> tuple[FrameT, FoundT | None] | None:
        if self._shown_ns - _SET_BACK_NS <= stamp_ns <= self._shown_ns:
            return None
        self._shown_ns = stamp_ns
        return frame, found

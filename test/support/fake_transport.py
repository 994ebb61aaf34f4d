"""A frame transport within one process, with switches for what goes wrong with real ones."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import FrameError


class FakeTransport:
    """A `FrameWriter` and one `FrameReader` in one object.

    Attributes:
        is_full: `send` raises FrameError, as without memory.
        is_bad: `receive` raises FrameError for each frame.
        is_lossy: frames are sent and never arrive.
        dropped: see `FrameReader`.
    """

    def __init__(self) -> None:
        self.is_full = False
        self.is_bad = False
        self.is_lossy = False
        self.dropped = 0
        self._newest: Frame | None = None
        self._is_interrupted = False
        self._changed = threading.Condition()

    def allocate(self, height: int, width: int) -> NDArray[np.uint8]:
        """See `FrameWriter`."""
        return np.empty((height, width, 3), np.uint8)

    def send(self, frame: Frame) -> int:
        """See `FrameWriter`."""
        if self.is_full:
            raise FrameError("no memory for a picture")
        with self._changed:
            if not self.is_lossy:
                self.dropped += self._newest is not None
                self._newest = frame
                self._changed.notify_all()
        return 0

    def receive(self, timeout_s: float) -> Frame | None:
        """See `FrameReader`."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._is_interrupted, timeout_s
            )
            frame, self._newest = self._newest, None
        if frame is not None and self.is_bad:
            raise FrameError("frame of 0x0 BGR has 1 bytes")
        return None if self._is_interrupted else frame

    def interrupt(self) -> None:
        """See `FrameReader`."""
        with self._changed:
            self._is_interrupted = True
            self._changed.notify_all()

    def close(self) -> None:
        """Both ends."""

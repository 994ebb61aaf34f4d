"""What every frame transport does: one `FrameWriter` (the camera), any number of `FrameReader`s.

The newest frame wins: a reader that is late loses the older ones, and nobody ever waits for it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.frame import Frame


class FrameWriter(Protocol):
    """The camera's end. `allocate` and `send` may be called by two threads."""

    def allocate(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return memory for one picture to come: (height, width, 3) uint8, C-contiguous, not set.

        A frame whose image is this very array is sent without copying its pixels. An array that is
        dropped instead goes back by itself.
        """

    def send(self, frame: Frame) -> int:
        """Hand a frame to all readers there are; never waits for one.

        Its image may be read until the next `send`, and must not be written any more.

        Returns:
            The number of the place in memory that holds the pixels, >= 0.

        Raises:
            FrameError: this frame cannot be sent; the next one may be.
        """

    def close(self) -> None:
        """Let go of everything; may be called again."""


class FrameReader(Protocol):
    """A receiving end. One thread receives; only `interrupt` may be called by another one.

    Attributes:
        dropped: frames that were sent and replaced by newer ones before they were received.
    """

    dropped: int

    def receive(self, timeout_s: float) -> Frame | None:
        """Wait for a frame that was not received yet.

        Args:
            timeout_s: longest wait [s], >= 0.

        Returns:
            The newest frame, its image a read-only view that stays valid while somebody refers to
            it; None after the time-out or `interrupt`.

        Raises:
            FrameError: a frame cannot be read, or more than `FRAMES_HELD_MAX` are kept; the next
                one may be.
        """

    def interrupt(self) -> None:
        """End a `receive` that waits, and every later one at once."""

    def close(self) -> None:
        """Let go of everything but the frames that were received; may be called again."""

"""What every camera speaks: `FrameSource`. One module for each kind of camera opens one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

ClockNs = Callable[[], int]
"""Returns the time of the graph [ns since the epoch]; a source stamps its pictures with it."""

Allocate = Callable[[int, int], NDArray[np.uint8]]
"""Gives memory for a picture of this height and width: (height, width, 3) uint8, C-contiguous."""


class Shot(NamedTuple):
    """A picture as a source hands it over; the reader numbers it and makes it a `Frame`.

    Attributes:
        image: (height, width, 3) uint8, BGR; the source never writes it again.
        stamp_ns: capture time [ns since the epoch].
    """

    image: NDArray[np.uint8]
    stamp_ns: int


class FrameSource(Protocol):
    """An opened camera. Used by one thread; only `close` may be called from another one.

    Attributes:
        name: what it is, for messages; holds no password.
        period_s: time to keep between two pictures [s], > 0; None if the source keeps its own time
            (a camera) or has none.
        waits_for_consumer: whether the next picture is read only after the last one was taken, so
            that none is dropped ("as fast as consumed").
    """

    name: str
    period_s: float | None
    waits_for_consumer: bool

    def read(self) -> Shot | None:
        """Wait for the next picture; None at the end of a source that ends.

        Raises:
            SourceLostError: the source vanished or stalled; only `close` makes sense now.
        """

    def close(self) -> None:
        """Free the device; may be called again."""


@runtime_checkable
class WritesWhereTold(Protocol):
    """A `FrameSource` that writes pictures into memory of the caller's choice: no copy is needed.

    Attributes:
        allocate: asked for the memory of each picture once its size is known.
    """

    allocate: Allocate


def ordinary_memory(height: int, width: int) -> NDArray[np.uint8]:
    """Return memory as `Allocate` does, of no special kind."""
    return np.empty((height, width, 3), np.uint8)

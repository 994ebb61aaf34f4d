"""The protocol of what can be looked through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.core.surroundings import Surroundings

_MESSAGES_END_NS = (1 << 31) * 1_000_000_000  # builtin_interfaces/Time has 32 bits of seconds


def known_time_ns(*told_ns: int) -> int:
    """Return the first of some times that a recording tells which a message can have [ns].

    0 and less is not told, nor is a time past what messages can count, as clocks that were never
    set and damaged files have it; where there is none it is 1.
    """
    return next((one for one in told_ns if 0 < one < _MESSAGES_END_NS), 1)


@dataclass(frozen=True, eq=False)
class RecordedShot:
    """One recorded picture.

    Attributes:
        place: in its unit, in what the source counts by.
        stamp_ns: of its capture.
        image: (height, width, 3) BGR; None: it cannot be read.
        problem: why not, one line.
        is_passing: it may be read another time.
    """

    place: int
    stamp_ns: int
    image: NDArray[np.uint8] | None
    problem: str = ""
    is_passing: bool = False


class RecordedSource(Protocol):
    """A recording that is open.

    Attributes:
        label: for messages.
    """

    label: str

    def units(self) -> Sequence[Unit]:
        """Return its parts in the order of recording, scene after scene."""

    def shots(self, unit: Unit) -> Iterator[RecordedShot]:
        """Yield the pictures of a part, in the order of recording.

        Raises:
            ConfigurationError: it is damaged.
        """

    def jpeg(self, unit: Unit, place: int, stamp_ns: int) -> bytes:
        """Return a picture as a file, JPEG where it is not recorded as one that readers know.

        Raises:
            FrameError: it cannot be read.
        """

    def told_place(self, unit: Unit, place: int) -> str:
        """Return where a picture is, as people look for it: a file, a time in a video, a topic."""

    def surroundings(self, scene: str) -> Surroundings:
        """Return where its pictures looked and from where, as far as the recording tells.

        Raises:
            ConfigurationError: it is damaged.
        """

    def close(self) -> None:
        """Free everything; may be called again."""

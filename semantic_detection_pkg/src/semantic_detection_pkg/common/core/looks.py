"""What parts of a picture a detector looked at, and how finely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ros_support_pkg.core.ranges import check_range


class Look(NamedTuple):
    """One look at a part of a picture, bounds as in slices [px].

    Attributes:
        gain: pixels of the network's input for one pixel of the picture, > 0.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    gain: float

    def is_whole(self, width: int, height: int) -> bool:
        """Return whether it shows all of a picture of this size [px]."""
        return self.x0 <= 0 and self.y0 <= 0 and self.x1 >= width and self.y1 >= height


@dataclass(frozen=True)
class WayOfLooking:
    """A way in which a detector can look at the pictures that come, to be asked for.

    Attributes:
        name: "full", "tiles" or "rotating".
        gain: pixels of the network's input for one of the picture, of the finest looks.
        whole_gain: the same of a look at the whole picture; 0: there is none.
        share: 0..1, of the picture that the finest looks of one frame show.
        frame_s: [s] that one frame takes, as measured.

    Raises:
        ValueError: on construction, if a value is out of its range.
    """

    name: str
    gain: float
    whole_gain: float
    share: float
    frame_s: float

    def __post_init__(self) -> None:
        check_range("gain", self.gain, above=0.0, maximum=1e4)
        check_range("whole_gain", self.whole_gain, 0.0, 1e4)
        check_range("share", self.share, above=0.0, maximum=1.0)
        check_range("frame_s", self.frame_s, above=0.0, maximum=1e4)


def tiles_of(looks: Sequence[Look], width: int, height: int) -> tuple[Look, ...]:
    """Return the looks that show only a part of a picture of this size [px]: the fine ones."""
    return tuple(look for look in looks if not look.is_whole(width, height))

"""What parts of a picture a detector looked at, and how finely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


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


def tiles_of(looks: Sequence[Look], width: int, height: int) -> tuple[Look, ...]:
    """Return the looks that show only a part of a picture of this size [px]: the fine ones."""
    return tuple(look for look in looks if not look.is_whole(width, height))

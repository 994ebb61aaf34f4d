"""Where the tiles of a picture lie: they cover it, overlap, and are as few and small as can be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import FrameError

#: Tiles of the lowest row may be so many times as large as those of the highest: a camera that
#: looks down obliquely shows what is nearer, hence larger, farther down.
GROWTH = 1.5
#: A layout of fewer tiles is taken where its tiles are at most so much coarser.
_COARSER = 1.1
MOST_TILES = 256


class Region(NamedTuple):
    """A part of the picture [px], bounds as in slices: x0 <= column < x1, y0 <= row < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Columns [px]."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows [px]."""
        return self.y1 - self.y0


class _Rows(NamedTuple):
    """Rows of tiles, from above: how many in each, and their sides [px of the longer side]."""

    counts: tuple[int, ...]
    sides: tuple[float, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def tile_layout(
    size: tuple[int, int], input_size: tuple[int, int], tile_px: int, overlap: float
) -> tuple[Region, ...]:
    """Return tiles that cover a picture, row by row from above.

    Every pixel lies in a tile, and what is smaller than the overlap lies whole in one. The number
    is at most that of a plain grid of tiles of `tile_px`. With this number the tiles are as small,
    the view as fine, as they can be: a picture just wider than two tiles is seen in three small
    ones instead of three that overlap by half. Lower rows may be coarser, up to `GROWTH` times.

    Args:
        size: width and height of the picture [px], >= 1.
        input_size: width and height of the network's input [px]; tiles have its shape.
        tile_px: the longer side of a tile in the highest row is at most this [px of the picture];
            a picture that fits into such a tile is one tile.
        overlap: of neighbours, as a share of the smaller one's side, 0..0.9.

    Raises:
        FrameError: more than 256 tiles would be needed.
    """
    shape = (input_size[0] / max(input_size), input_size[1] / max(input_size))
    columns, rows = (
        _count(length, tile_px * side, overlap) for length, side in zip(size, shape, strict=True)
    )
    if columns * rows > MOST_TILES:
        raise FrameError(
            f"tile_px {tile_px} with tile_overlap {overlap:g} makes {columns * rows} tiles of a "
            f"picture of {size[0]}x{size[1]}; at most {MOST_TILES} are allowed: take larger tiles"
        )
    if columns * rows == 1:
        return (Region(0, 0, *size),)
    finest: dict[int, tuple[float, _Rows]] = {}
    for scale, found in _candidates(size, shape, tile_px, overlap, (columns, rows)):
        if found.total not in finest or scale < finest[found.total][0]:
            finest[found.total] = scale, found
    best = min(scale for scale, _ in finest.values())
    fewest = min(total for total, (scale, _) in finest.items() if scale <= _COARSER * best)
    # Where tiles are a few pixels wide two may come to lie in the same place.
    return tuple(dict.fromkeys(_place(size, shape, overlap, finest[fewest][1])))


def _count(length: int, side: float, overlap: float) -> int:
    """Return how many tiles of a side cover a length at this overlap."""
    if length <= side:
        return 1
    return math.ceil((length - side) / (side * (1.0 - overlap)) - 1e-9) + 1


def _needed(length: int, count: int, overlap: float) -> float:
    """Return the side with which so many tiles cover a length at this overlap."""
    return length / (count - (count - 1) * overlap)


def _candidates(
    size: tuple[int, int],
    shape: tuple[float, float],
    tile_px: int,
    overlap: float,
    grid: tuple[int, int],
) -> Iterator[tuple[float, _Rows]]:
    """Yield layouts with the scale, the side of a tile of the highest row, that each one needs.

    They have no more tiles than the plain grid of so many columns and rows. Of all scales with the
    same numbers of tiles only the largest is tried: it reaches farthest, and is made smaller again.
    """
    height = size[1] / shape[1]
    for row_count in range(1, grid[1] + 1):
        growth = [
            1.0 + (GROWTH - 1.0) * row / max(row_count - 1, 1) if row_count > 1 else 1.0
            for row in range(row_count)
        ]
        # No row is larger than the scale times its growth.
        least = height / _reach(np.array(growth), overlap) * (1.0 - 1e-9)
        scales = {float(tile_px)}
        for count in range(1, MOST_TILES + 1):
            side = _needed(size[0], count, overlap) / shape[0]
            if side < least:
                break
            scales.update(side / factor for factor in growth)
        tried = set()
        for scale in sorted(scales, reverse=True):
            if not least <= scale <= tile_px:
                continue
            counts = tuple(_count(size[0], scale * g * shape[0], overlap) for g in growth)
            if sum(counts) > grid[0] * grid[1]:
                break
            if counts in tried:
                continue
            tried.add(counts)
            widths = [_needed(size[0], n, overlap) / shape[0] for n in counts]
            sides = _tall_enough(widths, growth, scale, height, overlap)
            if sides is not None:
                worst = max(side / g for side, g in zip(sides, growth, strict=True))
                yield worst, _Rows(counts, sides)


def _reach(sides: NDArray[np.float64], overlap: float) -> float:
    """Return the height that rows of tiles of these sides cover."""
    return float(sides.sum() - overlap * np.minimum(sides[:-1], sides[1:]).sum())


def _tall_enough(
    widths: Sequence[float], growth: Sequence[float], scale: float, height: float, overlap: float
) -> tuple[float, ...] | None:
    """Return sides of the rows' tiles, at least `widths`, that cover the height; None: none."""
    least, factors = np.array(widths), np.array(growth)

    def sides_at(factor: float) -> NDArray[np.float64]:
        return np.maximum(least, factor * factors)

    def reach(factor: float) -> float:
        return _reach(sides_at(factor), overlap)

    low, high = 0.0, scale
    if reach(high) < height * (1.0 - 1e-9):
        return None
    if reach(low) >= height:
        return tuple(sides_at(low).tolist())
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reach(middle) >= height else (middle, high)
    return tuple(sides_at(high).tolist())


def _place(
    size: tuple[int, int], shape: tuple[float, float], overlap: float, rows: _Rows
) -> Iterator[Region]:
    """Place the tiles: whole pixels, the rows' and columns' overlaps spread evenly."""
    heights = [min(math.ceil(side * shape[1] - 1e-6), size[1]) for side in rows.sides]
    wanted = [overlap * min(pair) for pair in itertools.pairwise(heights)]
    # What is left beyond the wanted overlaps goes to all of them alike.
    spare = (sum(heights) - sum(wanted) - size[1]) / max(len(wanted), 1)
    top = 0.0
    for index, (count, side, height) in enumerate(
        zip(rows.counts, rows.sides, heights, strict=True)
    ):
        y0 = min(max(math.floor(top), 0), size[1] - height)
        if index == len(heights) - 1:
            y0 = size[1] - height
        width = min(math.ceil(side * shape[0] - 1e-6), size[0])
        for column in range(count):
            x0 = (size[0] - width) * column // max(count - 1, 1)
            yield Region(x0, y0, x0 + width, y0 + height)
        if index < len(wanted):
            top += height - wanted[index] - spare

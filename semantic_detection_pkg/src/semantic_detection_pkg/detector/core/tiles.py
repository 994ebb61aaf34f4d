"""How a picture is looked at: as a whole, in overlapping tiles, or both by turns. Geometry only.

A network sees nothing below a size in its own pixels: a wide picture squeezed into its input loses
what is small. Tiles show the input a part of the picture at, or above, the picture's resolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.settings import SettingError, check, setting
from semantic_detection_pkg.errors import ConfigurationError, FrameError

#: Tiles of the lowest row may be so many times as large as those of the highest: a camera that
#: looks down obliquely shows what is nearer, hence larger, farther down.
GROWTH = 1.5
#: A layout of fewer tiles is taken where its tiles are at most so much coarser.
_COARSER = 1.1
MOST_TILES = 256
#: Share of the picture up to which needs are single places.
_FEW = 0.15


class Looking(Enum):
    """Ways to look at a picture."""

    FULL = "full"
    TILES = "tiles"
    ROTATING = "rotating"


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


@dataclass(frozen=True)
class TileSettings:
    """How pictures are looked at; each may be changed while the detector runs.

    Raises:
        ConfigurationError: on construction, if a value is out of its range.
    """

    tiles: str = setting(
        Looking.FULL.value,
        "full: a frame is looked at as a whole; tiles: in all its tiles; rotating: as a whole and "
        "in some tiles by turns",
        choices=tuple(way.value for way in Looking),
        is_runtime=True,
    )
    # Measured on aerial pictures: so small an overlap, hence smaller tiles, finds more than 0.2.
    tile_px: int = setting(
        640,
        "longer side of a tile of the frame; that of the model's input: native resolution, less: "
        "enlarged",
        minimum=32,
        maximum=8192,
        is_runtime=True,
    )
    tile_overlap: float = setting(
        0.15,
        "share of a tile that its neighbour sees, too",
        minimum=0.0,
        maximum=0.9,
        is_runtime=True,
    )
    tiles_per_frame: int = setting(
        2, "tiles of a frame where they rotate", minimum=1, maximum=MOST_TILES, is_runtime=True
    )
    frame_budget_s: float = setting(
        0.0,
        "no look at a frame is begun that would end later than this after its beginning; 0: there "
        "is no limit",
        minimum=0.0,
        maximum=60.0,
        is_runtime=True,
    )

    def __post_init__(self) -> None:
        try:
            check(self)
        except SettingError as error:
            raise ConfigurationError(str(error)) from None

    @property
    def looking(self) -> Looking:
        """Return the way of looking."""
        return Looking(self.tiles)


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
    for scale, found in _candidates(size, shape, tile_px, overlap, rows):
        if found.total <= columns * rows and (
            found.total not in finest or scale < finest[found.total][0]
        ):
            finest[found.total] = scale, found
    best = min(scale for scale, _ in finest.values())
    fewest = min(total for total, (scale, _) in finest.items() if scale <= _COARSER * best)
    return tuple(_place(size, shape, overlap, finest[fewest][1]))


def _count(length: int, side: float, overlap: float) -> int:
    """Return how many tiles of a side cover a length at this overlap."""
    if length <= side:
        return 1
    return math.ceil((length - side) / (side * (1.0 - overlap)) - 1e-9) + 1


def _needed(length: int, count: int, overlap: float) -> float:
    """Return the side with which so many tiles cover a length at this overlap."""
    return length / (count - (count - 1) * overlap)


def _candidates(
    size: tuple[int, int], shape: tuple[float, float], tile_px: int, overlap: float, most_rows: int
) -> Iterator[tuple[float, _Rows]]:
    """Yield layouts with the scale, the side of a tile of the highest row, that each one needs."""
    for row_count in range(1, most_rows + 1):
        growth = [
            1.0 + (GROWTH - 1.0) * row / max(row_count - 1, 1) if row_count > 1 else 1.0
            for row in range(row_count)
        ]
        scales = {float(tile_px)}
        for count in itertools.count(1):
            side = _needed(size[0], count, overlap) / shape[0]
            if side * GROWTH * MOST_TILES < tile_px or count > MOST_TILES:
                break
            scales.update(side / factor for factor in growth)
        for scale in sorted(scales):
            if scale > tile_px:
                break
            counts = tuple(_count(size[0], scale * g * shape[0], overlap) for g in growth)
            if sum(counts) > MOST_TILES:
                continue
            widths = [_needed(size[0], n, overlap) / shape[0] for n in counts]
            sides = _tall_enough(widths, growth, scale, size[1] / shape[1], overlap)
            if sides is not None:
                worst = max(side / g for side, g in zip(sides, growth, strict=True))
                yield worst, _Rows(counts, sides)


def _tall_enough(
    widths: Sequence[float], growth: Sequence[float], scale: float, height: float, overlap: float
) -> tuple[float, ...] | None:
    """Return sides of the rows' tiles, at least `widths`, that cover the height; None: none."""

    def sides_at(factor: float) -> list[float]:
        return [max(width, factor * g) for width, g in zip(widths, growth, strict=True)]

    def reach(sides: Sequence[float]) -> float:
        return sum(sides) - overlap * sum(min(pair) for pair in itertools.pairwise(sides))

    low, high = 0.0, scale
    if reach(sides_at(high)) < height * (1.0 - 1e-9):
        return None
    if reach(sides_at(low)) >= height:
        return tuple(sides_at(low))
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reach(sides_at(middle)) >= height else (middle, high)
    return tuple(sides_at(high))


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


class TilePlanner:
    """Plans the looks at each frame: all views of the picture, and which of them are due.

    Where not all tiles are looked at, those are due that wait longest, weighed by their need.
    """

    def __init__(self, input_size: tuple[int, int]) -> None:
        """Args: input_size: width and height of the network's input [px]."""
        self._input_size = input_size
        self._key: tuple[tuple[int, int], TileSettings] | None = None
        self._views: tuple[Region, ...] = ()
        self._first_tile = 0  # before it: the whole picture, which waits for nothing
        self._waits = np.ones(0)
        self._is_aimed = False  # the last plan had a tile of its own

    def plan(
        self,
        size: tuple[int, int],
        settings: TileSettings,
        need: NDArray[np.floating] | None = None,
    ) -> tuple[tuple[Region, ...], list[int]]:
        """Plan the looks at a frame; `looked_at` says which of them came about.

        Args:
            size: width and height of the picture [px].
            settings: how to look; with others than before, or another size, all tiles wait alike.
            need: (rows, columns) >= 0, over the whole picture: how much a look at each part is
                worth; a tile counts by the mean, one that is worth nothing is not looked at. What
                is needed in few places is looked at in tiles around these. None: all alike.

        Returns:
            The parts of the picture that are looked at in the course of time, and the positions
            of those that are due, the most wanted first: at least one.

        Raises:
            FrameError: there would be too many tiles.
        """
        if (size, settings) != self._key:
            self._lay_out(size, settings)
        count = len(self._waits)
        if settings.looking is Looking.ROTATING:
            count = min(count, settings.tiles_per_frame)
        worth = self._waits.copy()
        self._is_aimed = False
        if need is not None and need.size and count < len(worth):
            if aimed := _aimed(size, self._input_size, settings.tile_px, need, count):
                self._is_aimed = True
                return (self._views[0], *aimed), list(range(1 + len(aimed)))
            worth *= _needs(self._views[self._first_tile :], size, need)
            count = min(count, int(np.count_nonzero(worth)))
        tiles = np.lexsort((-self._waits, -worth))[:count] + self._first_tile
        return self._views, [*range(self._first_tile), *(int(index) for index in tiles)]

    def _lay_out(self, size: tuple[int, int], settings: TileSettings) -> None:
        whole, tiles = (Region(0, 0, *size),), tuple[Region, ...]()
        if settings.looking is not Looking.FULL:
            tiles = tile_layout(size, self._input_size, settings.tile_px, settings.tile_overlap)
            tiles = tiles if len(tiles) > 1 else ()
        self._first_tile = 0 if settings.looking is Looking.TILES and tiles else 1
        self._views = whole[: self._first_tile] + tiles
        self._waits = np.ones(len(tiles))
        self._key = size, settings

    def looked_at(self, positions: Sequence[int]) -> None:
        """End a frame: these views were looked at, the others wait on."""
        self._waits += 1.0
        if self._is_aimed:
            return
        self._waits[[at - self._first_tile for at in positions if at >= self._first_tile]] = 1.0


def _needs(
    layout: Sequence[Region], size: tuple[int, int], need: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the mean need in each tile; what is no number counts as none."""
    clean = np.nan_to_num(np.asarray(need, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    clean = np.maximum(clean, 0.0)
    rows, columns = clean.shape
    needs = []
    for tile in layout:
        y0, y1 = tile.y0 * rows // size[1], -(-tile.y1 * rows // size[1])
        x0, x1 = tile.x0 * columns // size[0], -(-tile.x1 * columns // size[0])
        needs.append(float(clean[y0:y1, x0:x1].mean()))
    return np.array(needs)


def _aimed(
    size: tuple[int, int],
    input_size: tuple[int, int],
    tile_px: int,
    need: NDArray[np.floating],
    most: int,
) -> tuple[Region, ...]:
    """Return tiles around what is needed, at most so many; none where it is not in few places.

    Edges of the layout's tiles would cut what stands there. To hold all of a place a tile may be as
    large as the input, where it still is no coarser than the picture. Places are told apart from
    left to right: the next one begins where the tile of the one before can hold no more.
    """
    is_needed = np.nan_to_num(np.asarray(need, np.float64), nan=0.0) > 0.0
    if np.count_nonzero(is_needed) > _FEW * is_needed.size:
        return ()
    steps = size[0] / is_needed.shape[1], size[1] / is_needed.shape[0]
    largest = max(tile_px, *input_size) / max(input_size)
    reach = tuple(largest * side for side in input_size)
    tiles: list[Region] = []
    while is_needed.any() and len(tiles) < most:
        column = int(np.flatnonzero(is_needed.any(0))[0])
        columns = slice(column, column + max(int(reach[0] / steps[0]), 1))
        row = int(np.flatnonzero(is_needed[:, columns].any(1))[0])
        place = slice(row, row + max(int(reach[1] / steps[1]), 1)), columns
        rows, cols = np.nonzero(is_needed[place])
        box = (
            (column + cols.min()) * steps[0],
            (row + rows.min()) * steps[1],
            (column + cols.max() + 1) * steps[0],
            (row + rows.max() + 1) * steps[1],
        )
        tiles.append(_around(box, size, input_size, tile_px))
        is_needed[place] = False
    return tuple(tiles)


def _around(
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    input_size: tuple[int, int],
    tile_px: int,
) -> Region:
    """Return a tile of the input's shape with a box in its middle, as far as the picture goes."""
    shape = tuple(side / max(input_size) for side in input_size)
    side_px = max(tile_px, (box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1])
    spans = [min(math.ceil(side_px * s - 1e-6), n) for s, n in zip(shape, size, strict=True)]
    x0, y0 = (
        min(
            max(round((box[axis] + box[axis + 2] - spans[axis]) / 2.0), 0), size[axis] - spans[axis]
        )
        for axis in (0, 1)
    )
    return Region(x0, y0, x0 + spans[0], y0 + spans[1])

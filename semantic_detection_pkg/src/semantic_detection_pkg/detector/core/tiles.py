"""How a picture is looked at: as a whole, in overlapping tiles, or both by turns. Geometry only.

A network sees nothing below a size in its own pixels: a wide picture squeezed into its input loses
what is small. Tiles show the input a part of the picture at, or above, the picture's resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.settings import SettingError, check, setting
from semantic_detection_pkg.detector.core.tile_layout import MOST_TILES, Region, tile_layout
from semantic_detection_pkg.errors import ConfigurationError

#: Share of the picture up to which needs are single places.
_FEW = 0.15


class Looking(Enum):
    """Ways to look at a picture."""

    FULL = "full"
    TILES = "tiles"
    ROTATING = "rotating"


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
    tiles_by_scan: bool = setting(
        False,
        "how a frame is looked at is chosen by the scan's planner while it searches by probability;"
        " as tiles says else",
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
            self._first_tile, self._views = _lay_out(size, self._input_size, settings)
            self._waits = np.ones(len(self._views) - self._first_tile)
            self._key = size, settings
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

    def plan_again(
        self, size: tuple[int, int], settings: TileSettings, looks: Sequence[Region]
    ) -> tuple[tuple[Region, ...], list[int]]:
        """Plan what was looked at once, without an effect on later plans.

        Returns:
            As `plan`: with the tiles that had to wait then, where these settings make such looks,
            because merging leaves to them what they will show whole.

        Raises:
            FrameError: there would be too many tiles.
        """
        views = _lay_out(size, self._input_size, settings)[1]
        if not set(looks) <= set(views):  # aimed at a need, or of other settings
            views = tuple(looks)
        return views, [views.index(look) for look in looks]

    def looked_at(self, positions: Sequence[int]) -> None:
        """End a frame: these views were looked at, the others wait on."""
        self._waits += 1.0
        if self._is_aimed:
            return
        self._waits[[at - self._first_tile for at in positions if at >= self._first_tile]] = 1.0


def _lay_out(
    size: tuple[int, int], input_size: tuple[int, int], settings: TileSettings
) -> tuple[int, tuple[Region, ...]]:
    """Return how many views come before the tiles, 0 or 1, and all views of a picture."""
    whole, tiles = (Region(0, 0, *size),), tuple[Region, ...]()
    if settings.looking is not Looking.FULL:
        tiles = tile_layout(size, input_size, settings.tile_px, settings.tile_overlap)
        tiles = tiles if len(tiles) > 1 else ()
    first_tile = 0 if settings.looking is Looking.TILES and tiles else 1
    return first_tile, whole[:first_tile] + tiles


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

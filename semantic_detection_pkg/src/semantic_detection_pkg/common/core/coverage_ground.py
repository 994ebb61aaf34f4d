"""The coverage map laid on the ground: which cells fall on it, and where their corners are.

The base's position, its orientation and the ground come with the message; without one of them
nothing is laid anywhere. The ground is level, or, where the ranges are by a terrain model, as far
away in each cell as they say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymap3d
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.coordinates import DEGREE_DIGITS
from semantic_detection_pkg.common.core.geojson import Ring
from semantic_detection_pkg.common.core.position import quaternion_rotation

_FLATTEST = math.sin(math.radians(0.5))
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Outline:
    """One connected part of an area: its border and the holes in it."""

    outer: Ring
    holes: tuple[Ring, ...] = ()


@dataclass(frozen=True)
class CoverageGround:
    """A message of type Coverage on the ground.

    Attributes:
        message: what is laid there.
        turn: (3, 3) from the base frame to east, north, up.
        height_m: of the base above the ground, where that is level.
        shown: (cells,) those that were looked at and lie on the ground with all corners.
        log_ranges: (rows, columns) logarithm of the ranges [m] by a terrain model, those of the sky
            as of the ground below it; None: the ground is level.
    """

    message: Any
    turn: Matrix
    height_m: float
    shown: NDArray[np.bool_]
    log_ranges: Matrix | None = None

    @property
    def place(self) -> tuple[float, float, float]:
        """Latitude [deg], longitude [deg] and altitude [m] of the base."""
        one = self.message
        return float(one.latitude_deg), float(one.longitude_deg), float(one.altitude_m)

    def corners(self, cells: NDArray[np.intp]) -> Matrix:
        """Return (n, 4, 2) longitude and latitude [deg] of cells' corners, one after the other."""
        rows, columns = np.divmod(cells, int(self.message.columns))
        rings = [self.at(rows + dy, columns + dx) for dx, dy in _CORNERS]
        return np.stack(rings, axis=1)

    def at(self, rows: Matrix, columns: Matrix) -> Matrix:
        """Return (n, 2) longitude and latitude [deg] of places on the grid; middles are whole."""
        rays = _rays(self.turn, *_bearings(self.message, rows, columns))
        if self.log_ranges is None:
            points = rays * (self.height_m / -rays[2])
        else:  # corners are as far away as the cells around them on average
            from scipy import ndimage  # large, and for maps only

            places = np.stack(np.broadcast_arrays(rows, columns)).astype(np.float64)
            log_range = ndimage.map_coordinates(self.log_ranges, places, order=1, mode="nearest")
            points = rays * np.exp(log_range)
        latitude, longitude, _ = pymap3d.enu2geodetic(*points, *self.place)
        return np.round(np.stack([longitude, latitude], axis=1), DEGREE_DIGITS)

    def outlines(self) -> list[Outline]:
        """Return the border of each connected part of the cells that are shown, with its holes."""
        from skimage import measure  # large, and for maps only

        grid = np.pad(self.shown.reshape(int(self.message.rows), int(self.message.columns)), 1)
        lines = measure.find_contours(grid.astype(np.float64), 0.5)
        if not lines:
            return []
        part_of = measure.label(grid, connectivity=1)  # as the borders have it
        borders = [_corners_of(line) for line in lines]
        places = np.concatenate(borders) - 1.0
        on_map = self.at(places[:, 0], places[:, 1])
        ends = np.cumsum([len(border) for border in borders])
        outer: dict[int, Ring] = {}
        holes: dict[int, list[Ring]] = {}
        for line, border, points in zip(lines, borders, np.split(on_map, ends[:-1]), strict=True):
            # A border runs between cells: of the two beside its beginning one is shown.
            low, high = np.floor(line[0]).astype(int), np.ceil(line[0]).astype(int)
            part = int(max(part_of[tuple(low)], part_of[tuple(high)]))
            # Around what is high the library runs one way, around holes the other.
            is_outer = _signed_area(border) < 0.0
            if (_signed_area(points) > 0.0) is not is_outer:
                points = points[::-1]
            ring: Ring = points.tolist()
            if is_outer:
                outer[part] = ring
            else:
                holes.setdefault(part, []).append(ring)
        return [Outline(ring, tuple(holes.get(part, ()))) for part, ring in outer.items()]


def on_ground(message: Any) -> CoverageGround | None:
    """Lay a message of type Coverage on the ground.

    Returns:
        None where the base's position or the ground is not known, or no cell meets it.
    """
    if not getattr(message, "has_position", False) or message.is_range_assumed:
        return None  # recordings of before have none
    rows, columns = int(message.rows), int(message.columns)
    numbers = [message.range_m, message.look_counts]
    if min(rows, columns) < 1 or any(len(one) != rows * columns for one in numbers):
        return None
    x, y, z, w = (float(one) for one in message.orientation_xyzw)
    turn = quaternion_rotation((x, y, z, w))
    if getattr(message, "is_range_by_terrain", False):  # recordings of before have none
        return _on_terrain(message, turn)
    row, column = np.divmod(np.arange(rows * columns), columns)
    middle = _rays(turn, *_bearings(message, row, column))
    falls = -middle[2] > _FLATTEST
    if not falls.any():
        return None
    ranges = np.asarray(message.range_m, np.float64)
    height_m = float(np.median((ranges * -middle[2])[falls]))
    shown = (np.asarray(message.look_counts) > 0) & falls
    for dx, dy in _CORNERS:
        shown &= -_rays(turn, *_bearings(message, row + dy, column + dx))[2] > _FLATTEST
    return CoverageGround(message, turn, height_m, shown)


def _on_terrain(message: Any, turn: Matrix) -> CoverageGround | None:
    """Lay a message on the ground that its ranges tell of; 0 is sky."""
    ranges = np.array(message.range_m, np.float64).reshape(int(message.rows), -1)
    is_ground = np.isfinite(ranges) & (ranges > 0.0)
    if not is_ground.any():
        return None
    shown = (np.asarray(message.look_counts) > 0) & is_ground.ravel()
    ranges[~is_ground] = 0.0
    for row in range(len(ranges) - 2, -1, -1):  # from what is near to what is far
        ranges[row] = np.where(ranges[row] > 0.0, ranges[row], ranges[row + 1])
    log_ranges = np.log(np.maximum(ranges, 1.0))
    return CoverageGround(message, turn, math.nan, shown, log_ranges)


def _bearings(message: Any, rows: Any, columns: Any) -> tuple[Matrix, Matrix]:
    """Return yaw and pitch [rad] of places on the grid, whole numbers for the cells' middles."""
    cell = float(message.cell_rad)
    return (
        message.yaw_min_rad + cell * (np.asarray(columns) + 0.5),
        message.pitch_min_rad + cell * (np.asarray(rows) + 0.5),
    )


def _rays(turn: Matrix, yaw: Matrix, pitch: Matrix) -> Matrix:
    """Return (3, n) unit vectors, east, north and up, of bearings from the base."""
    level = np.cos(pitch)
    base = np.stack([level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)])
    return np.asarray(turn @ base)


def _corners_of(ring: Matrix) -> Matrix:
    """Return a closed ring without the points at which it goes straight on."""
    steps = np.diff(ring, axis=0)
    before = np.roll(steps, 1, axis=0)
    turns = before[:, 0] * steps[:, 1] != before[:, 1] * steps[:, 0]
    corners = ring[:-1][turns]
    return np.concatenate([corners, corners[:1]])


def _signed_area(ring: Matrix) -> float:
    """Return twice the area that a closed ring of (x, y) encloses, + is counterclockwise."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))

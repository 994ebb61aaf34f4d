"""The coverage map laid on level ground: which cells fall on it, and where their corners are.

The base's position, its orientation and the ground below it come with the message; without one of
them nothing is laid anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymap3d
from numpy.typing import NDArray
from skimage import measure

from semantic_detection_pkg.common.core.coordinates import DEGREE_DIGITS
from semantic_detection_pkg.common.core.geojson import Ring
from semantic_detection_pkg.common.core.position import quaternion_rotation

_FLATTEST = math.sin(math.radians(0.5))
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
_TOLERANCE_CELLS = 0.4  # of an outline: less than a corner cut off

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
        height_m: of the base above the ground.
        shown: (cells,) those that were looked at and lie on the ground with all corners.
    """

    message: Any
    turn: Matrix
    height_m: float
    shown: NDArray[np.bool_]

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
        east, north = rays[:2] * (self.height_m / -rays[2])
        latitude, longitude, _ = pymap3d.enu2geodetic(east, north, -self.height_m, *self.place)
        return np.round(np.stack([longitude, latitude], axis=1), DEGREE_DIGITS)

    def outlines(self) -> list[Outline]:
        """Return the border of all cells that are shown, with its holes."""
        grid = self.shown.reshape(int(self.message.rows), int(self.message.columns))
        borders = [
            measure.approximate_polygon(line, _TOLERANCE_CELLS) - 1.0
            for line in measure.find_contours(np.pad(grid, 1).astype(np.float64), 0.5)
        ]
        # Around what is high the library runs one way, around holes the other.
        outer = [one for one in borders if _signed_area(one) < 0.0]
        holes = [one for one in borders if _signed_area(one) > 0.0]
        return [
            Outline(
                self._ring(one, 1.0),
                tuple(
                    self._ring(hole, -1.0)
                    for hole in holes
                    if measure.points_in_poly(hole[:1], one)[0]
                ),
            )
            for one in outer
        ]

    def _ring(self, border: Matrix, sense: float) -> Ring:
        """Return a border on the ground, counterclockwise where `sense` is positive."""
        points = self.at(border[:, 0], border[:, 1])
        if _signed_area(points) * sense < 0.0:
            points = points[::-1]
        ring: Ring = points.tolist()
        return ring


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


def _signed_area(ring: Matrix) -> float:
    """Return twice the area that a closed ring of (x, y) encloses, + is counterclockwise."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))

"""From bearings to places on a map: what is known of the robot and the ground, and what is not.

Where the robot is comes from its newest fix and attitude, else from the newest coverage. Without
both the map is a local one: the robot stands at latitude and longitude 0, ahead is north. How far
away the ground is comes from the coverage; without it a bearing is drawn as a direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymap3d
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.coordinates import DEGREE_DIGITS
from semantic_detection_pkg.common.core.coverage_ground import CoverageGround, on_ground
from semantic_detection_pkg.common.core.geojson import ellipse_enu
from semantic_detection_pkg.common.core.position import (
    Position,
    RobotPlace,
    heading,
    quaternion_rotation,
)

_FARTHEST_HEIGHTS = 30.0  # what is flatter, 1.9 deg below the horizon, is cut there
_DIRECTION_M = 100.0  # how long a direction is drawn
_STEP_RAD = math.radians(1.5)  # of outlines: what is straight as seen is bent on the ground
_PIECES_MAX = 40
_AHEAD_IS_NORTH = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
_UNKNOWN = np.iinfo(np.int32).min
_E7 = 1e7
_ANGLE_MAX = 4.0 * math.pi
_HIGH_M = 1e6
_GRID = ("yaw_min_rad", "pitch_min_rad", "cell_rad", "columns", "rows", "range_m")

Bearing = tuple[float, float]
"""(yaw, pitch) [rad]."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class MapPlace:
    """A place on the map.

    Attributes:
        latitude_deg, longitude_deg: WGS 84, of a local map as if the robot stood at 0, 0.
        is_met: the bearing meets the ground there; else it is drawn as far as makes sense.
    """

    latitude_deg: float
    longitude_deg: float
    is_met: bool


@dataclass(frozen=True)
class MapGround:
    """What bearings are drawn by.

    Attributes:
        place: latitude [deg], longitude [deg], altitude [m] of the base; None: nothing is known.
        turn: (3, 3) from the base frame to east, north, up; None: how it is turned is not known.
        heading_rad: of the robot, from north clockwise; None: not known.
        is_local: where the robot is is not known, the map is as seen from it.
        told: what is not known, in a line; empty: everything is.
    """

    place: tuple[float, float, float] | None
    turn: Matrix | None
    heading_rad: float | None
    is_local: bool
    told: str
    _ground: CoverageGround | None = None

    @property
    def is_ground_known(self) -> bool:
        """Whether distances are known."""
        return self._ground is not None

    def places(self, bearings: Sequence[Bearing]) -> list[MapPlace]:
        """Return where bearings are drawn; nothing where the robot or its attitude is not known."""
        if self.place is None or self.turn is None or not bearings:
            return []
        yaw, pitch = np.asarray(bearings, np.float64).reshape(-1, 2).T
        level = np.cos(pitch)
        base = np.stack([level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)])
        rays = self.turn @ base
        if self._ground is None:
            points, is_met = _directed(rays, _DIRECTION_M, 0.0), np.zeros(len(yaw), bool)
        elif self._ground.log_ranges is None:
            points, is_met = _met(rays, self._ground.height_m)
        else:
            return self._on_terrain(yaw, pitch)
        latitude, longitude, _ = pymap3d.enu2geodetic(*points, *self.place)
        return _placed(latitude, _near(longitude, self.place[1]), is_met)

    def outline(self, bearings: Sequence[Bearing]) -> list[MapPlace]:
        """Return the closed outline of corners; without the ground the sector that they span."""
        if self.place is None or self.turn is None or len(bearings) < 2:
            return []
        if self._ground is None:
            yaws = np.unwrap([yaw for yaw, _ in bearings])
            steps = np.linspace(yaws.min(), yaws.max(), _PIECES_MAX)
            robot = MapPlace(self.place[0], self.place[1], False)
            return [robot, *self.places([(float(yaw), 0.0) for yaw in steps])]
        corners = np.asarray(bearings, np.float64)
        dense: list[Matrix] = []
        for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            pieces = math.ceil(float(np.abs(there - here).max()) / _STEP_RAD)
            pieces = max(1, min(_PIECES_MAX, pieces))
            share = np.arange(pieces)[:, None] / pieces
            dense.append(here + share * (there - here))
        return self.places([(float(yaw), float(pitch)) for yaw, pitch in np.concatenate(dense)])

    def _on_terrain(self, yaw: Matrix, pitch: Matrix) -> list[MapPlace]:
        ground = self._ground
        assert ground is not None
        grid = ground.message
        rows = (pitch - grid.pitch_min_rad) / grid.cell_rad - 0.5
        columns = np.mod(yaw - grid.yaw_min_rad, math.tau) / grid.cell_rad - 0.5
        is_inside = (rows >= -0.5) & (rows <= grid.rows - 0.5) & (columns <= grid.columns - 0.5)
        cell = (
            np.clip(np.floor(rows + 0.5), 0, grid.rows - 1) * grid.columns
            + np.clip(np.floor(columns + 0.5), 0, grid.columns - 1)
        ).astype(np.intp)
        is_met = is_inside & ground.shown[cell]
        longitude, latitude = ground.at(rows, columns).T
        return _placed(latitude, _near(longitude, float(grid.longitude_deg)), is_met)


def map_ground(robot: RobotPlace | None, coverage: Any, *, is_placed: bool = False) -> MapGround:
    """Return what a map can be drawn by.

    Args:
        robot: where it is now; None: not known.
        coverage: the newest message of type Coverage; None: there is none.
        is_placed: there are findings with a position: a map without the robot is worth something.
    """
    if robot is not None:
        place = robot.latitude_deg, robot.longitude_deg, robot.altitude_m
        if robot.quaternion_xyzw is None:
            return MapGround(
                place,
                None,
                None,
                False,
                "How the robot is turned is not known (no imu). Only what has a position is shown.",
            )
        ground = _moved(_ground_of(coverage), place, robot.quaternion_xyzw)
        return _known(place, robot.quaternion_xyzw, ground, "")
    if coverage is not None and is_placed_coverage(coverage):
        place = (
            float(coverage.latitude_deg),
            float(coverage.longitude_deg),
            float(coverage.altitude_m),
        )
        x, y, z, w = (float(one) for one in coverage.orientation_xyzw)
        told = "Where the robot is now is not known (no fix): it is shown where it searched last."
        return _known(place, (x, y, z, w), _ground_of(coverage), told)
    if is_placed:
        told = "Where the robot is is not known (no fix): only findings with a position are shown."
        return MapGround(None, None, None, False, told)
    local = None if coverage is None else _ground_of(_localised(coverage))
    told = "Where the robot is is not known (no fix): all is shown as seen from it, ahead is up."
    known = _known((0.0, 0.0, 0.0), _AHEAD_IS_NORTH, local, told)
    return replace(known, is_local=True)


def is_placed_coverage(coverage: Any) -> bool:
    """Return whether a message of type Coverage says where the base is, in numbers that can be."""
    place = (coverage.latitude_deg, coverage.longitude_deg, coverage.altitude_m)
    turn = [float(one) for one in coverage.orientation_xyzw]
    if not coverage.has_position or not np.isfinite([*place, *turn]).all():
        return False
    is_turn = 0.5 < math.hypot(*turn) < 2.0
    return is_turn and abs(place[0]) <= 90.0 and abs(place[1]) <= 360.0 and abs(place[2]) < _HIGH_M


def cell_corners(coverage: Any, *, is_local: bool) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return where the corners of the coverage's cells are, and which cells lie on the ground.

    Returns:
        ((rows + 1) (columns + 1), 2) latitude and longitude [1e-7 deg], the least int where there
        is none; (rows columns,). Both empty where the ground is not known.
    """
    ground = _ground_of(_localised(coverage) if is_local else coverage)
    if ground is None or not (ground.log_ranges is not None or ground.height_m > 0.0):
        return np.empty((0, 2), np.int32), np.empty(0, bool)
    rows, columns = int(coverage.rows), int(coverage.columns)
    is_cell = ground.shown.reshape(rows, columns)
    is_corner = np.zeros((rows + 1, columns + 1), bool)
    for down in (0, 1):
        for right in (0, 1):
            is_corner[down : rows + down, right : columns + right] |= is_cell
    row, column = np.nonzero(is_corner)
    corners = np.full((rows + 1, columns + 1, 2), _UNKNOWN, np.int32)
    longitude, latitude = ground.at(row - 0.5, column - 0.5).T
    longitude = _near(longitude, ground.place[1])
    corners[row, column] = np.round(np.stack([latitude, longitude], axis=1) * _E7)
    return corners.reshape(-1, 2), ground.shown


def cells_key(coverage: Any) -> tuple[object, ...]:
    """Return what tells whether the cells of two coverages lie at the same places, about."""
    grid = tuple(getattr(coverage, name) for name in _GRID if name != "range_m")
    known = coverage.has_position, coverage.is_range_assumed, coverage.is_range_by_terrain
    place = (round(float(getattr(coverage, name)), 6) for name in ("latitude_deg", "longitude_deg"))
    turn = (round(float(one), 4) for one in coverage.orientation_xyzw)
    ranges_m = np.round(np.asarray(coverage.range_m, np.float32), 1).tobytes()
    return (*grid, *known, *place, *turn, hash(ranges_m))


def _known(
    place: tuple[float, float, float],
    quaternion_xyzw: tuple[float, float, float, float],
    ground: CoverageGround | None,
    told: str,
) -> MapGround:
    if ground is None:
        far = "How far the ground is is not known: only directions are shown."
        told = f"{told} {far}".strip()
    course_rad, _ = heading(quaternion_xyzw, 0.0, 0.0)
    return MapGround(place, quaternion_rotation(quaternion_xyzw), course_rad, False, told, ground)


def _ground_of(coverage: Any) -> CoverageGround | None:
    """Return the ground of all cells, looked at or not."""
    if coverage is None or not is_placed_coverage(coverage):
        return None
    cells = int(coverage.rows) * int(coverage.columns)
    grid = (coverage.yaw_min_rad, coverage.pitch_min_rad, coverage.cell_rad)
    if len(coverage.range_m) != cells or not np.isfinite(grid).all():
        return None
    if not 0.0 < coverage.cell_rad < math.pi or abs(coverage.yaw_min_rad) > _ANGLE_MAX:
        return None
    same = {name: getattr(coverage, name) for name in _GRID}
    place = ("latitude_deg", "longitude_deg", "altitude_m", "orientation_xyzw", "has_position")
    same |= {name: getattr(coverage, name) for name in place}
    same |= {name: getattr(coverage, name) for name in ("is_range_assumed", "is_range_by_terrain")}
    return on_ground(SimpleNamespace(**same, look_counts=np.ones(cells, np.uint8)))


def _localised(coverage: Any) -> Any:
    """Return the grid of a coverage as if the robot stood at 0, 0 and looked north."""
    same = {name: getattr(coverage, name) for name in (*_GRID, "is_range_assumed")}
    return SimpleNamespace(
        **same,
        is_range_by_terrain=coverage.is_range_by_terrain,
        has_position=True,
        latitude_deg=0.0,
        longitude_deg=0.0,
        altitude_m=0.0,
        orientation_xyzw=_AHEAD_IS_NORTH,
    )


def _moved(
    ground: CoverageGround | None,
    place: tuple[float, float, float],
    quaternion_xyzw: tuple[float, float, float, float],
) -> CoverageGround | None:
    """Return level ground as seen from where the robot is now; a terrain's stays where it was."""
    if ground is None or ground.log_ranges is not None:
        return ground
    same = vars(ground.message) | {
        "latitude_deg": place[0],
        "longitude_deg": place[1],
        "altitude_m": place[2],
        "orientation_xyzw": quaternion_xyzw,
    }
    turn = quaternion_rotation(quaternion_xyzw)
    return replace(ground, message=SimpleNamespace(**same), turn=turn)


def _met(rays: Matrix, height_m: float) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return (3, n) where rays meet level ground, those that are too flat as far as makes sense."""
    level, down = np.hypot(rays[0], rays[1]), -rays[2]
    farthest_m = _FARTHEST_HEIGHTS * height_m
    is_met = (down > 0.0) & (level * height_m <= down * farthest_m)
    met = rays * (height_m / np.where(is_met, down, 1.0))
    return np.where(is_met, met, _directed(rays, farthest_m, -height_m)), is_met


def _directed(rays: Matrix, length_m: float, up_m: float) -> Matrix:
    """Return (3, n) points that far away in the directions of rays."""
    level = np.maximum(np.hypot(rays[0], rays[1]), 1e-12)
    off = rays * (length_m / level)
    off[2] = up_m
    return np.asarray(off)


def _near(longitude: Any, middle_deg: float) -> Matrix:
    """Return longitudes without the leap at 180 degrees."""
    return np.asarray(middle_deg + np.remainder(longitude - middle_deg + 180.0, 360.0) - 180.0)


def _placed(latitude: Any, longitude: Any, is_met: NDArray[np.bool_]) -> list[MapPlace]:
    rounded = np.round(np.stack([latitude, longitude]), DEGREE_DIGITS)
    found = zip(*rounded.tolist(), is_met.tolist(), strict=True)
    return [MapPlace(*one) for one in found]


def ellipse_outline(position: Position) -> list[tuple[float, float]]:
    """Return latitude and longitude [deg] of the 1-sigma ellipse's outline; empty: no size."""
    if not 0.0 < position.ellipse_major_m < math.inf:
        return []
    east, north = np.array(ellipse_enu(position)).T
    place = position.latitude_deg, position.longitude_deg, position.altitude_m
    latitude, longitude, _ = pymap3d.enu2geodetic(east, north, np.zeros_like(east), *place)
    near = _near(longitude, position.longitude_deg)
    rounded = np.round(np.stack([latitude, near], axis=1), DEGREE_DIGITS)
    if not np.isfinite(rounded).all():
        return []
    return [(one, other) for one, other in rounded.tolist()]

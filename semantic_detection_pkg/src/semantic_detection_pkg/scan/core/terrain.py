"""A terrain model around the robot: a grid of ground heights, and where rays from a camera meet it.

From one place profiles of the ground are taken along many azimuths. Along a profile the angle at
which the ground is seen only matters where it rises above all before it: what lies lower is hidden.
So the first point at which a ray meets the ground is found in the running maximum of these angles,
as viewsheds are computed. Profiles belong to the place, so another height costs little and another
attitude next to nothing.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pymap3d
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import setting

Grid = NDArray[np.float64]

SIDE_MAX = 1001  # cells along a side
_STEP_M = 0.1  # of the heights that are kept
_UNKNOWN = 65535
_HIGHEST_M = 10_000.0  # above sea level or below: more is no ground of this planet
_AZIMUTHS = 360  # a degree apart, as the cells of a map
_GROWTH = 1.03  # of the distances along a profile, until they are a cell apart
_CURVATURE = (1.0 - 0.13) / (2.0 * 6_371_000.0)  # [1/m] of the Earth, less usual refraction
_FLATTEST = math.sin(math.radians(0.5))


@dataclass(frozen=True)
class TerrainSettings:
    """Where the terrain model is, and what its heights count from."""

    terrain_file: str = setting(
        "",
        "GeoTIFF with the heights of the ground, from which distances follow where fix and imu are"
        " known; needs rasterio; empty: the ground is level",
    )
    geoid_height_m: float = setting(
        math.nan,
        "sea level above the ellipsoid, for a terrain_file whose heights count from it and a"
        " camera_height_m that nobody knows; .nan: not known",
    )


@dataclass(frozen=True)
class Terrain:
    """Heights of the ground on a grid, east and north of its middle; an input of the scan.

    Attributes:
        name: of the file, for people.
        latitude_deg, longitude_deg: of the middle, WGS 84.
        spacing_m: of the grid.
        rows, columns: of heights, 2..1001; rows run north, columns east.
        lowest_m: of the heights, above their zero.
        packed: base64 of zlib of little-endian uint16, row-major: height above the lowest in steps
            of 0.1 m, 65535: not known.
        zero_m: of the heights, above the ellipsoid; NaN: not known.

    Raises:
        ValueError: on construction, if a value is out of its range or the heights do not fit.
    """

    name: str
    latitude_deg: float
    longitude_deg: float
    spacing_m: float
    rows: int
    columns: int
    lowest_m: float
    packed: str
    zero_m: float = math.nan

    def __post_init__(self) -> None:
        check_range("latitude_deg", self.latitude_deg, -90.0, 90.0)
        check_range("longitude_deg", self.longitude_deg, -360.0, 360.0)
        check_range("spacing_m", self.spacing_m, 0.01, 10_000.0)
        check_range("rows", self.rows, 2, SIDE_MAX)
        check_range("columns", self.columns, 2, SIDE_MAX)
        check_range("lowest_m", self.lowest_m, -2 * _HIGHEST_M, 2 * _HIGHEST_M)
        _ = self.heights_m

    @cached_property
    def heights_m(self) -> Grid:
        """Return (rows, columns) heights above their zero; NaN: not known. [m]"""
        size = 2 * self.rows * self.columns
        try:
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(base64.b64decode(self.packed, validate=True), size + 1)
        except (binascii.Error, zlib.error) as error:
            raise ValueError(f"terrain: heights cannot be read: {error}") from error
        if len(data) != size:
            raise ValueError(f"terrain: {self.rows} x {self.columns} heights do not fit")
        steps = np.frombuffer(data, "<u2").reshape(self.rows, self.columns)
        heights = self.lowest_m + _STEP_M * steps
        heights[steps == _UNKNOWN] = np.nan
        return heights

    def offset_m(self, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
        """Return (east, north) of a place from the middle. [m]"""
        place = latitude_deg, longitude_deg, 0.0
        east, north, _ = pymap3d.geodetic2enu(*place, self.latitude_deg, self.longitude_deg, 0.0)
        return float(east), float(north)

    def height_at(self, place_m: tuple[float, float]) -> float:
        """Return the height at a place east and north of the middle; NaN: not known. [m]"""
        return float(self.height_m(np.array(place_m[0]), np.array(place_m[1])))

    def height_m(self, east_m: Grid, north_m: Grid) -> Grid:
        """Return heights between those of the grid; NaN: not known or beyond it. [m]"""
        column = np.asarray(east_m / self.spacing_m + (self.columns - 1) / 2.0)
        row = np.asarray(north_m / self.spacing_m + (self.rows - 1) / 2.0)
        inside = (column >= 0) & (column <= self.columns - 1)
        inside &= (row >= 0) & (row <= self.rows - 1)
        column, row = np.where(inside, column, 0.0), np.where(inside, row, 0.0)
        left = np.minimum(column.astype(np.intp), self.columns - 2)
        lower = np.minimum(row.astype(np.intp), self.rows - 2)
        aside, up = column - left, row - lower
        flat, at = self.heights_m.ravel(), lower * self.columns + left
        south = flat[at] + aside * (flat[at + 1] - flat[at])
        at = at + self.columns
        north = flat[at] + aside * (flat[at + 1] - flat[at])
        return np.asarray(np.where(inside, south + up * (north - south), np.nan))


def pack_terrain(
    name: str,
    place: tuple[float, float],
    spacing_m: float,
    heights_m: Grid,
    zero_m: float = math.nan,
) -> Terrain | None:
    """Return the terrain of a grid of heights; None where no height is known.

    Args:
        place: (latitude, longitude) [deg] of its middle.
        heights_m: (rows, columns), from south to north and west to east; what is no height of this
            planet is not known.

    Raises:
        ValueError: it has too many rows or columns.
    """
    known = np.isfinite(heights_m) & (np.abs(heights_m) <= _HIGHEST_M)
    if not known.any():
        return None
    lowest = float(heights_m[known].min())
    steps = np.round((np.where(known, heights_m, lowest) - lowest) / _STEP_M)
    steps = np.where(known & (steps < _UNKNOWN), steps, _UNKNOWN).astype("<u2")
    packed = base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")
    rows, columns = steps.shape
    return Terrain(name, *place, spacing_m, rows, columns, lowest, packed, zero_m)


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays meet the ground first; arrays of the rays' shape.

    Attributes:
        range_m: along the ray; where it meets no ground that is known, how far it is surely above.
        incidence: sine of the angle between ray and ground, counted on the map: a ray's solid angle
            times range squared over it is the area on the map; at least that of 0.5 deg.
        is_met: it meets the ground, with ground known all the way.
    """

    range_m: Grid
    incidence: Grid
    is_met: NDArray[np.bool_]


class Viewpoint:
    """A camera above a terrain.

    Attributes:
        terrain: that it is above.
        place_m: (east, north) of the camera from the middle of the terrain.
        height_m: of the camera above the ground.
    """

    def __init__(
        self,
        terrain: Terrain,
        place_m: tuple[float, float],
        height_m: float,
        profiles: _Profiles | None = None,
    ) -> None:
        """Look at the ground from a place; profiles of the same place spare the most of it."""
        self.terrain, self.place_m, self.height_m = terrain, place_m, height_m
        self._profiles = profiles or _profiles(terrain, place_m)
        distances, heights = self._profiles.distances_m, self._profiles.heights_m
        eye_m = heights[:, :1] + height_m
        with np.errstate(invalid="ignore", divide="ignore"):
            angles = np.arctan((heights - eye_m) / distances)
        angles = np.where(np.isnan(angles), -math.pi / 2, angles)
        highest = np.maximum.accumulate(angles, axis=1)
        # All profiles in one rising sequence, so that one search finds the place in each.
        self._rising = (highest + _TURN * np.arange(_AZIMUTHS)[:, None]).ravel()

    def at_height(self, height_m: float) -> Viewpoint:
        """Return the same place seen from another height above its ground."""
        return Viewpoint(self.terrain, self.place_m, height_m, self._profiles)

    def meet(self, rays: Grid) -> Hits:
        """Return where rays meet the ground.

        Args:
            rays: (3, ...) unit vectors, east, north and up.
        """
        distances, heights = self._profiles.distances_m, self._profiles.heights_m
        count = len(distances)
        level = np.maximum(np.hypot(rays[0], rays[1]), 1e-9)
        azimuth = np.arctan2(rays[1], rays[0])
        profile = np.round(azimuth * (_AZIMUTHS / math.tau)).astype(np.intp) % _AZIMUTHS
        rise = rays[2] / level
        wanted = np.arctan(rise) + _TURN * profile
        found = np.searchsorted(self._rising, wanted) - profile * count
        is_met = (found > 0) & (found < count)
        after = np.clip(found, 1, count - 1)
        near, far = distances[after - 1], distances[after]
        low, high = heights[profile, after - 1], heights[profile, after]
        is_met &= np.isfinite(low) & np.isfinite(high)
        eye_m = heights[profile, 0] + self.height_m
        below, above = low - eye_m - rise * near, high - eye_m - rise * far
        gap = np.where(is_met, below - above, -1.0)
        share = np.clip(np.where(is_met, below, 0.0) / np.where(gap < 0.0, gap, -1.0), 0.0, 1.0)
        met_m = near + share * (far - near)
        slope = np.where(is_met, (high - low) / (far - near), 0.0)
        incidence = np.maximum(np.abs(rays[2] - slope * level), _FLATTEST)
        left_m = np.where(found == count, self._profiles.known_m[profile], 0.0)
        return Hits(np.where(is_met, met_m, left_m) / level, incidence, is_met)


_TURN = 4.0  # more than the span of the angles of one profile


@dataclass(frozen=True, eq=False)
class _Profiles:
    """The ground along the azimuths around a place.

    Attributes:
        distances_m: (n,) on the map, from 0 on.
        heights_m: (azimuths, n), less the curvature of the Earth; NaN: not known.
        known_m: (azimuths,) distance up to which some of it is known.
    """

    distances_m: Grid
    heights_m: Grid
    known_m: Grid


def _profiles(terrain: Terrain, place_m: tuple[float, float]) -> _Profiles:
    east_m, north_m = place_m
    sides = np.array([terrain.columns - 1, terrain.rows - 1]) * terrain.spacing_m / 2.0
    farthest_m = float((sides + np.abs(place_m)).max())
    distances = [0.0, terrain.spacing_m / 4.0]
    while distances[-1] < farthest_m:
        distances.append(min(distances[-1] * _GROWTH, distances[-1] + terrain.spacing_m))
    distances_m = np.array(distances)
    azimuths = np.arange(_AZIMUTHS) * (math.tau / _AZIMUTHS)
    heights = terrain.height_m(
        east_m + np.cos(azimuths)[:, None] * distances_m,
        north_m + np.sin(azimuths)[:, None] * distances_m,
    )
    known_m = np.where(np.isfinite(heights), distances_m, 0.0).max(axis=1)
    return _Profiles(distances_m, heights - _CURVATURE * distances_m**2, known_m)

"""How large the things are that are looked for, how far away they stand, and how large they look.

Things stand on the ground: level under the camera, or that of a terrain model. Who looks down on a
thing sees less of its height and more of its top: its apparent height is height * cos + width * sin
of the angle below the horizon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.common.core.position import quaternion_rotation
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.terrain import Viewpoint

Grid = NDArray[np.float64]

_FLATTEST = math.sin(math.radians(0.5))  # rays that fall less meet the ground nowhere in particular
_LEVEL = (0.0, 0.0, 0.0, 1.0)
#: (width, height) [m] of what has no size in the settings: small, so that a POD is not too good.
UNKNOWN_SIZE_M = (0.5, 1.0)


@dataclass(frozen=True)
class PodSettings:
    """What the probability of detection (POD) of a search is computed from.

    Raises:
        ConfigurationError: on construction, if a size is none.
    """

    thing_sizes: tuple[tuple[str, str], ...] = setting(
        (
            ("person", "0.5x1.7"),
            ("tent", "3.2x2.0"),
            ("vehicle", "4.4x1.9"),
            ("car", "4.4x1.5"),
            ("truck", "7.0x3.0"),
            ("bus", "11.0x3.2"),
            ("boat", "4.6x1.4"),
            ("smoke", "3.0x6.0"),
            ("backpack", "0.4x0.6"),
            ("dog", "0.9x0.6"),
        ),
        "class=WIDTHxHEIGHT [m] of things that are looked for; others are taken for 0.5x1.0",
    )
    camera_height_m: float = setting(
        math.nan,
        "camera above the ground; .nan: by the fix and ground_height_m or terrain_file, else a"
        " distance is assumed",
    )
    assumed_range_m: float = setting(
        100.0,
        "distance of things where nobody knows the camera's height above the ground",
        minimum=1.0,
        maximum=10_000.0,
    )

    pod_half_life_s: float = setting(
        0.0,
        "after this time half of a cell's POD is left: somebody may have come since; at least 60;"
        " 0: all of it stays",
        minimum=0.0,
        maximum=1e7,
    )

    def __post_init__(self) -> None:
        if not (self.pod_half_life_s == 0.0 or 60.0 <= self.pod_half_life_s <= 1e7):
            raise ConfigurationError(
                f"parameter 'pod_half_life_s' is {self.pod_half_life_s:g}, allowed is 60..1e7 s, "
                "or 0: POD does not age"
            )
        for name, text in self.thing_sizes:
            if size_of(text) is None:
                raise ConfigurationError(
                    f"parameter 'thing_sizes' has '{name}={text}', word=WIDTHxHEIGHT in metres, "
                    "each from 0.01 to 1000, is allowed"
                )
        if not (math.isnan(self.camera_height_m) or 0.1 <= self.camera_height_m <= 1e5):
            raise ConfigurationError(
                f"parameter 'camera_height_m' is {self.camera_height_m:g}, allowed is 0.1..100000, "
                "or .nan: not known"
            )

    def size_m(self, class_name: str) -> tuple[float, float]:
        """Return (width, height) [m] of a class."""
        texts = [text for name, text in self.thing_sizes if name == class_name]
        return (size_of(texts[-1]) if texts else None) or UNKNOWN_SIZE_M

    def knows_size(self, class_name: str) -> bool:
        """Return whether somebody has told how large things of a class are."""
        return any(name == class_name for name, _ in self.thing_sizes)


def size_of(text: str) -> tuple[float, float] | None:
    """Return (width, height) [m] of a text such as "0.5x1.7"; None: it is none."""
    try:
        width, height = (float(part) for part in text.split("x"))
    except ValueError:
        return None
    return (width, height) if all(0.01 <= side <= 1000.0 for side in (width, height)) else None


@dataclass(frozen=True)
class Ground:
    """The ground under the camera.

    Attributes:
        height_m: of the camera above it, > 0; NaN: not known.
        quaternion_xyzw: turns vectors of the base frame so that z is up, and x east where there is
            a viewpoint.
        viewpoint: of the camera above the terrain; None: the ground is level.
    """

    height_m: float = math.nan
    quaternion_xyzw: tuple[float, float, float, float] = _LEVEL
    viewpoint: Viewpoint | None = None

    def __post_init__(self) -> None:
        if not math.isnan(self.height_m):
            check_range("height_m", self.height_m, above=0.0)

    @property
    def is_known(self) -> bool:
        """Return whether distances follow from it."""
        return self.height_m > 0.0

    def is_like(self, other: Ground) -> bool:
        """Return whether distances by both are the same within a few per cent."""
        if self.is_known != other.is_known or self.viewpoint is not other.viewpoint:
            return False
        if self.is_known and abs(self.height_m / other.height_m - 1.0) > 0.03:
            return False
        pairs = zip(self.quaternion_xyzw, other.quaternion_xyzw, strict=True)
        return abs(sum(a * b for a, b in pairs)) > math.cos(math.radians(0.5))


@dataclass(frozen=True, eq=False)
class CellRanges:
    """How far away the ground is in the cells of a map; all are (rows, columns).

    Attributes:
        range_m: from the camera.
        falling: sine of the angle between ray and horizon, at least that of 0.5 deg.
        weights: area on the map of the ground behind each cell, in any unit; where ranges are
            assumed the solid angle; 0 where a ray meets no ground.
        is_assumed: nobody knows the height: all have the same range.
        is_by_terrain: by a terrain model; what it does not know is level.
    """

    range_m: Grid
    falling: Grid
    weights: Grid
    is_assumed: bool
    is_by_terrain: bool = False

    @property
    def source(self) -> str:
        """Return where they come from, in words."""
        if self.is_assumed:
            return "assumed"
        return "terrain model" if self.is_by_terrain else "level ground"

    def sizes_rad(self, size_m: tuple[float, float]) -> Grid:
        """Return the longer angular side of a thing in each cell, (rows, columns) [rad]."""
        width, height = size_m
        upright = height * np.sqrt(1.0 - self.falling**2) + width * self.falling
        return np.asarray(np.maximum(width, upright) / self.range_m)


def cell_ranges(yaw_rad: Grid, pitch_rad: Grid, ground: Ground, assumed_m: float) -> CellRanges:
    """Return how far away the ground is at bearings.

    Args:
        yaw_rad: (columns) of the middles of cells.
        pitch_rad: (rows), nose down is positive.
    """
    x, y, z, w = np.array(ground.quaternion_xyzw) / math.hypot(*ground.quaternion_xyzw)
    level = np.cos(pitch_rad)[:, None]
    # The third row of the rotation: how far up a vector of the base frame points.
    up = (2 * (x * z - y * w)) * level * np.cos(yaw_rad)[None]
    up = up + (2 * (y * z + x * w)) * level * np.sin(yaw_rad)[None]
    up = up - (1 - 2 * (x * x + y * y)) * np.sin(pitch_rad)[:, None]
    falling = np.minimum(np.maximum(-up, _FLATTEST), 1.0)
    solid = np.broadcast_to(level, falling.shape)
    if not ground.is_known:
        return CellRanges(np.full(falling.shape, assumed_m), falling, solid, is_assumed=True)
    range_m = ground.height_m / falling
    if ground.viewpoint is not None:
        rays = rays_up(yaw_rad, pitch_rad, ground.quaternion_xyzw)
        return _over_terrain(rays, solid, range_m, ground.viewpoint)
    return CellRanges(range_m, falling, solid * range_m**2 / falling, is_assumed=False)


def rays_up(yaw_rad: Grid, pitch_rad: Grid, quaternion_xyzw: tuple[float, ...]) -> Grid:
    """Return (3, rows, columns) unit vectors, east, north, up, of bearings; see `cell_ranges`."""
    x, y, z, w = quaternion_xyzw
    level = np.cos(pitch_rad)[:, None]
    base = [level * np.cos(yaw_rad)[None], level * np.sin(yaw_rad)[None], -np.sin(pitch_rad)]
    base[2] = np.broadcast_to(base[2][:, None], base[0].shape)
    return np.asarray(np.tensordot(quaternion_rotation((x, y, z, w)), np.stack(base), 1))


def _over_terrain(rays: Grid, solid: Grid, level_m: Grid, viewpoint: Viewpoint) -> CellRanges:
    """Return ranges by a terrain; beyond it falling rays meet level ground, others none.

    Args:
        level_m: (rows, columns) ranges if the ground were level.
    """
    hits = viewpoint.meet(rays)
    range_m = np.where(hits.is_met, hits.range_m, np.maximum(hits.range_m, level_m))
    falls = -rays[2] > _FLATTEST
    incidence = np.where(hits.is_met, hits.incidence, np.maximum(-rays[2], _FLATTEST))
    weights = np.where(hits.is_met | falls, solid * range_m**2 / incidence, 0.0)
    falling = np.clip(np.abs(rays[2]), _FLATTEST, 1.0)
    return CellRanges(range_m, falling, weights, is_assumed=False, is_by_terrain=True)

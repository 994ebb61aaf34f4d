"""What is known of the ground under the camera: its height, how the base is turned, the terrain.

A terrain model gives the shape of the ground; how high the camera is above the ground where it
stands comes first from `camera_height_m`, so that it does not matter what the model's heights count
from; else from the fix, where that is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pymap3d

from semantic_detection_pkg.common.core.position import quaternion_rotation
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Bearing
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain, Viewpoint
from semantic_detection_pkg.scan.core.thing_sizes import Ground, rays_up

Place = tuple[float, float]
"""(latitude, longitude) [deg], WGS 84."""

_FARTHEST_M = 50_000.0  # of places that somebody means to look at
_HEIGHT_MAX_M = 1e5  # a receiver that says more has no fix
_LEAST_MOVE_M = 2.0  # of the place, or half a cell of the terrain: less is a receiver's noise
_HEIGHT_SHARE, _HEIGHT_STEP_M = 0.03, 1.0  # likewise of the height


class GroundModel:
    """The ground by the newest fix, attitude and terrain model.

    Attributes:
        terrain: None: there is no model.
    """

    def __init__(self, settings: ScanSettings) -> None:
        """Begin with what the settings say."""
        self.terrain: Terrain | None = None
        self._settings = settings
        self._viewpoint: Viewpoint | None = None

    def ground(self, fix: Fix | None, attitude: BaseAttitude | None) -> Ground:
        """Return the ground, as far as it is known."""
        terrain = self.terrain
        if terrain is not None and fix is not None and attitude is not None:
            viewpoint = self._view(terrain, fix)
            if viewpoint is not None:
                return Ground(viewpoint.height_m, attitude.quaternion_xyzw, viewpoint)
        height_m = self._height_m(fix)
        return Ground(height_m) if attitude is None else Ground(height_m, attitude.quaternion_xyzw)

    def height_at_m(
        self, bearing: Bearing, fix: Fix | None, attitude: BaseAttitude | None
    ) -> float:
        """Return the height of the ground that a bearing meets, above the ellipsoid. [m]

        By the terrain where it is known; else that of the settings, NaN where they have none.
        """
        viewpoint = self.ground(fix, attitude).viewpoint
        if viewpoint is not None and fix is not None and attitude is not None:
            yaw, pitch = (np.array([angle]) for angle in bearing)
            ray = rays_up(yaw, pitch, attitude.quaternion_xyzw)[:, 0]
            hits = viewpoint.meet(ray)
            if hits.is_met[0]:
                return fix.altitude_m + float(ray[2, 0] * hits.range_m[0])
        return self._settings.ground_height_m

    def bearings_of(
        self, places: Sequence[Place], fix: Fix | None, attitude: BaseAttitude | None
    ) -> list[Bearing]:
        """Return where places on the ground lie as seen from the base; ridges hide nothing.

        Args:
            places: (latitude, longitude) [deg], WGS 84.

        Raises:
            ConfigurationError: the base's place, attitude or height is not known, or a place makes
                no sense; one line.
        """
        if fix is None or not _is_place(fix):
            raise ConfigurationError(
                "where the robot is is not known: no fix has come, or none lately"
            )
        if attitude is None:
            raise ConfigurationError("how the robot is turned is not known: no imu has told it")
        ground = self.ground(fix, attitude)
        if not ground.is_known:
            raise ConfigurationError(
                "how high the camera is above the ground is not known: give camera_height_m, or "
                "ground_height_m"
            )
        for latitude, longitude in places:
            if not (abs(latitude) <= 90.0 and abs(longitude) <= 360.0):
                raise ConfigurationError(
                    f"place latitude {latitude:g}, longitude {longitude:g}: allowed is -90..90, "
                    "-360..360"
                )
        latitudes, longitudes = np.array(places, np.float64).reshape(-1, 2).T
        origin = fix.latitude_deg, fix.longitude_deg, fix.altitude_m
        ground_m = fix.altitude_m - ground.height_m
        east, north, up = pymap3d.geodetic2enu(latitudes, longitudes, ground_m, *origin)
        far_m = np.hypot(east, north)
        if (far_m > _FARTHEST_M).any():
            at = int(np.argmax(far_m))
            raise ConfigurationError(
                f"place latitude {latitudes[at]:g}, longitude {longitudes[at]:g} is "
                f"{far_m[at] / 1000.0:.0f} km from the robot, at most {_FARTHEST_M / 1000.0:g} km "
                "are allowed; GeoJSON has the longitude first"
            )
        if ground.viewpoint is not None:
            terrain, (aside, ahead) = ground.viewpoint.terrain, ground.viewpoint.place_m
            higher = terrain.height_m(east + aside, north + ahead)
            up = up + np.nan_to_num(higher - terrain.height_at((aside, ahead)))
        turn = quaternion_rotation(attitude.quaternion_xyzw)
        x, y, z = turn.T @ np.stack([east, north, up])
        yaw, pitch = np.arctan2(y, x), np.arctan2(-z, np.hypot(x, y))
        return list(zip(yaw.tolist(), pitch.tolist(), strict=True))

    def _view(self, terrain: Terrain, fix: Fix) -> Viewpoint | None:
        """Return the viewpoint of now; None where the terrain or the height is not known."""
        if not _is_place(fix):
            return None
        place_m = terrain.offset_m(fix.latitude_deg, fix.longitude_deg)
        here_m = terrain.height_at(place_m)
        height_m = self._height_m(fix, here_m + terrain.zero_m)
        if math.isnan(here_m) or math.isnan(height_m):
            return None
        known = self._viewpoint
        if known is None or known.terrain is not terrain or _has_moved(known, place_m):
            known = Viewpoint(terrain, place_m, height_m)
        elif abs(height_m - known.height_m) > max(_HEIGHT_SHARE * height_m, _HEIGHT_STEP_M):
            known = known.at_height(height_m)
        self._viewpoint = known
        return known

    def _height_m(self, fix: Fix | None, terrain_m: float = math.nan) -> float:
        """Return the camera's height above the ground; NaN: not known. [m]

        Args:
            terrain_m: of the ground under it by the terrain, above the ellipsoid; NaN: not known.
        """
        height_m = self._settings.pod.camera_height_m
        if math.isnan(height_m) and fix is not None:
            ground_m = self._settings.ground_height_m if math.isnan(terrain_m) else terrain_m
            height_m = fix.altitude_m - ground_m  # NaN where that is not known
        return height_m if 0.0 < height_m <= _HEIGHT_MAX_M else math.nan


def _is_place(fix: Fix) -> bool:
    is_on_earth = abs(fix.latitude_deg) <= 90.0 and abs(fix.longitude_deg) <= 360.0
    return is_on_earth and math.isfinite(fix.altitude_m)


def _has_moved(known: Viewpoint, place_m: tuple[float, float]) -> bool:
    moved_m = math.dist(known.place_m, place_m)
    return moved_m > max(known.terrain.spacing_m / 2.0, _LEAST_MOVE_M)

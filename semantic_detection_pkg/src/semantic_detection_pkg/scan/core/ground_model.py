"""What is known of the ground under the camera: its height, how the base is turned, the terrain.

A terrain model gives the shape of the ground; how high the camera is above the ground where it
stands comes first from `camera_height_m`, so that it does not matter what the model's heights count
from; else from the fix, where that is known.
"""

from __future__ import annotations

import math

import numpy as np

from semantic_detection_pkg.scan.core.area import Bearing
from semantic_detection_pkg.scan.core.inputs_and_decisions import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain, Viewpoint
from semantic_detection_pkg.scan.core.thing_sizes import Ground, rays_up

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

    def _view(self, terrain: Terrain, fix: Fix) -> Viewpoint | None:
        """Return the viewpoint of now; None where the terrain or the height is not known."""
        if not (abs(fix.latitude_deg) <= 90.0 and math.isfinite(fix.longitude_deg)):
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
        return height_m if 0.0 < height_m < _HEIGHT_MAX_M else math.nan


def _has_moved(known: Viewpoint, place_m: tuple[float, float]) -> bool:
    moved_m = math.dist(known.place_m, place_m)
    return moved_m > max(known.terrain.spacing_m / 2.0, _LEAST_MOVE_M)

"""The probability of detection on the ground as GeoJSON (RFC 7946), for maps and GIS programs.

Each cell that was looked at is a polygon: its four corners on level ground below the camera. What
the cells of a column show lies behind each other, the far ones large.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pymap3d
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.geojson import feature_collection
from semantic_detection_pkg.common.core.position import quaternion_rotation

_FLATTEST = math.sin(math.radians(0.5))
_DIGITS = 7  # of degrees: a centimetre
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))

Matrix = NDArray[np.float64]


def pod_geojson(message: Any) -> dict[str, Any] | None:
    """Return the document of a message of type Coverage.

    Returns:
        None where it has no POD, or where the base's position or the ground is not known.
    """
    if not getattr(message, "has_position", False) or message.is_range_assumed:
        return None  # recordings of before have none
    rows, columns = int(message.rows), int(message.columns)
    numbers = [message.range_m, message.look_counts, *(one.pod_percent for one in message.classes)]
    if not message.classes or any(len(one) != rows * columns for one in numbers):
        return None
    cell = float(message.cell_rad)
    yaw = message.yaw_min_rad + cell * (np.arange(columns) + 0.5)
    pitch = message.pitch_min_rad + cell * (np.arange(rows) + 0.5)
    x, y, z, w = (float(one) for one in message.orientation_xyzw)
    turn = quaternion_rotation((x, y, z, w))
    yaw, pitch = np.tile(yaw, rows), np.repeat(pitch, columns)
    middle = _rays(turn, yaw, pitch)
    falls = -middle[2] > _FLATTEST
    if not falls.any():
        return None
    ranges = np.asarray(message.range_m, np.float64)
    height_m = float(np.median((ranges * -middle[2])[falls]))
    corners = [_rays(turn, yaw + dx * cell, pitch + dy * cell) for dx, dy in _CORNERS]
    shown = (np.asarray(message.look_counts) > 0) & falls
    for ray in corners:
        shown &= -ray[2] > _FLATTEST
    cells = np.flatnonzero(shown)
    rings = np.stack([_on_ground(message, ray[:, cells], height_m) for ray in corners], axis=1)
    return feature_collection(
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            "properties": {
                **{f"pod_{one.class_name}": int(one.pod_percent[at]) for one in message.classes},
                "looks": int(message.look_counts[at]),
                "range_m": round(float(ranges[at]), 1),
            },
        }
        for at, ring in zip(cells.tolist(), rings.tolist(), strict=True)
    )


def _rays(turn: Matrix, yaw: Matrix, pitch: Matrix) -> Matrix:
    """Return (3, n) unit vectors, east, north and up, of bearings from the base."""
    level = np.cos(pitch)
    base = np.stack([level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)])
    return np.asarray(turn @ base)


def _on_ground(message: Any, rays: Matrix, height_m: float) -> Matrix:
    """Return (n, 2) longitude and latitude [deg] where falling rays meet the ground."""
    east, north = rays[:2] * (height_m / -rays[2])
    place = float(message.latitude_deg), float(message.longitude_deg), float(message.altitude_m)
    latitude, longitude, _ = pymap3d.enu2geodetic(east, north, -height_m, *place)
    return np.round(np.stack([longitude, latitude], axis=1), _DIGITS)

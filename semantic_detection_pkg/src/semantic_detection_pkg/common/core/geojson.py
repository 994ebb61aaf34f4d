"""Findings as GeoJSON (RFC 7946): a point and its 1-sigma ellipse, in WGS 84."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pymap3d

from semantic_detection_pkg.common.core.position import Position

_ELLIPSE_POINTS = 48
_DIGITS = 7  # of degrees: a centimetre


def feature_collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the GeoJSON document."""
    return {"type": "FeatureCollection", "features": list(features)}


def features(position: Position, properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the point and, where it has a size, the ellipse.

    Args:
        properties: of both; `part` is added.
    """
    point = [
        *_lon_lat(position.longitude_deg, position.latitude_deg),
        round(position.altitude_m, 2),
    ]
    found = [_feature({"type": "Point", "coordinates": point}, {**properties, "part": "position"})]
    if position.ellipse_major_m > 0.0 and math.isfinite(position.ellipse_major_m):
        ring = {"type": "Polygon", "coordinates": [_ellipse(position)]}
        found.append(_feature(ring, {**properties, "part": "ellipse of 1 sigma"}))
    return found


def ellipse_enu(position: Position, points: int = _ELLIPSE_POINTS) -> list[tuple[float, float]]:
    """Return the ellipse's outline as (east, north) [m] from its middle, counterclockwise, open."""
    heading = position.ellipse_heading_rad
    outline = []
    for index in range(points):
        angle = -math.tau * index / points  # headings turn clockwise, rings must not
        along = position.ellipse_major_m * math.cos(angle)
        across = position.ellipse_minor_m * math.sin(angle)
        outline.append(
            (
                along * math.sin(heading) + across * math.cos(heading),
                along * math.cos(heading) - across * math.sin(heading),
            )
        )
    return outline


def _ellipse(position: Position) -> list[list[float]]:
    ring = []
    for east, north in ellipse_enu(position):
        latitude, longitude, _ = pymap3d.enu2geodetic(
            east,
            north,
            0.0,
            position.latitude_deg,
            position.longitude_deg,
            position.altitude_m,
        )
        ring.append(_lon_lat(float(longitude), float(latitude)))
    return [*ring, ring[0]]


def _lon_lat(longitude_deg: float, latitude_deg: float) -> list[float]:
    return [round(longitude_deg, _DIGITS), round(latitude_deg, _DIGITS)]


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}

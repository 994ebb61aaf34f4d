"""Findings as GeoJSON (RFC 7946): a point and its 1-sigma ellipse, in WGS 84.

What crosses the meridian of 180 degrees is cut there into two parts (section 3.1.9).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pymap3d

from semantic_detection_pkg.common.core.coordinates import DEGREE_DIGITS, wrapped_longitude
from semantic_detection_pkg.common.core.position import Position

_ELLIPSE_POINTS = 48

Point = tuple[float, float]
#: Closed, (longitude, latitude) [deg] of each corner.
Ring = list[list[float]]


def feature_collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the GeoJSON document."""
    return {"type": "FeatureCollection", "features": list(features)}


def features(position: Position, properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the point and, where it has a size, the ellipse.

    Args:
        properties: of both; `part` is added.
    """
    point = [*lon_lat(position), round(position.altitude_m, 2)]
    found = [_feature({"type": "Point", "coordinates": point}, {**properties, "part": "position"})]
    rings = [[ring] for ring in ellipse_rings(position)]
    if rings:
        shape = (
            {"type": "Polygon", "coordinates": rings[0]}
            if len(rings) == 1
            else {"type": "MultiPolygon", "coordinates": rings}
        )
        found.append(_feature(shape, {**properties, "part": "ellipse of 1 sigma"}))
    return found


def lon_lat(position: Position) -> list[float]:
    """Return longitude, -180..180, and latitude [deg], to a centimetre."""
    return _lon_lat(position.longitude_deg, position.latitude_deg)


def ellipse_rings(position: Position) -> list[Ring]:
    """Return the outline of the 1-sigma ellipse, counterclockwise.

    Returns:
        One ring, two where the meridian of 180 degrees cuts it, none where it has no size.
    """
    if not 0.0 < position.ellipse_major_m < math.inf:
        return []
    middle = wrapped_longitude(position.longitude_deg)
    open_ring = []
    for east, north in ellipse_enu(position):
        latitude, longitude, _ = pymap3d.enu2geodetic(
            east, north, 0.0, position.latitude_deg, middle, position.altitude_m
        )
        open_ring.append((middle + math.remainder(longitude - middle, 360.0), float(latitude)))
    border = math.copysign(180.0, middle)
    parts = [_beyond(open_ring, border, side) for side in (-1.0, 1.0)]
    rings = []
    for part in filter(None, parts):
        turns = round((sum(x for x, _ in part) / len(part)) / 360.0)
        ring = [[round(x - 360.0 * turns, DEGREE_DIGITS), round(y, DEGREE_DIGITS)] for x, y in part]
        rings.append([*ring, ring[0]])
    return rings


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


def _beyond(ring: list[Point], border: float, side: float) -> list[Point]:
    """Return the part of a convex ring on one side of a meridian (Sutherland and Hodgman)."""
    kept: list[Point] = []
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        over, next_over = side * (here[0] - border), side * (there[0] - border)
        if over >= 0.0:
            kept.append(here)
        if over * next_over < 0.0:
            share = over / (over - next_over)
            kept.append((border, here[1] + share * (there[1] - here[1])))
    return kept if len(kept) > 2 else []


def _lon_lat(longitude_deg: float, latitude_deg: float) -> list[float]:
    return [
        wrapped_longitude(round(longitude_deg, DEGREE_DIGITS)),
        round(latitude_deg, DEGREE_DIGITS),
    ]


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}

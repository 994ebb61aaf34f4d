"""Weights of an area from a map: polygons of GeoJSON (RFC 7946) with a property `weight`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.weights import (
    MAX_VERTICES,
    WEIGHT_MAX,
    WeightedArea,
    check_weight_counts,
    crossing_edges,
    crossing_text,
)

Place = tuple[float, float]
"""(latitude, longitude) [deg], WGS 84."""

_PIECES_MAX = 8  # of an edge: straight on the ground it is bent as seen from the robot
_DIGITS = 5  # of angles in radians
_TOUCHING_DEG = 1e-8  # a millimetre: edges that touch do not cross
_LARGEST = 1e9  # of numbers: JSON has them of any length


@dataclass(frozen=True)
class WeightedRing:
    """A polygon on the ground: its corners, and places on its edges between them.

    Attributes:
        name: in words, for people.
    """

    name: str
    places: tuple[Place, ...]
    weight: float


def rings_of(document: Any) -> list[WeightedRing]:
    """Return the polygons of a GeoJSON document.

    Raises:
        ConfigurationError: it is none, or has something else; the line says what and where.
    """
    kind = document.get("type") if isinstance(document, dict) else None
    features = document.get("features") if kind == "FeatureCollection" else [document]
    if kind not in ("FeatureCollection", "Feature") or not isinstance(features, list):
        raise ConfigurationError(
            "no GeoJSON: a FeatureCollection or a Feature with polygons is allowed"
        )
    _check_system(document)
    rings: list[WeightedRing] = []
    for number, feature in enumerate(features, 1):
        rings += _rings_of(f"feature {number}", feature)
    if not rings:
        raise ConfigurationError("the map has no polygons")
    check_weight_counts([len(one.places) for one in rings])
    return rings


def parts_of(
    rings: Sequence[WeightedRing], bearings: Sequence[tuple[float, float]]
) -> list[WeightedArea]:
    """Return polygons as seen from the robot.

    Args:
        bearings: (yaw, pitch) [rad] of the places of all, one after the other.

    Raises:
        ConfigurationError: a polygon goes all round the robot, or there are not as many bearings.
    """
    if sum(len(one.places) for one in rings) != len(bearings):
        raise ConfigurationError(f"{len(bearings)} bearings were told for another number of places")
    parts = []
    start = 0
    for one in rings:
        seen = bearings[start : start + len(one.places)]
        start += len(one.places)
        steps = zip(seen, (*seen[1:], seen[0]), strict=True)
        around = sum(math.remainder(after[0] - before[0], math.tau) for before, after in steps)
        if abs(around) > math.pi:
            raise ConfigurationError(
                f"{one.name} goes all round the robot: draw it as parts that do not"
            )
        vertices = tuple((round(yaw, _DIGITS), round(pitch, _DIGITS)) for yaw, pitch in seen)
        parts.append(WeightedArea(vertices, one.weight))
    return parts


def _check_system(document: Any) -> None:
    """Refuse the coordinates of before RFC 7946 where they are of another system."""
    system = document.get("crs")
    properties = system.get("properties") if isinstance(system, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if system is not None and not str(name).endswith(("CRS84", "EPSG::4326", "EPSG:4326")):
        raise ConfigurationError(
            f"its coordinates are of system {name!r:.60}, longitude and latitude of WGS 84 are "
            "allowed (RFC 7946)"
        )


def _rings_of(name: str, feature: Any) -> list[WeightedRing]:
    geometry: Any = feature.get("geometry") if isinstance(feature, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise ConfigurationError(
            f"{name} has geometry {kind!r:.40}, 'Polygon' and 'MultiPolygon' are allowed"
        )
    properties = feature.get("properties")
    weight: Any = properties.get("weight") if isinstance(properties, dict) else None
    if not _is_number(weight) or not 0.0 <= weight <= WEIGHT_MAX:
        given = "none" if weight is None else repr(weight)[:40]
        raise ConfigurationError(
            f"{name} has weight {given}, a property 'weight' of 0..{WEIGHT_MAX:g} is needed"
        )
    given = geometry.get("coordinates")
    polygons = [given] if kind == "Polygon" else given
    if not isinstance(polygons, list) or not all(isinstance(one, list) and one for one in polygons):
        raise ConfigurationError(f"{name} has no coordinates of a {kind}")
    if any(len(one) > 1 for one in polygons):
        raise ConfigurationError(f"{name} has a hole: give that as a feature of its own, after it")
    return [WeightedRing(name, _places(name, rings[0]), float(weight)) for rings in polygons]


def _places(name: str, ring: Any) -> tuple[Place, ...]:
    """Return corners and places between them; the ring's last position is its first."""
    if not isinstance(ring, list) or not all(
        isinstance(one, list) and len(one) >= 2 and all(map(_is_number, one[:2])) for one in ring
    ):
        raise ConfigurationError(f"{name} has a ring that is no list of [longitude, latitude]")
    corners = [(float(one[1]), float(one[0])) for one in ring]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    if not 3 <= len(corners) <= MAX_VERTICES:
        raise ConfigurationError(
            f"{name} has {len(corners)} corners, 3..{MAX_VERTICES} are allowed"
        )
    for latitude, longitude in corners:
        if not (abs(latitude) <= 90.0 and abs(longitude) <= 360.0):
            raise ConfigurationError(
                f"{name} has a corner at longitude {longitude:g}, latitude {latitude:g}: allowed "
                "is -360..360, -90..90"
            )
    latitudes, longitudes = np.array(corners).T
    outline = np.column_stack([latitudes, np.unwrap(longitudes, period=360.0)])
    if crossed := crossing_edges(outline, _TOUCHING_DEG):
        raise ConfigurationError(f"{name} {crossing_text(*crossed)}")
    pieces = max(1, min(_PIECES_MAX, MAX_VERTICES // len(corners)))
    places = []
    for (latitude, longitude), (to_latitude, to_longitude) in zip(
        corners, (*corners[1:], corners[0]), strict=True
    ):
        for piece in range(pieces):
            share = piece / pieces
            places.append(
                (
                    latitude + share * (to_latitude - latitude),
                    longitude + share * (to_longitude - longitude),
                )
            )
    return tuple(places)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_one and -_LARGEST < value < _LARGEST  # NaN is neither

"""Shapes that people draw on a map, and the range of pan and tilt that holds one. Pure.

ATAK's shapes: a polygon or freehand drawing (`u-d-f`) and a rectangle (`u-d-r`) have a `link` for
each corner, a circle (`u-d-c-c`) an `ellipse` with its half axes in metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pymap3d

Place = tuple[float, float]
"""(latitude, longitude) [deg], WGS 84."""
Bearing = tuple[float, float]
"""(yaw, pitch) [rad] REP 103."""

CORNERS_MIN, CORNERS_MAX = 3, 100
RADIUS_MAX_M = 50_000.0
_CIRCLE_CORNERS = 36
_PARTS = 8  # of an edge: between its ends it may come nearer to the robot
_LEAST_SPAN_RAD = math.radians(1.0)


@dataclass(frozen=True)
class BearingRange:
    """The least range that holds a shape, as `ScanArea` has it; across straight behind beyond pi.

    Attributes:
        yaw_min_rad, yaw_max_rad: at most a turn apart.
        pitch_min_rad, pitch_max_rad: the first below the second.
    """

    yaw_min_rad: float
    yaw_max_rad: float
    pitch_min_rad: float
    pitch_max_rad: float


def polygon(corners: Sequence[Place]) -> tuple[Place, ...]:
    """Return the corners of a polygon, each once; empty: they make none.

    Of more than `CORNERS_MAX` every second, third .. is left: a freehand line has hundreds.
    """
    if not all(abs(lat) <= 90.0 and abs(lon) <= 360.0 for lat, lon in corners):
        return ()
    once = [one for one, before in zip(corners, (None, *corners), strict=False) if one != before]
    if len(once) > 1 and once[0] == once[-1]:
        once.pop()
    step = -(-len(once) // CORNERS_MAX) or 1
    return tuple(once[::step]) if len(set(once)) >= CORNERS_MIN else ()


def ellipse(centre: Place, major_m: float, minor_m: float, angle_deg: float) -> tuple[Place, ...]:
    """Return corners of an ellipse; empty: it has no size, or one of no search.

    Args:
        major_m, minor_m: half axes.
        angle_deg: of the major axis, from north by east.
    """
    sizes_are_sane = all(0.0 < size <= RADIUS_MAX_M for size in (major_m, minor_m))
    if not (sizes_are_sane and math.isfinite(angle_deg) and abs(centre[0]) < 89.0):
        return ()
    heading = math.radians(angle_deg)
    corners = []
    for number in range(_CIRCLE_CORNERS):
        turn = math.tau * number / _CIRCLE_CORNERS
        along, aside = major_m * math.cos(turn), minor_m * math.sin(turn)
        east = along * math.sin(heading) + aside * math.cos(heading)
        north = along * math.cos(heading) - aside * math.sin(heading)
        latitude, longitude, _ = pymap3d.enu2geodetic(east, north, 0.0, *centre, 0.0)
        corners.append((float(latitude), float(longitude)))
    return polygon(corners)


def along_edges(corners: Sequence[Place]) -> list[Place]:
    """Return the corners and points between them."""
    found = []
    for (lat, lon), (next_lat, next_lon) in zip(corners, (*corners[1:], corners[0]), strict=True):
        across = math.remainder(next_lon - lon, 360.0)
        for part in range(_PARTS):
            share = part / _PARTS
            found.append((lat + share * (next_lat - lat), lon + share * across))
    return found


def range_of(outline: Sequence[Bearing]) -> BearingRange:
    """Return the range that holds a closed outline of bearings, one after the other.

    An outline that goes round the robot has it inside: then all around, and down to its feet.

    Raises:
        ValueError: it is no outline.
    """
    if len(outline) < CORNERS_MIN or not all(map(math.isfinite, sum(outline, ()))):
        raise ValueError("the shape has no outline")
    yaws = [outline[0][0]]
    for (before, _), (after, _) in zip(outline, (*outline[1:], outline[0]), strict=True):
        yaws.append(yaws[-1] + math.remainder(after - before, math.tau))
    pitches = [pitch for _, pitch in outline]
    if abs(yaws[-1] - yaws[0]) > math.pi:
        return BearingRange(-math.pi, math.pi, min(pitches), math.pi / 2.0)
    yaw = _widened(min(yaws), max(yaws))
    turn = math.tau * round((yaw[0] + yaw[1]) / 2.0 / math.tau)
    low, high = _widened(min(pitches), max(pitches))
    return BearingRange(yaw[0] - turn, yaw[1] - turn, low, min(high, math.pi / 2.0))


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is not less than the least: far away a field is a line."""
    lacking = max(0.0, _LEAST_SPAN_RAD - (high - low)) / 2.0
    return low - lacking, high + lacking

"""CSV (RFC 4180): all findings, those without a position, too, which no map can show."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from semantic_detection_pkg.common.core.coordinates import (
    DEGREE_DIGITS,
    degrees_and_minutes,
    mgrs_of,
    radio_text,
    radius_95_m,
    utm_of,
    wrapped_longitude,
)
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.map_files.items import (
    MapFinding,
    MapMission,
    comments_text,
    review_text,
    time_text,
)

_OF_FINDING = ("number", "name", "class_name", "state", "score", "time_utc")
_OF_POSITION = (
    *("latitude_deg", "longitude_deg", "altitude_ellipsoid_m"),
    *("sigma_major_m", "sigma_minor_m", "sigma_heading_deg", "radius_95_m", "range_m"),
    *("utm_zone", "utm_easting_m", "utm_northing_m", "mgrs", "degrees_minutes"),
)
_AT_THE_END = ("radio", "yaw_deg", "pitch_deg", "decided_by", "review", "comments", "id", "picture")
COLUMNS = (*_OF_FINDING, *_OF_POSITION, *_AT_THE_END)
#: What a spreadsheet would take for the beginning of a formula; East Asian ones the wide ones, too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table(mission: MapMission) -> bytes:
    """Return the table, with a byte-order mark: spreadsheets take it for Latin-1 without."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(map(_row, mission.findings))
    return text.getvalue().encode("utf-8-sig")


def numbers_of(position: Position) -> dict[str, Any]:
    """Return a position and its accuracy in all notations, by column; UTM may be missing."""
    latitude_deg = position.latitude_deg
    longitude_deg = wrapped_longitude(position.longitude_deg)
    numbers: dict[str, Any] = {
        "latitude_deg": round(latitude_deg, DEGREE_DIGITS),
        "longitude_deg": round(longitude_deg, DEGREE_DIGITS),
        "altitude_ellipsoid_m": round(position.altitude_m, 2),
        "sigma_major_m": round(position.ellipse_major_m, 2),
        "sigma_minor_m": round(position.ellipse_minor_m, 2),
        "sigma_heading_deg": round(math.degrees(position.ellipse_heading_rad), 1),
        "radius_95_m": round(radius_95_m(position), 2),
        "degrees_minutes": degrees_and_minutes(latitude_deg, longitude_deg),
    }
    if math.isfinite(position.range_m):
        numbers["range_m"] = round(position.range_m, 1)
    utm = utm_of(latitude_deg, longitude_deg)
    if utm is not None:
        numbers |= {
            "utm_zone": f"{utm.zone}{utm.band}",
            "utm_easting_m": round(utm.easting_m, 3),
            "utm_northing_m": round(utm.northing_m, 3),
            "mgrs": mgrs_of(latitude_deg, longitude_deg),
        }
    return numbers


def _row(one: MapFinding) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": one.number,
        "name": _harmless(one.name),
        "class_name": _harmless(one.class_name),
        "state": _harmless(one.state),
        "score": f"{one.score:.3f}",
        "time_utc": time_text(one.time_ns),
        "yaw_deg": f"{math.degrees(one.yaw_rad):.2f}",
        "pitch_deg": f"{math.degrees(one.pitch_rad):.2f}",
        "decided_by": _harmless(one.decided_by),
        "review": _harmless(review_text(one.review)),
        "comments": _harmless(comments_text(one.review)),
        "id": _harmless(one.finding_id),
        "picture": _harmless(one.place),
    }
    if one.position is not None:
        numbers = numbers_of(one.position)
        for name in ("latitude_deg", "longitude_deg"):
            numbers[name] = f"{numbers[name]:.{DEGREE_DIGITS}f}"
        row |= {**numbers, "radio": _harmless(radio_text(one.name, one.position))}
    return row


def _harmless(text: str) -> str:
    """Return text of strangers that no spreadsheet computes."""
    shown = " ".join(text.split())
    return f"'{shown}" if shown.startswith(_FORMULA) else shown

"""Messages as JSON values, field by field under their own names.

NaN and infinity become null, times become nanoseconds in decimal text (beyond the integers of
JavaScript), and numbers that the message names by constants become the name: `link` 3 is "up".
Messages of rclpy and those that rosbags reads from a bag are the same here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import names_of

_DIGITS = 6  # significant; a float32 has no more
_DIGITS_OF_PLACES = 11  # of latitudes and longitudes, which are doubles: 0.1 mm
_PLACES = ("latitude_deg", "longitude_deg")


def as_plain(message: Any, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return a message as a dictionary; the header is only its stamp.

    Args:
        without: fields of the outermost message to leave out.
    """
    message_type: Any = type(message)
    plain: dict[str, Any] = {}
    for field in _fields_of(message):
        if field in without:
            continue
        value = getattr(message, field)
        if field == "header":
            plain["stamp_ns"] = str(from_time(value.stamp))
        elif isinstance(value, int) and (names := names_of(message_type, field)):
            plain[field] = names[value].lower() if value in names else value
        elif field in _PLACES:
            plain[field] = finite(value, _DIGITS_OF_PLACES)
        else:
            plain[field] = _plain(value)
    return plain


def finite(value: float, digits: int = _DIGITS) -> float | None:
    """Return a number that JSON can hold, with the digits that count."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def _fields_of(message: Any) -> Iterator[str]:
    if hasattr(message, "get_fields_and_field_types"):
        yield from message.get_fields_and_field_types()
    else:  # of rosbags, whose dataclasses hold their type's name, too
        yield from (one.name for one in dataclasses.fields(message) if one.name[:2] != "__")


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return finite(value)
    if hasattr(value, "nanosec"):  # builtin_interfaces/Time
        return str(from_time(value))
    if hasattr(value, "get_fields_and_field_types") or dataclasses.is_dataclass(value):
        return as_plain(value)
    return [_plain(item) for item in (value.tolist() if hasattr(value, "tolist") else value)]

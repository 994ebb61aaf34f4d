"""Messages as JSON values, field by field under their own names.

NaN and infinity become null, times become nanoseconds in decimal text (beyond the integers of
JavaScript), and numbers that the message names by constants become the name: `link` 3 is "up".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from builtin_interfaces.msg import Time

from ros_support_pkg.stamps import from_time

_DIGITS = 6  # significant; a float32 has no more


def as_plain(message: Any, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """A message as a dictionary; the header is only its stamp.

    Args:
        without: fields of the outermost message to leave out.
    """
    message_type: Any = type(message)
    names = _names_of_constants(message_type)
    plain: dict[str, Any] = {}
    for field in message.get_fields_and_field_types():
        if field in without:
            continue
        value = getattr(message, field)
        if field == "header":
            plain["stamp_ns"] = str(from_time(value.stamp))
        elif field in names:
            plain[field] = names[field].get(value, value)
        else:
            plain[field] = _plain(value)
    return plain


def finite(value: float) -> float | None:
    """A number that JSON can hold, with the digits that count."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Time):
        return str(from_time(value))
    if hasattr(value, "get_fields_and_field_types"):
        return as_plain(value)
    return [_plain(item) for item in (value.tolist() if hasattr(value, "tolist") else value)]


@cache
def _names_of_constants(message_type: Any) -> dict[str, dict[int, str]]:
    """For each field that has constants FIELD_NAME: the names, in small letters, by value."""
    constants = {
        name: value
        for name in dir(message_type)
        if name.isupper() and isinstance(value := getattr(message_type, name), int)
    }
    fields = message_type.get_fields_and_field_types()
    found = {
        field: {
            value: name[len(field) + 1 :].lower()
            for name, value in constants.items()
            if name.startswith(f"{field.upper()}_")
        }
        for field in fields
    }
    return {field: names for field, names in found.items() if names}

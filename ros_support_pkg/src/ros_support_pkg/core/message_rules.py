"""What a message may hold, one way for all types: derived from its fields' types and names.

Every number is finite and of a size that means something, every stamp is a time after the epoch,
every number that stands for a word has one, and arrays that belong together are equally long.
Whoever gets a message that passed need not ask again. Types of others have uses for NaN that are
theirs (an altitude that is not known): of their numbers the converters judge.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from ros_support_pkg.core.words import FIELDS, names_of

#: Greatest magnitude by the end of a field's name, which is its unit; the first that fits.
_MAGNITUDES = (
    ("_per_rad", 1e9),  # no angle: of a long lens some ten thousand
    ("_rad", 1e3),
    ("_rad_s", 1e3),
    ("_xyxy", 1e6),
    ("_xy", 1e6),
    ("zoom", 1e3),
    ("zoom_max", 1e3),
    ("", 1e12),  # of anything: beyond it, squares and products lose their meaning
)

#: (message type, field) that may be NaN or infinite; the types' own comments say what that means.
MAY_BE_UNKNOWN = {
    ("Coverage", "age_s"),
    ("DetectionCurves", "false_alarms_per_look"),
    ("Finding", "range_m"),
    ("GimbalState", "zoom"),
    ("GimbalState", "hfov_rad"),
    ("GimbalState", "age_s"),
    ("HealthState", "gpu_memory_mb"),
    ("HealthState", "gpu_load"),
    ("HealthState", "temperature_max_c"),
    ("PoseAtCapture", "zoom"),
    ("PoseAtCapture", "hfov_rad"),
    ("Tracks", "pose_delay_s"),
}

#: Arrays of a type that are equally long, and fields whose product is that length.
_EQUALLY_LONG: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Coverage": (("age_s", "results"), ("columns", "rows")),
    "DetectionCurves": (
        (
            "class_names",
            "p_max",
            "size_50_px",
            "width",
            "ceiling",
            "blur_px",
            "things",
            "false_alarms_per_look",
        ),
        (),
    ),
    "Finding": (("track_bearings", "track_stamps"), ()),
    "SearchNeed": (("needs",), ("columns", "rows")),
    "Inspection": (("labels", "probabilities"), ()),
}

#: Pairs (lower, upper) of a type that are in order.
_IN_ORDER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "GimbalState": (("yaw_min_rad", "yaw_max_rad"), ("pitch_min_rad", "pitch_max_rad")),
}

_NS_PER_S = 1_000_000_000
_FLOATS = re.compile(r"(float|double|sequence<(float|double)(, \d+)?>|(float|double)\[\d+\])$")

_Check = Callable[[Any], None]


class MessageError(ValueError):
    """Say which field of a message holds what no such message may hold."""


def check_message(message: Any) -> None:
    """Look at all fields of a message of rclpy, and of the messages in it.

    Raises:
        MessageError: a field holds what it may not.
    """
    kind: Any = type(message)
    for check in _checks_of(kind):
        check(message)


@cache
def _checks_of(kind: Any) -> tuple[_Check, ...]:
    checks: list[_Check] = []
    is_ours = kind.__module__.startswith("interfaces_pkg.")
    for field, type_name in kind.get_fields_and_field_types().items():
        if type_name == "builtin_interfaces/Time":
            checks.append(_stamp_check(field))
        elif _FLOATS.match(type_name) and is_ours:
            checks.append(_numbers_check(kind.__name__, field))
        elif (kind.__name__, field) in FIELDS:
            checks.append(_word_check(kind, field))
        elif "/" in type_name:
            checks.append(_parts_check(field, is_many=type_name.startswith("sequence<")))
    if kind.__name__ in _EQUALLY_LONG:
        checks.append(_length_check(*_EQUALLY_LONG[kind.__name__]))
    checks += [_order_check(*pair) for pair in _IN_ORDER.get(kind.__name__, ())]
    return tuple(checks)


def _numbers_check(type_name: str, field: str) -> _Check:
    greatest = next(size for end, size in _MAGNITUDES if field.endswith(end))
    may_be_unknown = (type_name, field) in MAY_BE_UNKNOWN
    what = f"finite and at most {greatest:g} in size"

    def check(message: Any) -> None:
        values = getattr(message, field)
        if isinstance(values, float | int):
            is_fine = abs(values) <= greatest or (may_be_unknown and not math.isfinite(values))
        else:
            sizes = np.abs(np.asarray(values, np.float64))
            fine = sizes <= greatest
            is_fine = bool((fine | ~np.isfinite(sizes) if may_be_unknown else fine).all())
        if not is_fine:
            shown = f" is {values:g}" if isinstance(values, float | int) else ""
            raise MessageError(f"{field}{shown}: numbers must be {what}")

    return check


def _stamp_check(field: str) -> _Check:
    def check(message: Any) -> None:
        stamp = getattr(message, field)
        if stamp.sec < 0 or not 0 <= stamp.nanosec < _NS_PER_S:
            raise MessageError(
                f"{field} is {stamp.sec} s and {stamp.nanosec} ns: at least 0 s and less than "
                f"{_NS_PER_S} ns are allowed"
            )

    return check


def _word_check(kind: Any, field: str) -> _Check:
    known = names_of(kind, field)

    def check(message: Any) -> None:
        value = getattr(message, field)
        if known and value not in known:
            allowed = ", ".join(f"{number} ({name})" for number, name in sorted(known.items()))
            raise MessageError(f"{field} is {value}, allowed are {allowed}")

    return check


def _parts_check(field: str, *, is_many: bool) -> _Check:
    def check(message: Any) -> None:
        value = getattr(message, field)
        for part in value if is_many else (value,):
            try:
                if hasattr(part, "get_fields_and_field_types"):
                    check_message(part)
            except MessageError as error:
                raise MessageError(f"{field}.{error}") from None

    return check


def _length_check(arrays: tuple[str, ...], factors: tuple[str, ...]) -> _Check:
    def check(message: Any) -> None:
        lengths = {name: len(getattr(message, name)) for name in arrays}
        if factors:
            lengths[" x ".join(factors)] = math.prod(getattr(message, name) for name in factors)
        if len(set(lengths.values())) > 1:
            counted = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise MessageError(f"{counted}: there must be as many of each")

    return check


def _order_check(low: str, high: str) -> _Check:
    def check(message: Any) -> None:
        lower, upper = getattr(message, low), getattr(message, high)
        if lower > upper:
            raise MessageError(f"{low} is {lower:g}, {high} is {upper:g}: they must be in order")

    return check

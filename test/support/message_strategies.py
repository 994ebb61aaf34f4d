"""Messages of any type with any content, for hypothesis: from the fields that rosidl knows.

Numbers are often those that hurt: NaN, infinity, the ends of the range, zero; texts are often odd.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hypothesis import strategies as st

_FLOATS = (
    st.floats(width=32)
    | st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e30, -1e-30, 1.0])
    | st.floats(-4.0, 4.0, width=32)
)
_TEXTS = st.sampled_from(["", "person", "tent", "../..", "\n", "é", "日本", "\x00", "a" * 300])
_BITS = re.compile(r"(u?)int(8|16|32|64)$")
_SEQUENCE = re.compile(r"sequence<([^,>]+)(?:, (\d+))?>$")
_ARRAY = re.compile(r"(.+)\[(\d+)\]$")
_MANY = 4


def messages(kind: Any) -> st.SearchStrategy[Any]:
    """Return messages of a type of rclpy; about a third of their fields keep their default."""
    fields = kind.get_fields_and_field_types()

    def make(values: dict[str, Any]) -> Any:
        return kind(**{name: value for name, value in values.items() if value is not None})

    kept = {name: st.none() | (values := _of(text)) | values for name, text in fields.items()}
    return st.fixed_dictionaries(kept).map(make)


def damaged(sane: Callable[[], Any]) -> st.SearchStrategy[Any]:
    """Return sane messages in which one or two fields, at any depth, hold anything."""
    return _hurt(sane(), 2).map(lambda values: _with(sane(), values))


def _hurt(message: Any, most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return other values for some fields of a message."""
    fields = message.get_fields_and_field_types()

    def other(name: str) -> st.SearchStrategy[Any]:
        value, text = getattr(message, name), fields[name]
        if hasattr(value, "get_fields_and_field_types"):
            return _hurt(value, 1).map(lambda values: _with(copy.deepcopy(value), values))
        match = _SEQUENCE.match(text) or _ARRAY.match(text)
        if match is None or not len(value):
            return _of(text)
        one = st.tuples(st.integers(0, len(value) - 1), _of(match[1]))
        return _of(text) | one.map(lambda pair: _replaced(value, *pair))

    names = st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=most, unique=True)
    return names.flatmap(lambda some: st.fixed_dictionaries({name: other(name) for name in some}))


def _with(message: Any, values: dict[str, Any]) -> Any:
    for name, value in values.items():
        setattr(message, name, value)
    return message


def _replaced(values: Any, index: int, value: Any) -> list[Any]:
    changed = list(values)
    changed[index] = value
    return changed


def _of(text: str) -> st.SearchStrategy[Any]:
    if match := _SEQUENCE.match(text):
        return _many(match[1], 0, min(int(match[2] or _MANY), _MANY))
    if match := _ARRAY.match(text):
        return _many(match[1], int(match[2]), int(match[2]))
    if text in ("float", "double"):
        return _FLOATS
    if text == "boolean":
        return st.booleans()
    if text == "octet":
        return st.binary(min_size=1, max_size=1)
    if match := _BITS.match(text):
        return _integers(bool(match[1]), int(match[2]))
    if text.startswith(("string", "wstring")):
        return _TEXTS
    package, name = text.split("/")
    return messages(getattr(import_module(f"{package}.msg"), name))


def _many(text: str, least: int, most: int) -> st.SearchStrategy[Any]:
    return st.lists(_of(text), min_size=least, max_size=most)


def _integers(is_unsigned: bool, bits: int) -> st.SearchStrategy[int]:
    low, high = (0, 2**bits - 1) if is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.sampled_from([0, 1, 2, 3, low, high]) | st.integers(low, high)

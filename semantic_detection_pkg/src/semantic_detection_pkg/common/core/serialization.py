"""Frozen dataclasses as plain JSON and back: how steps are journalled, compared and replayed.

A dataclass is an object with its fields, an enum its value, a tuple or an array a list, NaN is
`null`. Floats of inputs come back bit for bit; decisions are rounded, so that they can be compared
between machines.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from enum import Enum
from typing import Any, TypeVar

import numpy as np

from ros_support_pkg.core.settings import values_before

T = TypeVar("T")

_PLAIN = (str, int, bool, types.NoneType)


def to_plain(value: Any, digits: int | None = None) -> Any:
    """Return what `json` can write of dataclasses, enums, tuples, arrays and numbers.

    Args:
        digits: decimals that floats are rounded to; None: exact.
    """
    kind: type = type(value)
    if kind in _PLAIN:
        return value
    names = _field_names(kind)
    if names is not None:
        return {name: to_plain(getattr(value, name), digits) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist(), digits)
    if isinstance(value, (tuple, list)):
        return [to_plain(item, digits) for item in value]
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if not math.isfinite(number):
            return None
        # Adding zero makes -0.0 the same as 0.0.
        return number if digits is None else round(number, digits) + 0.0
    if isinstance(value, np.integer):
        return int(value)
    return value


def from_plain(kind: type[T], plain: Any) -> T:
    """Return the value of type `kind` that `to_plain` wrote without rounding.

    A field that came later, see `ros_support_pkg.core.settings.constant`, may be missing.

    Raises:
        ValueError: a field is missing or unknown, or a value does not fit.
    """
    return typing.cast(T, _read(kind, plain))


def canonical(plain: Any) -> str:
    """Return JSON text that is the same for the same content: sorted keys, no spaces."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _read(kind: Any, plain: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        return _read(next(a for a in typing.get_args(kind) if a is not type(None)), plain)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), plain)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(typing.cast(type, kind), plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if kind is float:
        return math.nan if plain is None else float(plain)
    if kind in (int, str, bool) and type(plain) is kind:
        return plain
    raise ValueError(f"{plain!r} is given, {getattr(kind, '__name__', kind)} is needed")


def _read_tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise ValueError(f"{plain!r} is given, a list is needed")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(kinds[0], item) for item in plain)
    if len(kinds) != len(plain):
        raise ValueError(f"{len(plain)} values are given, {len(kinds)} are needed")
    return tuple(_read(kind, item) for kind, item in zip(kinds, plain, strict=True))


def _read_dataclass(kind: type, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise ValueError(f"{plain!r} is given, an object with the fields of {kind.__name__} is")
    hints = _hints(kind)
    plain = {**_before(kind), **plain}
    if plain.keys() != hints.keys():
        wrong = ", ".join(sorted(plain.keys() ^ hints.keys()))
        raise ValueError(f"{kind.__name__}: fields {wrong} are missing or unknown")
    return kind(**{name: _read(hint, plain[name]) for name, hint in hints.items()})


@functools.cache
def _before(kind: type) -> dict[str, Any]:
    return {name: to_plain(value) for name, value in values_before(kind).items()}


@functools.cache
def _field_names(kind: type) -> tuple[str, ...] | None:
    """Return the fields of a dataclass; None: it is none."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}

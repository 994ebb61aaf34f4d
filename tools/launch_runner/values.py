"""Typed parameter values, by the rules of launch_ros.

A value written without a substitution keeps its YAML type. The result of a substitution is read as
YAML again ("5" becomes an integer), unless the parameter's `type` says what it is.
"""

from __future__ import annotations

from typing import Any

import yaml

from launch_runner.errors import LaunchError, Where
from launch_runner.substitutions import Scope, Template, parse_template

Scalar = bool | int | float | str
SCALARS = (bool, int, float, str)

# The values of the `type` attribute: item type (None: as YAML says) and whether it is a list.
TYPES: dict[str, tuple[type | None, bool | None]] = {
    "yaml": (None, None),
    **{kind.__name__: (kind, False) for kind in SCALARS},
    **{f"list_of_{kind.__name__}": (kind, True) for kind in SCALARS},
}
ALLOWED = "a bool, integer, float or string, or a list of one of these"


def parse_value(raw: Any, type_name: str, where: Where) -> Any:
    """Return a value as written with each text that has substitutions made a Template.

    Raises LaunchError when it is no parameter value or not of the type.
    """
    kind, is_list = TYPES[type_name]
    items = [_parse_item(item, where) for item in (raw if isinstance(raw, list) else [raw])]
    literals = {type(item) for item in items if not isinstance(item, Template)}
    if not literals <= set(SCALARS):
        raise LaunchError(f"value must be {ALLOWED}, got {raw!r}", where)
    is_mismatch = is_list is not None and isinstance(raw, list) != is_list
    is_unknown = not items and kind not in (None, str)
    if is_mismatch or is_unknown or (kind is not None and not literals <= {kind}):
        raise LaunchError(f"value must be of type {type_name}, got {raw!r}", where)
    return items if isinstance(raw, list) else items[0]


def _parse_item(item: Any, where: Where) -> Any:
    if not isinstance(item, str):
        return item
    template = parse_template(item, where)
    return template if template.literal is None else template.literal


def evaluate_value(value: Any, type_name: str, scope: Scope) -> Scalar | list[Scalar]:
    """Replace the substitutions in a parsed value and give the result its type.

    Raises ValueError when a result does not fit the type or makes a list uneven; LaunchError.
    """
    kind, _ = TYPES[type_name]
    if not isinstance(value, list):
        return coerce(scope.expand(value), kind) if isinstance(value, Template) else value
    items = [coerce(scope.expand(v), kind) if isinstance(v, Template) else v for v in value]
    if not _is_value(items):
        raise ValueError(f"value must be {ALLOWED}, got {items!r}")
    return items


def coerce(text: str, kind: type | None) -> Any:
    """Read a text as `kind`, or as YAML says when it is None. Raises ValueError."""
    if kind is str or (kind is None and not text):
        return text
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"'{text}' is no {kind.__name__}") from None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(f"'{text}' is not valid YAML") from None
    if kind is bool and not isinstance(value, bool):
        raise ValueError(f"'{text}' is no bool; allowed: true, false")
    if not _is_value(value):
        raise ValueError(f"'{text}' must be {ALLOWED}")
    return value


def _is_value(value: Any) -> bool:
    kinds = {type(item) for item in (value if isinstance(value, list) else [value])}
    return kinds <= set(SCALARS) and len(kinds) <= 1

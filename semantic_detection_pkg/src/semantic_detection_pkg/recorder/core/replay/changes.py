"""Settings by name, for a replay with another threshold."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from ros_support_pkg.core.settings import with_new_names
from semantic_detection_pkg.common.core.serialization import from_plain, to_plain
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.settings import ScanSettings


def with_values(settings: ScanSettings, values: Mapping[str, str]) -> ScanSettings:
    """Return the settings with some of them changed.

    Args:
        values: by name, `tiers.vlm_timeout_s` or, where it is the only one, `vlm_timeout_s`;
            written as JSON or, for texts, as they are.

    Raises:
        ConfigurationError: there is no such setting, or it does not take the value.
    """
    plain: dict[str, Any] = to_plain(settings)
    for name, text in values.items():
        *groups, last = _full_name(plain, name).split(".")
        part = plain
        for group in groups:
            part = part[group]
        part[last] = _value(text)
        try:
            from_plain(ScanSettings, plain)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"setting {name}={text}: {error}") from error
    return from_plain(ScanSettings, plain)


def _full_name(plain: Mapping[str, Any], name: str) -> str:
    names = list(_names(plain))
    found = [one for one in names if one == name] or [
        one for one in names if one.rpartition(".")[2] == name
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"setting '{name}' is one of {', '.join(found)}: say which")
    if new := _new_name(name):
        raise ConfigurationError(f"setting '{name}' is called '{new}' now")
    last_words = {one.rpartition(".")[2]: one for one in names}
    near = difflib.get_close_matches(name.rpartition(".")[2], last_words, 3, 0.5)
    hint = ", ".join(last_words[one] for one in near) or ", ".join(sorted(plain))
    raise ConfigurationError(f"setting '{name}' is unknown; known: {hint}")


def _new_name(name: str) -> str:
    """Return the full name of a setting of which this is a former one; "" where it is none."""
    *groups, last = name.split(".")
    inner = ["", *(one.name for one in fields(ScanSettings))] if not groups else [groups[0]]
    for group in inner:
        plain = {group: {last: None}} if group else {last: None}
        read = with_new_names(ScanSettings, plain)
        if read != plain:
            return ".".join(_names(read))
    return ""


def _names(plain: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _names(value, f"{before}{name}.")
        else:
            yield before + name


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

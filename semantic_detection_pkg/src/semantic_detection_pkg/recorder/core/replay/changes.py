"""Settings by name, for a replay with another threshold."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from semantic_detection_pkg.common.core.serialization import from_plain, to_plain
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.settings import ScanSettings


def with_values(settings: ScanSettings, values: Mapping[str, str]) -> ScanSettings:
    """The settings with some of them changed.

    Args:
        values: by name, `tiers.classifier_yes` or, where it is the only one, `classifier_yes`;
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
    last_words = {one.rpartition(".")[2]: one for one in names}
    near = difflib.get_close_matches(name.rpartition(".")[2], last_words, 3, 0.5)
    hint = ", ".join(last_words[one] for one in near) or ", ".join(sorted(plain))
    raise ConfigurationError(f"setting '{name}' is unknown; known: {hint}")


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

"""Rows of decisions compared: one number for all of them, and where two begin to differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

_ABSENT = "nothing"
_SHOWN = 80  # characters of a value


class Digest:
    """SHA-256 over decisions in their canonical form, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, decision: str) -> None:
        """Take the next decision."""
        self._hash.update(decision.encode() + b"\n")

    @property
    def text(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


def differences(then: str, now: str) -> list[str]:
    """Return what differs between two decisions, a line each: `status.leaf: sweep, now rest`.

    Args:
        then, now: JSON.
    """
    return [
        f"{name}: {_short(old)}, now {_short(new)}"
        for name, old, new in _walk("", json.loads(then), json.loads(now))
    ]


def _walk(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            path = f"{name}.{key}" if name else key
            yield from _walk(path, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            pair = (part[index] if index < len(part) else _ABSENT for part in (old, new))
            yield from _walk(f"{name}[{index}]", *pair)
    elif old != new:
        yield name, old, new


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

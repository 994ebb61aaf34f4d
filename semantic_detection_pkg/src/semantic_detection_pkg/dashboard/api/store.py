"""The newest of everything a page shows, written by one thread and read by another.

A section is a JSON value that is replaced as a whole. Its text is made once for all viewers.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Section:
    """One section; replaced, never changed, but for its cached text."""

    value: Any
    revision: int
    arrival_s: float
    _text: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The value as JSON."""
        if not self._text:
            self._text = json.dumps(self.value, separators=(",", ":"), allow_nan=False)
        return self._text


class SectionStore:
    """Sections by name. Safe to use from several threads."""

    def __init__(self) -> None:
        """Start empty: what was never put is absent."""
        self._lock = threading.Lock()
        self._sections: dict[str, Section] = {}
        self._revision = 0

    def put(self, name: str, value: Any) -> None:
        """Replace a section by a JSON value (finite numbers only)."""
        with self._lock:
            self._revision += 1
            self._sections[name] = Section(value, self._revision, time.monotonic())

    def sections(self) -> Mapping[str, Section]:
        """Return all sections as they are now."""
        with self._lock:
            return dict(self._sections)

    def get(self, name: str) -> Any:
        """Return the value of a section; None where it is absent."""
        with self._lock:
            section = self._sections.get(name)
        return None if section is None else section.value

    def ages_s(self) -> dict[str, float]:
        """Return the time since each section was last put. [s]"""
        now_s = time.monotonic()
        return {
            name: round(now_s - section.arrival_s, 2) for name, section in self.sections().items()
        }

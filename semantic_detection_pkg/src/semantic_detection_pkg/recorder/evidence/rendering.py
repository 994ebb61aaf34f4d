"""Templates to self-contained pages. Every text that comes from outside is escaped and cleaned."""

from __future__ import annotations

import contextlib
import math
import os
import unicodedata
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_detection_pkg.common.core.coordinates import (
    accuracy_text,
    degrees_and_minutes,
    mgrs_of,
    radio_text,
    utm_of,
)
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.errors import StorageError

if TYPE_CHECKING:
    from jinja2 import Environment

_TEXT_MAX = 4000
_LATEST_NS = 253_402_300_799 * 1_000_000_000  # of the year 9999
#: Control and format characters: they hide text or turn its direction.
_HIDDEN = {"Cc", "Cf", "Cs", "Co"}


def render(template: str, **values: Any) -> str:
    """Render a page of `templates/`; values are escaped."""
    return _environment().get_template(template).render(**values)


def write_text(path: Path, text: str) -> None:
    """Write a file as `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step: whoever reads finds the old one or the new one.

    Raises:
        StorageError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # on a full disk half a file only takes room
            part.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{path}: cannot be written: {reason}") from error


def in_words(seconds: float) -> str:
    """Return a length of time as `1 h 5 min 3 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def plain(text: Any) -> str:
    """Return text of strangers as one can safely look at it: nothing hidden, not endless."""
    shown = "".join(c for c in str(text) if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)
    return shown if len(shown) <= _TEXT_MAX else shown[:_TEXT_MAX] + " ..."


def utc(time_ns: int) -> str:
    """Return a time as `2026-11-23 20:15:00.125`."""
    return f"{_moment(time_ns):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def clock(time_ns: int) -> str:
    """Return a time as `20:15:00`."""
    return f"{_moment(time_ns):%H:%M:%S}"


def _moment(time_ns: int) -> datetime:
    # What no calendar has, a time out of somebody's file, is shown as its end.
    return datetime.fromtimestamp(min(max(time_ns, 0), _LATEST_NS) / 1e9, timezone.utc)


def _notations(position: Position) -> list[str]:
    """Return a position in degrees and minutes, UTM and MGRS; no grid near the poles."""
    place = position.latitude_deg, position.longitude_deg
    utm = utm_of(*place)
    written = (degrees_and_minutes(*place), "" if utm is None else str(utm), mgrs_of(*place))
    return [text for text in written if text]


def _radio(position: Position, name: str) -> str:
    return radio_text(plain(name), position)


@cache
def _environment() -> Environment:
    # Here: the page knows this module for its files for maps, which need no template.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(plain=plain, utc=utc, clock=clock, degrees=math.degrees)
    environment.filters.update(in_words=in_words)
    environment.filters.update(notations=_notations, radio=_radio, accuracy=accuracy_text)
    return environment

"""Ranges of colours that people name, and the table by which a frame's colours are looked up.

Hue, saturation and value as of A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978: hue
0..360 deg (red 0, yellow 60, green 120, blue 240), saturation and value 0..1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels.proposals import TABLE_SIZE
from semantic_detection_pkg.errors import ConfigurationError

MOST_COLOURS = 8
#: The class of what is odd without a colour's name.
ANOMALY = "anomaly"

#: Greyer or darker than this a colour has no hue that can be told; darker, no saturation either.
_GREY, _DARK = 0.12, 0.12
_LONGEST_NAME = 40
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_FORMS = (
    "a known name, NAME=#rrggbb, or NAME=HUE..HUE,SATURATION..SATURATION,VALUE..VALUE "
    "(0..360, 0..1, 0..1)"
)
#: (hue, saturation, value) ranges of what people call so, outdoors: grass is not "green" enough,
#: nor is sand "yellow".
_NAMED = {
    "red": "345..12,0.55..1,0.3..1",
    "orange": "12..38,0.65..1,0.5..1",
    "yellow": "40..65,0.6..1,0.55..1",
    "green": "90..160,0.5..1,0.3..1",
    "cyan": "165..200,0.5..1,0.4..1",
    "blue": "200..255,0.55..1,0.35..1",
    "purple": "260..300,0.35..1,0.3..1",
    "pink": "300..345,0.35..1,0.45..1",
    "white": "0..360,0..0.12,0.88..1",
    "black": "0..360,0..1,0..0.1",
}
KNOWN_COLOURS = tuple(_NAMED)


@dataclass(frozen=True)
class Tolerance:
    """How far a colour may be from the one that is wanted.

    Attributes:
        hue_deg: 1..180.
        saturation, value: 0.01..1.
    """

    hue_deg: float
    saturation: float
    value: float


@dataclass(frozen=True)
class ColourRange:
    """A name and the colours that it holds.

    Attributes:
        hue_deg: (from, to) 0..360, over 0 where the first is greater: 345..12 is red.
        saturation, value: (least, greatest) 0..1.
    """

    name: str
    hue_deg: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]

    def closeness(self, hsv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how near colours are to the middle: 1 there, 0 at an edge, less beyond.

        Args:
            hsv: (n, 3) hue [deg], saturation, value.
        """
        low, high = self.hue_deg
        half = (high - low) % 360.0 / 2.0 if high - low < 360.0 else 180.0
        if half < 180.0:
            apart = np.abs((hsv[:, 0] - low - half + 180.0) % 360.0 - 180.0)
            offs = [apart / max(half, 1.0)]
        else:
            offs = [np.zeros(len(hsv), np.float32)]
        for column, (least, greatest) in ((1, self.saturation), (2, self.value)):
            # An edge at 0 or 1 is none: nothing lies beyond it.
            middle = (least + greatest) / 2.0
            reach = max((greatest - least) / 2.0, 0.01)
            off = (hsv[:, column] - middle) / reach
            if greatest >= 1.0:
                off = np.minimum(off, 0.0)
            if least <= 0.0:
                off = np.maximum(off, 0.0)
            offs.append(np.abs(off))
        return 1.0 - np.max(offs, axis=0)


def parse_colours(texts: Sequence[str], tolerance: Tolerance) -> tuple[ColourRange, ...]:
    """Return the ranges that people gave.

    Args:
        texts: each a known name, `NAME=#rrggbb` (like this pixel, within the tolerance), or
            `NAME=HUE..HUE,SATURATION..SATURATION,VALUE..VALUE`.

    Raises:
        ConfigurationError: one is none of these, a range is inverted, two have one name, or there
            are more than eight.
    """
    if len(texts) > MOST_COLOURS:
        raise ConfigurationError(f"colours: {len(texts)} are given, at most {MOST_COLOURS} are")
    found: list[ColourRange] = []
    for text in texts:
        one = _parse(text, tolerance)
        if any(one.name == other.name for other in found):
            raise ConfigurationError(f"colour {one.name!r}: it is given twice")
        found.append(one)
    return tuple(found)


def like_pixel(name: str, bgr: tuple[int, int, int], tolerance: Tolerance) -> ColourRange:
    """Return the range around a pixel's colour.

    Of a grey one every hue is meant, of a nearly black one every saturation, too.
    """
    hue, saturation, value = _to_hsv(np.array([bgr], np.float32))[0].tolist()
    if saturation < _GREY or value < _DARK:
        hues = (0.0, 360.0)
    else:
        reach = min(tolerance.hue_deg, 180.0)
        hues = ((hue - reach) % 360.0, (hue + reach) % 360.0) if reach < 180.0 else (0.0, 360.0)
    around = _within(saturation, tolerance.saturation) if value >= _DARK else (0.0, 1.0)
    return ColourRange(name, hues, around, _within(value, tolerance.value))


@lru_cache(maxsize=8)
def colour_table(ranges: tuple[ColourRange, ...]) -> NDArray[np.uint16]:
    """Return what each colour is, by the upper six bits of blue, green and red.

    Returns:
        (64**3,) uint16, read-only: 0 for none of the ranges, else 256 times (index of the nearest
        one + 1)
        plus its closeness, 0..255.
    """
    levels = np.arange(64, dtype=np.float32) * 4.0 + 1.5
    bgr = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    hsv = _to_hsv(bgr)
    table = np.zeros(TABLE_SIZE, np.uint16)
    best = np.full(TABLE_SIZE, -1.0, np.float32)
    for index, one in enumerate(ranges):
        closeness = one.closeness(hsv)
        is_it = (closeness >= 0.0) & (closeness > best)
        best[is_it] = closeness[is_it]
        table[is_it] = 256 * (index + 1) + np.rint(255.0 * closeness[is_it]).astype(np.uint16)
    table.flags.writeable = False
    return table


def _within(middle: float, reach: float) -> tuple[float, float]:
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def _to_hsv(bgr: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, 3) hue [deg], saturation and value of (n, 3) colours 0..255."""
    blue, green, red = bgr.T
    value, least = bgr.max(1), bgr.min(1)
    span = value - least
    divisor = np.where(span > 0.0, span, 1.0)
    hue = np.where(
        value == red,
        (green - blue) / divisor % 6.0,
        np.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    saturation = span / np.where(value > 0.0, value, 1.0)
    hue = np.where(span > 0.0, 60.0 * hue, 0.0)
    return np.stack((hue, saturation, value / 255.0), 1).astype(np.float32)


def _parse(text: str, tolerance: Tolerance) -> ColourRange:
    name, equals, form = (part.strip() for part in text.partition("="))
    shown = f"colour {text[: 2 * _LONGEST_NAME]!r}"
    if not equals:
        if name not in _NAMED:
            raise ConfigurationError(f"{shown}: known are {', '.join(_NAMED)}; allowed is {_FORMS}")
        form = _NAMED[name]
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(f"{shown}: a name of 1 to {_LONGEST_NAME} letters is needed")
    if name == ANOMALY:
        raise ConfigurationError(f"{shown}: {ANOMALY!r} is the class of what has no name")
    if _HEX.fullmatch(form):
        red, green, blue = bytes.fromhex(form[1:])
        return like_pixel(name, (blue, green, red), tolerance)
    parts = [_bounds(part) for part in form.split(",")]
    if len(parts) != 3 or None in parts:
        raise ConfigurationError(f"{shown}: allowed is {_FORMS}")
    hue, saturation, value = ((part or (0.0, 0.0)) for part in parts)
    for what, (low, high), greatest in (
        ("hue", hue, 360.0),
        ("saturation", saturation, 1.0),
        ("value", value, 1.0),
    ):
        if not (0.0 <= low <= greatest and 0.0 <= high <= greatest):
            raise ConfigurationError(
                f"{shown}: {what} {low:g}..{high:g} must lie in 0..{greatest:g}"
            )
        if low > high and what != "hue":
            raise ConfigurationError(
                f"{shown}: {what} {low:g}..{high:g} is inverted, the least comes first"
            )
    return ColourRange(name, hue, saturation, value)


def _bounds(text: str) -> tuple[float, float] | None:
    low, dots, high = text.partition("..")
    try:
        bounds = float(low), float(high)
    except ValueError:
        return None
    return bounds if dots and all(map(math.isfinite, bounds)) else None

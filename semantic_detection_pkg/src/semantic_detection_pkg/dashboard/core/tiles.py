"""What a map's tiles are: which there are, what a picture is, what a file says of itself.

Tiles are numbered as in OSGeo's slippy maps: zoom, columns from 180 degrees west on, rows from the
north on, in the web's Mercator projection (EPSG:3857).
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

ZOOM_MAX = 24
TILE_BYTES_MAX = 4 * 1024 * 1024

_TEXT_MAX = 200
_SOUTHMOST_DEG = math.degrees(math.atan(math.sinh(math.pi)))  # where the square map ends

Bounds = tuple[float, float, float, float]
"""(west, south, east, north) [deg]."""


@dataclass(frozen=True)
class TileSet:
    """What a file of tiles says of itself.

    Attributes:
        kind: "MBTiles" or "PMTiles".
        name, attribution: plain text; empty: it says nothing.
        zoom_min, zoom_max: levels that it has, 0..`ZOOM_MAX`.
        bounds: where it has tiles; None: not known.
    """

    kind: str
    name: str
    attribution: str
    zoom_min: int
    zoom_max: int
    bounds: Bounds | None


def media_type(tile: bytes) -> str | None:
    """Return what kind of picture a tile is, by how it begins; None: none that a browser shows."""
    if tile.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if tile.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if tile[:4] == b"RIFF" and tile[8:12] == b"WEBP":
        return "image/webp"
    if tile[4:12] == b"ftypavif":
        return "image/avif"
    return None


def is_tile(zoom: int, column: int, row: int) -> bool:
    """Return whether the world has such a tile."""
    if not 0 <= zoom <= ZOOM_MAX:
        return False
    return 0 <= column < 1 << zoom and 0 <= row < 1 << zoom


def plain_text(text: object) -> str:
    """Return a text of a file without markup, on one line; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    bare = html.unescape(re.sub(r"<[^<>]*>", "", text[: 20 * _TEXT_MAX]))
    shown = "".join(letter if letter.isprintable() else " " for letter in bare)
    return " ".join(shown.split())[:_TEXT_MAX]


def bounds_of(given: Sequence[float] | str | None) -> Bounds | None:
    """Return bounds as `TileSet` has them, of numbers or `west,south,east,north`; None: no such."""
    parts = given.split(",") if isinstance(given, str) else given
    try:
        west, south, east, north = (float(one) for one in parts or ())
    except ValueError:
        return None
    is_known = -180.0 <= west < east <= 180.0 and -90.0 <= south < north <= 90.0  # NaN is neither
    if not is_known or south > _SOUTHMOST_DEG or north < -_SOUTHMOST_DEG:
        return None
    return west, south, east, north


def bounds_of_tiles(zoom: int, columns: tuple[int, int], rows: tuple[int, int]) -> Bounds | None:
    """Return what the tiles from the first to the last column and row cover."""
    count = 1 << zoom
    west, east = columns[0] / count * 360.0 - 180.0, (columns[1] + 1) / count * 360.0 - 180.0
    north, south = (
        math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * edge / count))))
        for edge in (rows[0], rows[1] + 1)
    )
    return bounds_of((west, south, east, north))


def zooms_of(least: object, most: object) -> tuple[int, int] | None:
    """Return a range of levels, of numbers or texts; None where it is none."""
    try:
        low, high = int(str(least)), int(str(most))
    except ValueError:
        return None
    return (low, high) if 0 <= low <= high <= ZOOM_MAX else None

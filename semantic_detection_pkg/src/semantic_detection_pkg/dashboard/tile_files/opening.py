"""Opens a file of tiles by what it holds, whatever it is called."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Protocol

from semantic_detection_pkg.dashboard.core.tiles import TileSet, media_type
from semantic_detection_pkg.dashboard.tile_files import mbtiles, pmtiles_archive
from semantic_detection_pkg.errors import ConfigurationError


class TileFile(Protocol):
    """An open file of tiles; used by one thread at a time."""

    tile_set: TileSet

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile; None: there is none."""

    def any_tile(self) -> bytes | None:
        """Return one of the tiles; None: it holds none."""

    def close(self) -> None:
        """Close the file."""


def open_tiles(path: Path) -> TileFile:
    """Open a file of raster tiles.

    Raises:
        ConfigurationError: it is missing, no file of tiles, cut off, or has no pictures; one line.
    """
    try:
        return _opened(path)
    except OSError as error:
        raise ConfigurationError(error.strerror or str(error)) from error


def _opened(path: Path) -> TileFile:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ConfigurationError("it is no file")
    with path.open("rb") as file:
        head = file.read(len(mbtiles.MAGIC))
    found: TileFile
    if head == mbtiles.MAGIC:
        found = mbtiles.MbTiles(path)
    elif head.startswith(pmtiles_archive.MAGIC):
        found = pmtiles_archive.PmTiles(path)
    else:
        raise ConfigurationError(
            f"it is no file of tiles, it begins with {head!r}" if head else "it is empty"
        )
    try:
        tile = found.any_tile()
        if tile is None:
            raise ConfigurationError("it holds no tiles")
        if media_type(tile) is None:
            kind = "vector tiles" if tile.startswith(b"\x1f\x8b") else "no pictures"
            raise ConfigurationError(f"it holds {kind}: raster tiles (PNG, JPEG, WebP) are needed")
    except ConfigurationError:
        found.close()
        raise
    return found

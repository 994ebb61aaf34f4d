"""MBTiles 1.3: tiles in an SQLite database, rows counted from the south."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import time
from pathlib import Path

from semantic_detection_pkg.dashboard.core.tiles import (
    TILE_BYTES_MAX,
    Bounds,
    TileSet,
    bounds_of,
    bounds_of_tiles,
    plain_text,
    zooms_of,
)
from semantic_detection_pkg.errors import ConfigurationError

MAGIC = b"SQLite format 3\x00"

_HEADER_BYTES = 100
_QUERY_S = 3.0  # a file without an index would be read as a whole, for each tile
_STEPS = 20_000  # of SQLite's machine between two looks at the clock
_METADATA_ROWS = 200


class MbTiles:
    """An open file. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ConfigurationError: it is cut off, or is another database.
        """
        _check_length(path)
        # Immutable: a file on a read-only medium is read, too, and none is made beside it.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._deadline_s = 0.0
        self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.set_progress_handler(self._is_late, _STEPS)
            self.tile_set = self._read_tile_set()
        except ConfigurationError:
            self.close()
            raise

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile; None: there is none.

        Raises:
            ConfigurationError: the file cannot be read any more.
        """
        southern = (1 << zoom) - 1 - row
        found = self._rows(
            "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ? "
            f"AND length(tile_data) <= {TILE_BYTES_MAX} LIMIT 1",
            (zoom, column, southern),
        )
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def any_tile(self) -> bytes | None:
        """Return one of the tiles; None: it holds none."""
        found = self._rows(
            f"SELECT tile_data FROM tiles WHERE length(tile_data) <= {TILE_BYTES_MAX} LIMIT 1"
        )
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _read_tile_set(self) -> TileSet:
        said = {
            name: value
            for name, value in self._rows(
                f"SELECT name, value FROM metadata LIMIT {_METADATA_ROWS}"
            )
            if isinstance(name, str)
        }
        zooms = zooms_of(said.get("minzoom"), said.get("maxzoom"))
        if zooms is None:
            (least_most,) = self._rows("SELECT min(zoom_level), max(zoom_level) FROM tiles")
            zooms = zooms_of(*least_most)
        if zooms is None:
            raise ConfigurationError("its table of tiles is empty")
        bounds = said.get("bounds")
        return TileSet(
            "MBTiles",
            plain_text(said.get("name")),
            plain_text(said.get("attribution")),
            *zooms,
            bounds_of(bounds if isinstance(bounds, str) else None) or self._extent(zooms[0]),
        )

    def _extent(self, zoom: int) -> Bounds | None:
        """Return what the tiles of a level cover."""
        (edges,) = self._rows(
            "SELECT min(tile_column), max(tile_column), min(tile_row), max(tile_row) FROM tiles "
            "WHERE zoom_level = ?",
            (zoom,),
        )
        if not all(isinstance(one, int) and 0 <= one < 1 << zoom for one in edges):
            return None
        left, right, south, north = (int(str(one)) for one in edges)
        last = (1 << zoom) - 1
        return bounds_of_tiles(zoom, (left, right), (last - north, last - south))

    def _rows(self, query: str, values: tuple[int, ...] = ()) -> list[tuple[object, ...]]:
        self._deadline_s = time.monotonic() + _QUERY_S
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise ConfigurationError(
                    f"a tile is not found within {_QUERY_S:g} s: its table of tiles has no index"
                ) from error
            raise ConfigurationError(f"as MBTiles it cannot be read: {error}") from error
        except (sqlite3.Error, OverflowError) as error:
            raise ConfigurationError(f"as MBTiles it cannot be read: {error}") from error

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline_s


def _check_length(path: Path) -> None:
    """Refuse a file that is shorter than its header says (SQLite file format, 1.3.7 and 1.3.8)."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise ConfigurationError(f"it is cut off: {len(header)} bytes are no database")
    (side,) = struct.unpack_from(">H", header, 16)
    changes, pages = struct.unpack_from(">II", header, 24)
    (valid_for,) = struct.unpack_from(">I", header, 92)
    wanted = pages * (65536 if side == 1 else side)
    size = path.stat().st_size
    if changes == valid_for and size < wanted:
        raise ConfigurationError(f"it is cut off: {size} of {wanted} bytes are there")

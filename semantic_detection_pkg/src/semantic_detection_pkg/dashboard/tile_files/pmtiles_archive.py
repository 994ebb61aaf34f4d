"""PMTiles 3: tiles behind one another, with directories of where each is. Read by `pmtiles`."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from pmtiles.reader import Reader
from pmtiles.tile import deserialize_directory, find_tile, zxy_to_tileid

from semantic_detection_pkg.dashboard.core.tiles import (
    TILE_BYTES_MAX,
    TileSet,
    bounds_of,
    plain_text,
    zooms_of,
)
from semantic_detection_pkg.errors import ConfigurationError

MAGIC = b"PMTiles"

_DEPTH_MAX = 4  # of directories in each other, by the specification
_DIRECTORIES_KEPT = 32
_PART_BYTES_MAX = 64 * 1024 * 1024  # of a directory or the metadata
_E7 = 1e7
_SECTIONS = ("root", "metadata", "leaf_directory", "tile_data")


class PmTiles:
    """An open file. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ConfigurationError: it is cut off, of another version or damaged.
        """
        # Not mapped into memory: a file that becomes shorter would kill the process.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Directories are read once, not for each tile.
        self._directory = functools.lru_cache(_DIRECTORIES_KEPT)(self._read_directory)
        try:
            self._header = self._guarded(Reader(self._bytes).header)
            self._check_length(os.fstat(self._file).st_size)
            self.tile_set = self._read_tile_set()
        except ConfigurationError:
            self.close()
            raise

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile; None: there is none.

        Raises:
            ConfigurationError: the file cannot be read any more.
        """
        return self._guarded(self._find, zxy_to_tileid(zoom, column, row))

    def any_tile(self) -> bytes | None:
        """Return one of the tiles; None: it holds none."""
        return self._guarded(self._first)

    def close(self) -> None:
        """Close the file; may be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _find(self, tile_id: int) -> bytes | None:
        offset, length = self._header["root_offset"], self._header["root_length"]
        for _ in range(_DEPTH_MAX):
            entry = find_tile(self._directory(offset, length), tile_id)
            if entry is None:
                return None
            if entry.run_length:
                return self._tile_bytes(entry)
            offset, length = self._header["leaf_directory_offset"] + entry.offset, entry.length
        return None

    def _first(self) -> bytes | None:
        offset, length = self._header["root_offset"], self._header["root_length"]
        for _ in range(_DEPTH_MAX):
            entries = self._directory(offset, length)
            if not entries:
                return None
            if entries[0].run_length:
                return self._tile_bytes(entries[0])
            offset = self._header["leaf_directory_offset"] + entries[0].offset
            length = entries[0].length
        return None

    def _tile_bytes(self, entry: Any) -> bytes | None:
        if entry.length > TILE_BYTES_MAX:
            return None
        return self._bytes(self._header["tile_data_offset"] + entry.offset, entry.length)

    def _read_directory(self, offset: int, length: int) -> list[Any]:
        return list(deserialize_directory(self._bytes(offset, length)))

    def _read_tile_set(self) -> TileSet:
        header = self._header
        said = self._guarded(Reader(self._bytes).metadata)
        said = said if isinstance(said, dict) else {}
        zooms = zooms_of(header["min_zoom"], header["max_zoom"])
        if zooms is None:
            raise ConfigurationError(
                f"its zoom levels are {header['min_zoom']}..{header['max_zoom']}"
            )
        edges = [
            header[f"{name}_e7"] / _E7 for name in ("min_lon", "min_lat", "max_lon", "max_lat")
        ]
        return TileSet(
            "PMTiles",
            plain_text(said.get("name")),
            plain_text(said.get("attribution")),
            *zooms,
            bounds_of(edges),
        )

    def _check_length(self, size: int) -> None:
        ends = (
            self._header[f"{name}_offset"] + self._header[f"{name}_length"] for name in _SECTIONS
        )
        wanted = max(ends)
        if size < wanted:
            raise ConfigurationError(f"it is cut off: {size} of {wanted} bytes are there")

    def _bytes(self, offset: int, length: int) -> bytes:
        if length > _PART_BYTES_MAX:
            raise ConfigurationError(f"a part of {length} bytes is too large")
        found = os.pread(self._file, length, offset)
        if len(found) < length:
            raise ConfigurationError(
                f"it is cut off: {offset + len(found)} of {offset + length} bytes are there"
            )
        return found

    @staticmethod
    def _guarded(read: Any, *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except ConfigurationError:
            raise
        except Exception as error:  # the library raises of any kind over damaged bytes
            told = f"as PMTiles of version 3 it cannot be read: {error or type(error).__name__}"
            raise ConfigurationError(" ".join(told.split())) from error

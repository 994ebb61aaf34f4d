"""The map tiles beside the robot: a file that may be none, may be broken, and may come later."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.core.tiles import TileSet
from semantic_detection_pkg.dashboard.tile_files.opening import TileFile, open_tiles
from semantic_detection_pkg.errors import ConfigurationError

_log = logging.getLogger(__name__)


class TileBook:
    """The page's tiles. Everything here may wait for a disk: called beside the event loop.

    The section `tiles` of the board is None without a file; else it has `is_ready` and `told`,
    which is one line where it cannot be used, and what the file says of itself.
    """

    def __init__(self, board: SectionStore, path: str) -> None:
        """Begin without having looked at the file; "": there is none."""
        self._board = board
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._file: TileFile | None = None
        self._seen: tuple[int, ...] | str | None = None  # of the file that was opened last
        if self._path is None:
            board.put("tiles", None)

    def look(self) -> None:
        """Open the file, if it is another one than that which was opened, or refused, before."""
        if self._path is None:
            return
        with self._lock:
            seen = _signature(self._path)
            if seen == self._seen:
                return
            self._seen = seen
            self._drop()
            try:
                self._file = open_tiles(self._path)
            except ConfigurationError as error:
                self._refuse(error)
                return
            self._board.put("tiles", {"is_ready": True, "told": "", **self._plain(self._file)})
            _log.info("map tiles: %s, %s", self._path, _told(self._file.tile_set))

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """Return a tile; None: there is none. A file that cannot be read is given up."""
        with self._lock:
            if self._file is None:
                return None
            try:
                return self._file.tile(zoom, column, row)
            except ConfigurationError as error:
                self._drop()
                self._refuse(error)
                return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _refuse(self, error: ConfigurationError) -> None:
        told = (
            f"parameter 'map_tiles_file' is '{self._path}': {error}; an MBTiles or PMTiles file "
            "of raster tiles is allowed. The map has a grid instead"
        )
        self._board.put("tiles", {"is_ready": False, "told": told})
        _log.warning("%s", told)

    def _plain(self, file: TileFile) -> dict[str, Any]:
        one = file.tile_set
        version = hashlib.sha256(repr((str(self._path), self._seen)).encode()).hexdigest()[:12]
        return {
            "version": version,  # of the address: browsers keep tiles
            "kind": one.kind,
            "name": one.name,
            "attribution": one.attribution,
            "zoom_min": one.zoom_min,
            "zoom_max": one.zoom_max,
            "bounds": one.bounds,
        }


def _told(one: TileSet) -> str:
    name = f" '{one.name}'" if one.name else ""
    return f"{one.kind}{name}, zoom levels {one.zoom_min} to {one.zoom_max}"


def _signature(path: Path) -> tuple[int, ...] | str:
    """Return what tells one file from another; of none the reason why."""
    with contextlib.suppress(ValueError):  # a name that no file can have
        try:
            found = path.stat()
        except OSError as error:
            return error.strerror or str(error)
        # Copies keep the time and may be as large: what takes its place is another file, though.
        return found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino
    return "no such name"

"""Tables that people can open: JSON, one row on a line, a file of each table for each segment."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from semantic_detection_pkg.recorder.storage.disk import AppendFile, Disk

#: The tables that there are.
TABLES = ("detections", "gimbal")

#: A row and the name of its table, one of `TABLES`.
Row = tuple[str, Mapping[str, Any]]


def table_path(folder: Path, table: str, number: int) -> Path:
    """Return where a table's rows of a segment lie."""
    return folder / f"{table}_{number:07d}.jsonl"


class TableWriter:
    """The tables of one segment."""

    def __init__(self, disk: Disk, folder: Path, number: int) -> None:
        """Prepare; a file is made with its first row."""
        self._disk = disk
        self._folder = folder
        self._number = number
        self._files: dict[str, AppendFile] = {}
        self._waiting: dict[str, list[str]] = {}

    @property
    def bytes(self) -> int:
        """Of all files so far."""
        return sum(file.tell() for file in self._files.values())

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, with the next `flush`."""
        for table, row in rows:
            line = json.dumps(_plain(row), separators=(",", ":"), allow_nan=False)
            self._waiting.setdefault(table, []).append(line + "\n")

    def flush(self) -> None:
        """Hand the rows to the kernel; raises OSError."""
        waiting, self._waiting = self._waiting, {}
        for table, lines in waiting.items():
            if table not in self._files:
                path = table_path(self._folder, table, self._number)
                self._files[table] = self._disk.create(path)
                self._disk.sync_folder(self._folder)
            self._files[table].write("".join(lines).encode())

    def sync(self) -> None:
        """Wait until what was flushed is on the medium; raises OSError."""
        for file in self._files.values():
            file.sync()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def cut_broken_line(path: Path) -> None:
    """Drop a last line that a power cut left without its end; raises OSError."""
    with path.open("r+b") as file:
        position = file.seek(0, os.SEEK_END)
        end = position
        while position > 0:
            length = min(position, 1 << 16)
            position -= length
            file.seek(position)
            newline = file.read(length).rfind(b"\n")
            if newline >= 0:
                position += newline + 1
                break
        if position < end:
            file.truncate(position)


def _plain(value: Any) -> Any:
    """Return a value without NaN and infinity, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

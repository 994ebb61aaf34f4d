"""Files whose process is killed, or whose machine loses its power, at any operation.

The files are real ones, in a folder of the test. What a power cut leaves is worked out: names are
as they were when the folder was last synced, with the first few of the changes since; of content
that was not synced only a part is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.common.file_system import LOCK_FILE, AppendFile, FileSystem


class CrashError(Exception):
    """The process ends here; nothing after it happens."""


@dataclass
class _Content:
    """What was written, and how much of it is on the medium. [B]"""

    data: bytes = b""
    synced: int = 0


class CrashingFiles(FileSystem):
    """Set `crash_in` and that many operations later the process ends, within the operation.

    Attributes:
        crash_in: operations until the crash; None: none comes.
        error: errno with which every operation fails; 0: none does.
        operations: how many there were, for a test that goes through all of them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.crash_in: int | None = None
        self.error = 0
        self.operations = 0
        self._changes: list[tuple[str, _Content | None]] = []  # of names, since the last sync
        self.look()

    def look(self) -> None:
        """Take what is in the folder now as being on the medium."""
        self._now = {
            path.name: _Content(data, len(data))
            for path in self.folder.iterdir()
            if path.name != LOCK_FILE
            for data in [path.read_bytes()]
        }
        self._durable = dict(self._now)
        self._changes.clear()

    def create(self, path: Path) -> AppendFile:
        self.operate(path)
        content = _Content()
        file = _File(path, self, content)
        self._change(path.name, content)
        return file

    def rename(self, source: Path, target: Path) -> None:
        self.operate(source)
        super().rename(source, target)
        content = self._now.pop(source.name)
        self._now[target.name] = content
        # One change: whoever looks sees the old name or the new one.
        self._changes.append((f"{source.name}/{target.name}", content))

    def remove(self, path: Path) -> None:
        self.operate(path)
        super().remove(path)
        self._change(path.name, None)

    def sync_folder(self, path: Path) -> None:
        self.operate(path)
        super().sync_folder(path)
        self._durable = dict(self._now)
        self._changes.clear()

    def cut_power(self, changes: int, part: float) -> None:
        """Leave what is on the medium after a power cut.

        Args:
            changes: how many of the changes of names since the last sync were written.
            part: 0..1, how much was written of what was not synced.
        """
        left = dict(self._durable)
        for name, content in self._changes[:changes]:
            source, _, target = name.partition("/")
            left.pop(source, None)
            if content is not None:
                left[target or source] = content
        for path in self.folder.iterdir():
            if path.name != LOCK_FILE:
                path.unlink()
        for name, content in left.items():
            written = content.synced + int(part * (len(content.data) - content.synced))
            (self.folder / name).write_bytes(content.data[:written])
        self.look()

    def operate(self, path: Path) -> None:
        """Count an operation; end the process, or fail, as the switches say."""
        self.operations += 1
        if self.error:
            raise OSError(self.error, os.strerror(self.error), str(path))
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise CrashError

    def _change(self, name: str, content: _Content | None) -> None:
        self._changes.append((name, content))
        if content is None:
            self._now.pop(name, None)
        else:
            self._now[name] = content


class _File(AppendFile):
    def __init__(self, path: Path, files: CrashingFiles, content: _Content) -> None:
        super().__init__(path)
        self._files, self._content = files, content

    def write(self, data: bytes) -> int:
        """Write a half, and the rest unless the process ends in between."""
        half = len(data) // 2
        self._append(data[:half])
        self._files.operate(self.path)
        self._append(data[half:])
        return len(data)

    def _append(self, data: bytes) -> None:
        super().write(data)
        self._content.data += data

    def sync(self) -> None:
        self._files.operate(self.path)
        super().sync()
        self._content.synced = len(self._content.data)

"""A disk whose switches produce its failures; the files are real ones in a folder of the test."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from semantic_detection_pkg.recorder.storage.disk import AppendFile, Disk, FolderLock


class FakeDisk(Disk):
    """Set a switch and the next call fails as a real disk does.

    Attributes:
        capacity_bytes: of all files below `root`; None: as much as there is.
        error: errno of everything that changes files, EROFS or EIO say; 0: none.
        has_links: hard links work.
        slow: called before each sync.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.capacity_bytes: int | None = None
        self.error = 0
        self.has_links = True
        self.slow: Callable[[], None] = lambda: None

    def room(self) -> int:
        """Bytes that may still be written."""
        if self.capacity_bytes is None:
            return 1 << 60
        # By inode: a second name of a file takes no room.
        sizes = {
            stat.st_ino: stat.st_size
            for folder, _, names in os.walk(self.root)
            for name in names
            for stat in [os.stat(os.path.join(folder, name))]
        }
        return self.capacity_bytes - sum(sizes.values())

    def check(self, path: Path) -> None:
        """Fail as the switch says."""
        if self.error:
            raise OSError(self.error, os.strerror(self.error), str(path))

    def create(self, path: Path) -> AppendFile:
        self.check(path)
        return _FakeFile(path, self)

    def lock(self, folder: Path) -> FolderLock:
        self.check(folder)
        return super().lock(folder)

    def make_folder(self, path: Path) -> None:
        self.check(path)
        super().make_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        self.check(target)
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self.check(target)
        if self.has_links:
            super().link(source, target)
        else:
            self._copy(source, target)

    def remove(self, path: Path) -> None:
        self.check(path)
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        self.check(path)
        super().remove_folder(path)

    def free_bytes(self, folder: Path) -> int:
        if self.capacity_bytes is None:
            return super().free_bytes(folder)
        return max(0, self.room())


class _FakeFile(AppendFile):
    def __init__(self, path: Path, disk: FakeDisk) -> None:
        super().__init__(path, lambda: disk.make_room())
        self._disk = disk

    def _write_some(self, data: memoryview) -> int:
        self._disk.check(self.path)
        room = self._disk.room()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        return super()._write_some(data[:room])  # a full disk takes what still fits

    def sync(self) -> None:
        self._disk.slow()
        self._disk.check(self.path)
        super().sync()

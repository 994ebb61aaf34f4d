"""The file system as the recorder uses it: one small class, so that a fake can let it fail."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from semantic_detection_pkg.common.file_system import FULL, AppendFile, FileSystem, FolderLock

__all__ = ["FULL", "AppendFile", "Disk", "FolderLock"]

#: What hard links fail with where the file system has none, or the folder lies on another one.
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class Disk(FileSystem):
    """What changes the recorder's files. Every method may raise OSError."""

    def lock(self, folder: Path) -> FolderLock:
        """Keep other recorders out of a folder."""
        return FolderLock(folder, "recorder")

    def make_folder(self, path: Path) -> None:
        """Make one folder where there is none; its parent must exist."""
        path.mkdir(exist_ok=True)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; a copy where the file system has no hard links."""
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._copy(source, target)

    def _copy(self, source: Path, target: Path) -> None:
        file = self.create(target)
        try:
            with source.open("rb") as original:
                while block := original.read(1 << 20):
                    file.write(block)
            file.sync()
        finally:
            file.close()

    def remove_folder(self, path: Path) -> None:
        """Remove a folder with all that is in it."""
        shutil.rmtree(path)

    def free_bytes(self, folder: Path) -> int:
        """Return what may still be written to the folder's file system."""
        return shutil.disk_usage(folder).free

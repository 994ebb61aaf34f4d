"""The file system as the recorder uses it: one small class, so that a fake can let it fail."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

#: What hard links fail with where the file system has none, or the folder lies on another one.
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}

LOCK_FILE = ".lock"
IN_USE = "another recorder uses it"

#: No room, on the medium or in a quota.
FULL = {errno.ENOSPC, errno.EDQUOT}


class AppendFile:
    """A file that only grows; each write reaches the kernel before it returns.

    What the kernel has survives the end of this process, and after `sync` a power cut.
    """

    def __init__(self, path: Path, make_room: Callable[[], bool] = lambda: False) -> None:
        """Create the file.

        Args:
            make_room: called when the disk is full; if it returns true, the write goes on.

        Raises:
            OSError: it exists or cannot be made.
        """
        self.path = path
        self._make_room = make_room
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Append all of it; raises OSError, and then a part may have been written."""
        rest = memoryview(data)
        while rest:
            try:
                written = self._write_some(rest)
            except OSError as error:
                if error.errno not in FULL or not self._make_room():
                    raise
                continue
            self._bytes += written
            rest = rest[written:]
        return len(data)

    def _write_some(self, data: memoryview) -> int:
        return os.write(self._descriptor, data)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._bytes

    def flush(self) -> None:
        """Nothing: there is no buffer."""

    def sync(self) -> None:
        """Wait until all of it is on the medium."""
        os.fdatasync(self._descriptor)

    def cut(self, length: int) -> None:
        """Take back what was written beyond `length`, as far as that is possible."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, length)

    def close(self) -> None:
        """Close without sync; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def is_in_place(self) -> bool:
        """Whether the path still leads to this file: not removed, nor another disk mounted."""
        try:
            there, here = os.stat(self.path), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


class FolderLock:
    """Keeps a second recorder out of a folder; the kernel frees it when this process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            OSError: another has it (EWOULDBLOCK), or the file cannot be made.
        """
        path = folder / LOCK_FILE
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise OSError(error.errno, IN_USE, str(folder)) from error

    def release(self) -> None:
        """Give it back; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Disk:
    """What changes files. Every method may raise OSError.

    Attributes:
        make_room: called when a write finds the disk full; returns whether to try again.
    """

    def __init__(self) -> None:
        self.make_room: Callable[[], bool] = lambda: False

    def create(self, path: Path) -> AppendFile:
        """A new file to append to."""
        return AppendFile(path, lambda: self.make_room())

    def lock(self, folder: Path) -> FolderLock:
        """Keep other recorders out of a folder."""
        return FolderLock(folder)

    def make_folder(self, path: Path) -> None:
        """Make one folder where there is none; its parent must exist."""
        path.mkdir(exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Wait until names in the folder are on the medium."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give another name, replacing what has it; atomic. On the medium after `sync_folder`."""
        os.replace(source, target)

    def write_atomically(self, path: Path, data: bytes) -> None:
        """Replace a file's content: a reader, also after a power cut, sees the old or the new."""
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        file = self.create(temporary)
        try:
            file.write(data)
            file.sync()
        finally:
            file.close()
        self.rename(temporary, path)
        self.sync_folder(path.parent)

    def link(self, source: Path, target: Path) -> None:
        """A second name for a file; a copy where the file system has no hard links."""
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

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder with all that is in it."""
        shutil.rmtree(path)

    def free_bytes(self, folder: Path) -> int:
        """What may still be written to the folder's file system."""
        return shutil.disk_usage(folder).free

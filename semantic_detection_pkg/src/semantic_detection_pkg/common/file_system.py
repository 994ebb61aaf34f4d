"""What writes files so that they outlive a process or a power cut; a fake can let it fail.

The one place for that: a file takes its name only when its content is on the medium, so whoever
reads it, after a power cut, too, finds the old content or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK_FILE = ".lock"

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
        """Return the bytes written so far."""
        return self._bytes

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

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
        """Return whether the path leads to this file: not removed, no other disk mounted."""
        try:
            there, here = os.stat(self.path), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


class FolderLock:
    """Keeps a second user of a kind out of a folder; the kernel frees it when this process ends."""

    def __init__(self, folder: Path, user: str) -> None:
        """Take the lock.

        Args:
            user: what uses the folder, for the error's words.

        Raises:
            OSError: another has it (EWOULDBLOCK), or the file cannot be made.
        """
        path = folder / LOCK_FILE
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise OSError(error.errno, f"another {user} uses it", str(folder)) from error

    def release(self) -> None:
        """Give it back; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_TURN_S = 2.0  # a writer has the lock for milliseconds; one that was stopped, for ever
_TRY_PERIOD_S = 0.005


@contextlib.contextmanager
def turn_in(folder: Path, user: str) -> Iterator[None]:
    """Have a folder alone inside a `with` block, as one of several processes that write into it.

    Args:
        folder: is made where it is not there.
        user: what uses it, for the error's words.

    Raises:
        OSError: another has it for too long, or it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ends_s = time.monotonic() + _TURN_S
    while True:
        try:
            lock = FolderLock(folder, user)
            break
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK or time.monotonic() > ends_s:
                raise
        time.sleep(_TRY_PERIOD_S)
    try:
        yield
    finally:
        lock.release()


class FileSystem:
    """What changes files. Every method may raise OSError.

    Attributes:
        make_room: called when a write finds the disk full; returns whether to try again.
    """

    def __init__(self) -> None:
        self.make_room: Callable[[], bool] = lambda: False

    def create(self, path: Path) -> AppendFile:
        """Create a file to append to."""
        return AppendFile(path, lambda: self.make_room())

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
        """Replace a file's content: a reader, also after a power cut, sees the old or the new.

        What a full disk cut off does not stay: it would take the room that is left.
        """
        temporary = path.with_name(f".{path.name}.new")
        self.remove(temporary)
        try:
            file = self.create(temporary)
            try:
                file.write(data)
                file.sync()
            finally:
                file.close()
            self.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(temporary)
            raise
        self.sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

"""The files of a mission: one of what is in hand, gone when it has ended, one of results."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from semantic_detection_pkg.common.file_system import FileSystem, FolderLock
from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.scan.core.checkpoint_encoding import BYTES_MAX

FOLDER = "mission"  # in that of the recordings
NAME = "mission.checkpoint"
ENDED_NAME = "ended_goals.json"
_USER = "scan controller"
_READ_MAX = BYTES_MAX + 2_000_000
_ASIDE_MAX = 5  # files that were no checkpoints


class CheckpointFile:
    """A file in its folder, replaced as a whole.

    Whoever has opened one keeps other scan controllers out of the folder, and so away from all.
    """

    def __init__(self, folder: Path, files: FileSystem | None = None, name: str = NAME) -> None:
        """Touch nothing yet."""
        self.path = folder / name
        self._folder = folder
        self._files = files or FileSystem()
        self._lock: FolderLock | None = None

    def open(self) -> None:
        """Make the folder where there is none, and keep others out of it.

        Raises:
            StorageError: the folder cannot be made or written, or another one uses it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self._folder, _USER)
        except OSError as error:
            raise StorageError(f"folder of the mission {self._folder}: {error.strerror}") from error

    @property
    def is_open(self) -> bool:
        """Return whether the folder is this one's."""
        return self._lock is not None

    @staticmethod
    def is_in_use(error: StorageError) -> bool:
        """Return whether `open` failed since another controller uses the folder."""
        cause = error.__cause__
        return isinstance(cause, OSError) and cause.errno == errno.EWOULDBLOCK

    def close(self) -> None:
        """Let others use the folder; may be called again."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self) -> bytes | None:
        """Return the content, of a larger file only so much that it is known to be too large.

        Returns:
            None where there is no file.

        Raises:
            StorageError: it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(_READ_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"mission {self.path}: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Replace the content; it is on the medium when this returns.

        Raises:
            StorageError: it cannot be written; the content of before is still there.
        """
        try:
            self._files.write_atomically(self.path, data)
        except OSError as error:
            raise StorageError(f"mission {self.path}: {error.strerror}") from error

    def remove(self) -> None:
        """Remove the file; it is gone from the medium when this returns.

        Raises:
            StorageError: it cannot be removed.
        """
        try:
            self._files.remove(self.path)
            self._files.sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"mission {self.path}: {error.strerror}") from error

    def set_aside(self) -> Path | None:
        """Give the file another name, for people to look at; of a few the oldest is replaced.

        Returns:
            The new path; None where it could not be renamed.
        """
        numbers = range(1, _ASIDE_MAX + 1)
        names = [self.path.with_name(f"{self.path.name}.bad{number}") for number in numbers]
        free = [one for one in names if not one.exists()]
        with contextlib.suppress(OSError):
            target = free[0] if free else min(names, key=lambda one: one.lstat().st_mtime_ns)
            self._files.rename(self.path, target)
            self._files.sync_folder(self._folder)
            return target
        return None

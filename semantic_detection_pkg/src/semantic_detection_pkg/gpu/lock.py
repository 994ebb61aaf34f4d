"""A file lock that the kernel gives back when its holder dies.

`flock(2)` works between containers that see the same inode. It belongs to the open file, so a child
that inherits it would keep it: the file is closed on `exec`, and in a forked child. The file must
never be removed, because whoever makes it anew makes a second lock; that is noticed here.

Standard library only: the VLM service runs this without ROS.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from semantic_detection_pkg.gpu.errors import LockError, NoSharedFolderError

_log = logging.getLogger(__name__)

#: A blocking flock has no time-out, so it is tried again at this distance.
_RETRY_S = 0.002
_SIGNATURE_BYTES_MAX = 1024
_MODE, _FOLDER_MODE = 0o660, 0o770  # both containers share a group


class KernelLock:
    """One process's handle on a lock file. Not for use by several threads at once.

    Args:
        path: the file; it and its folder are made where they are missing.
        owner: who holds it, written into the file while it is held; see `owners`.
        clock, sleep: for tests.
    """

    def __init__(
        self,
        path: str | Path,
        owner: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = Path(path)
        self._owner = owner
        self._clock = clock
        self._sleep = sleep
        self._file: int | None = None
        _LOCKS.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this handle took the lock and has not given it back."""
        return self._file is not None

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it.

        Raises:
            LockError: the file cannot be opened, or this handle has the lock already.
        """
        if self._file is not None:
            raise LockError(f"lock {self.path} is held by this process already")
        file = open_lock_file(self.path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise LockError(f"lock {self.path}: {error.strerror}") from error
        if not self._is_at_path(file):  # replaced between opening and locking
            os.close(file)
            return False
        self._file = file
        self._sign(file)
        return True

    def acquire(self, timeout_s: float) -> None:
        """Take the lock within a time.

        Raises:
            LockError: somebody else has it all the time, or the file cannot be opened.
        """
        end_s = self._clock() + timeout_s
        while not self.try_acquire():
            if self._clock() >= end_s:
                raise LockError(f"lock {self.path} is held by another process for {timeout_s:g} s")
            self._sleep(_RETRY_S)

    def check(self) -> None:
        """Make sure that the held lock still excludes others.

        Raises:
            LockError: it is not held, or the file at its path is another one now.
        """
        if self._file is None:
            raise LockError(f"lock {self.path} is not held")
        if not self._is_at_path(self._file):
            raise LockError(
                f"lock file {self.path} was removed or replaced while held: it protects no more"
            )

    def renew(self) -> None:
        """Make sure that the lock at the path is held, or hold it again; for who may never lose it.

        Raises:
            LockError: it was lost, as its file was replaced, and somebody else holds the new one.
        """
        try:
            self.check()
        except LockError as error:
            self.release()
            self.acquire(0.0)
            _log.warning("%s; the lock is held again now", error)

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    @contextlib.contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock for a `with` block. Raises as `acquire`."""
        self.acquire(timeout_s)
        try:
            yield
        finally:
            self.release()

    def _sign(self, file: int) -> None:
        """Say in the file who holds it; a lock without a signature is a lock all the same."""
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()} {self._owner}\n".encode("utf-8", "replace"), 0)

    def _is_at_path(self, file: int) -> bool:
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(os.fstat(file), there)


def open_lock_file(path: Path) -> int:
    """Return the lock file opened, made where it is missing, as its folder is.

    Raises:
        NoSharedFolderError: its folder cannot be used.
        LockError: it cannot be opened or made.
    """
    check_folder(path)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as error:
        raise LockError(f"lock file {path}: {error.strerror}") from error
    with contextlib.suppress(OSError):  # another user's file keeps the mode it has
        os.fchmod(file, _MODE)
    return file


def check_folder(path: Path) -> None:
    """Make the folder of a file that both containers use, where it is missing.

    Raises:
        NoSharedFolderError: it is missing and cannot be made, or nothing can be made in it. A file
            that is there counts: somebody else may hold it.
    """
    folder, reason = path.parent, "it is no folder"
    try:
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
    if not folder.is_dir():
        raise NoSharedFolderError(f"folder {folder} is not there and cannot be made: {reason}")
    if not os.access(folder, os.W_OK | os.X_OK) and not os.path.lexists(path):
        raise NoSharedFolderError(f"folder {folder} cannot be written")


def is_free(path: str | Path) -> bool:
    """Return whether nobody holds the lock at this moment.

    Raises:
        LockError: the file cannot be opened.
    """
    lock = KernelLock(path)
    if not lock.try_acquire():
        return False
    lock.release()
    return True


def holder_pid(path: str | Path) -> int | None:
    """Process id of who holds the lock; None: nobody, or nobody whom this process can see.

    A holder in another PID namespace cannot be seen (man 5 proc, /proc/locks).
    """
    try:
        status = os.stat(path)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    for line in lines:
        fields = line.split()
        # 1: FLOCK ADVISORY WRITE 1234 fd:00:5678 0 EOF; waiting ones have "->" after the number
        if fields[1] == "FLOCK" and fields[5] == f"{device}:{status.st_ino}":
            return int(fields[4]) or None
    return None


class Holder(NamedTuple):
    """Who holds a lock: its process as it is seen from here, and what it says of itself."""

    pid: int
    owner: str


def find_holder(path: str | Path) -> Holder | None:
    """Return who holds the lock; None as `holder_pid`.

    The owner is empty where the file's signature is not that of the process which holds the lock:
    a process of somebody else's may hold what ours has signed before it died.
    """
    pid = holder_pid(path)
    if pid is None:
        return None
    try:
        signed, _, owner = Path(path).read_bytes()[:_SIGNATURE_BYTES_MAX].decode().partition(" ")
        is_signed = int(signed) in _names_of(pid)
    except (OSError, ValueError):
        return Holder(pid, "")
    return Holder(pid, owner.strip() if is_signed else "")


def _names_of(pid: int) -> list[int]:
    """Return a process's numbers in its PID namespaces, from ours to its own (man 5 proc)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return [int(number) for number in line.split()[1:]]
    return [pid]


def _forget_in_child() -> None:
    # Closing the copy leaves the parent's lock alone; keeping it would outlive the parent.
    for lock in _LOCKS:
        lock.release()


_LOCKS: weakref.WeakSet[KernelLock] = weakref.WeakSet()
os.register_at_fork(after_in_child=_forget_in_child)

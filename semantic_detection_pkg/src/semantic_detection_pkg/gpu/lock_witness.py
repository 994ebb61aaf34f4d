"""Whether anybody is on the GPU, told by the lock file, and by those that it has replaced.

A lock file that is removed or replaced leaves its holder with a lock that nobody else can see. Who
has the old file open still can: the witness keeps each one open as long as it is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from semantic_detection_pkg.gpu.lock import Holder, find_holder, open_lock_file

_log = logging.getLogger(__name__)


class LockWitness:
    """Watches the lock at a path; takes it for an instant only. Used by one thread.

    Raises:
        LockError: on construction, if the file cannot be opened or made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._files = [open_lock_file(self.path)]

    def is_free(self) -> bool:
        """Return whether nobody holds the lock, by the file at the path or by an older one.

        Raises:
            LockError: the file cannot be opened or made.
        """
        self._follow()
        held = [file for file in self._files if _is_held(file)]
        for file in self._files[:-1]:
            if file not in held:  # nobody can take it any more
                os.close(file)
        self._files = [file for file in self._files[:-1] if file in held] + self._files[-1:]
        return not held

    def holder(self) -> Holder | None:
        """Return who holds the oldest file that somebody holds; None as `lock.holder_pid`."""
        found = (find_holder(f"/proc/self/fd/{file}") for file in self._files)
        return next((one for one in found if one is not None), None)

    def close(self) -> None:
        """Let go of the files; may be called again."""
        while self._files:
            os.close(self._files.pop())

    def _follow(self) -> None:
        """Open what is at the path now, if it is another file."""
        with contextlib.suppress(OSError):
            there = os.stat(self.path, follow_symlinks=False)
            if os.path.samestat(os.fstat(self._files[-1]), there):
                return
        self._files.append(open_lock_file(self.path))
        _log.error("lock file %s was removed or replaced; the old one is watched, too", self.path)


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False

"""The kernel lock as the detector holds it: without one where nobody shares the GPU."""

from __future__ import annotations

import logging

from semantic_detection_pkg.gpu.errors import NoSharedFolderError
from semantic_detection_pkg.gpu.lock import KernelLock

_log = logging.getLogger(__name__)


class DetectorLock:
    """A `KernelLock` that is let be where its folder is missing: a robot without containers.

    Args:
        path: the file; "": nobody shares the GPU, and nothing is locked.
        owner: who holds it; see `owners`.
    """

    def __init__(self, path: str, owner: str) -> None:
        self._lock = KernelLock(path, owner) if path else None
        self._is_sharing = False

    def take(self, timeout_s: float) -> None:
        """Take the lock within a time. Raises LockError."""
        if self._lock is None:
            return
        try:
            self._lock.acquire(timeout_s)
            self._is_sharing = True
        except NoSharedFolderError as error:
            self._is_sharing = False
            _log.info("%s: nobody shares the GPU, it is used without the lock", error)

    def renew(self) -> None:
        """Make sure that the GPU is ours; raises LockError.

        A folder that was missing may be there now. One that was there and is gone is an error: who
        has its old files open may compute.
        """
        if self._lock is None:
            return
        try:
            self._lock.renew()
            self._is_sharing = True
        except NoSharedFolderError:
            if self._is_sharing:
                raise

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._lock is not None:
            self._lock.release()

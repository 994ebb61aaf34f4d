"""A Unix socket that nobody else serves.

Binding to a path silently takes it from a live server, if the file is removed first; and a file
without a server is what a crash leaves. A kernel lock beside the socket tells the two apart.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from semantic_detection_pkg.gpu.errors import LockError
from semantic_detection_pkg.gpu.lock import KernelLock
from vlm_bridge_pkg.errors import ConfigurationError

MAX_PATH_BYTES = 107  # sun_path of unix(7), less its NUL
_MODE = 0o660  # the other container shares the group


class Listener:
    """Owns the socket file from `__init__` to `close`."""

    def __init__(self, path: str | Path) -> None:
        """Listen.

        Raises:
            ConfigurationError: somebody serves there already, or the path cannot be used.
        """
        self.path = Path(path)
        if len(os.fsencode(self.path)) > MAX_PATH_BYTES:
            raise ConfigurationError(
                f"socket {self.path}: the path is longer than {MAX_PATH_BYTES} bytes"
            )
        self._guard = KernelLock(f"{self.path}.lock")
        try:
            is_ours = self._guard.try_acquire()
        except LockError as error:
            raise ConfigurationError(f"socket {self.path}: {error}") from error
        if not is_ours:
            raise ConfigurationError(f"socket {self.path} is served by another process already")
        try:
            self.socket = self._bind()
        except OSError as error:
            self._guard.release()
            raise ConfigurationError(f"socket {self.path}: {error.strerror}") from error
        except ConfigurationError:
            self._guard.release()
            raise

    def _bind(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                raise ConfigurationError(f"{self.path} exists and is no socket: it stays")
            os.unlink(self.path)  # nobody holds its guard: what a crash left
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # With the mask the file never has a wider mode, not for a moment.
        before = os.umask(0o777 & ~_MODE)
        try:
            listening.bind(str(self.path))
        except OSError:
            listening.close()
            raise
        finally:
            os.umask(before)
        listening.listen(16)
        return listening

    def close(self) -> None:
        """Stop listening and remove the socket's file; the lock's file stays, or it would be no
        lock."""
        self.socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        self._guard.release()

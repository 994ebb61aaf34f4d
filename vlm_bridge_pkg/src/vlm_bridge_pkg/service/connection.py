"""One connection's bytes: reading with an end, and noticing that the client has gone."""

from __future__ import annotations

import io
import select
import socket
import time


class DeadlineReader(io.RawIOBase):
    """Reads from a socket until a point in time, however small the pieces are that come."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._end_s = 0.0

    def allow(self, timeout_s: float) -> None:
        """Set the end for what comes next."""
        self._end_s = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request did not come in time")
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


def is_gone(connection: socket.socket) -> bool:
    """Return whether the other side has closed."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True

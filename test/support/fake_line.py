"""A line without a gimbal, whose switches produce its failures."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from gimbal_driver_pkg.errors import LinkError

_READ_SIZE = 4096


@dataclass
class FakeLine:
    """The cable: opens links, holds what the driver wrote, says what the gimbal would.

    Attributes:
        can_open, can_read, can_write: switches.
        is_deaf: what is written vanishes (half-open).
        frames: everything written, frame by frame.
        opened: how often it was opened.
    """

    can_open: bool = True
    can_read: bool = True
    can_write: bool = True
    is_deaf: bool = False
    frames: list[bytes] = field(default_factory=list)
    opened: int = 0
    _far_end: socket.socket | None = None

    def open(self) -> FakeLink:
        """Open the line.

        Raises:
            LinkError: `can_open` is off.
        """
        if not self.can_open:
            raise LinkError("cannot open fake: switched off")
        self.opened += 1
        near, self._far_end = socket.socketpair()
        return FakeLink(self, near)

    def say(self, data: bytes) -> None:
        """Let the gimbal send bytes."""
        assert self._far_end is not None
        self._far_end.sendall(data)

    def hang_up(self) -> None:
        """Let the gimbal close the line."""
        assert self._far_end is not None
        self._far_end.close()


class FakeLink:
    """One opening of a FakeLine."""

    url = "fake"

    def __init__(self, line: FakeLine, near: socket.socket) -> None:
        """Use FakeLine.open."""
        self._line = line
        self._socket = near
        near.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        if not self._line.can_read:
            raise LinkError("cannot read fake: switched off")
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return b""
        if not data:
            raise LinkError("cannot read fake: hung up")
        return data

    def write(self, frame: bytes) -> None:
        if not self._line.can_write:
            raise LinkError("cannot write fake: switched off")
        if not self._line.is_deaf:
            self._line.frames.append(frame)

    def close(self) -> None:
        self._socket.close()

"""What the two kinds of UDP line share: a socket that never blocks."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from gimbal_driver_pkg.links.link import host_and_port, lost

READ_SIZE = 4096

_Attach = Callable[[socket.socket, tuple[str, int]], Any]


class UdpSocket:
    """A UDP socket that is attached to the address of a URL."""

    def __init__(self, url: str, attach: _Attach) -> None:
        """Open it.

        Args:
            attach: `socket.connect` to speak with that address, `socket.bind` to listen there.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: it cannot be attached there.
        """
        self.url = url
        address = host_and_port(url)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            attach(self._socket, address)
        except OSError as error:
            self.close()
            raise lost(url, "open", error) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

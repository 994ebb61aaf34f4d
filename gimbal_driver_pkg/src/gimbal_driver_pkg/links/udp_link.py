"""A UDP conversation with one gimbal."""

from __future__ import annotations

import contextlib
import socket

from gimbal_driver_pkg.links.link import host_and_port, lost

_READ_SIZE = 4096


class UdpLink:
    """Datagrams to and from one address; a refused datagram is a lost line."""

    def __init__(self, url: str) -> None:
        """Open udp://host:port.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: the host is not known.
        """
        self.url = url
        address = host_and_port(url)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(address)
        except OSError as error:
            self.close()
            raise lost(url, "open", error) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            return self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise lost(self.url, "read", error) from error

    def write(self, frame: bytes) -> None:
        try:
            self._socket.send(frame)
        except OSError as error:
            raise lost(self.url, "write", error) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

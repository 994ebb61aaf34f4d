"""A UDP conversation with one gimbal."""

from __future__ import annotations

import socket

from gimbal_driver_pkg.links.link import lost
from gimbal_driver_pkg.links.udp_socket import READ_SIZE, UdpSocket


class UdpLink(UdpSocket):
    """Datagrams to and from one address; a refused datagram is a lost line."""

    def __init__(self, url: str) -> None:
        """Open udp://host:port.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: the host is not known.
        """
        super().__init__(url, socket.socket.connect)

    def read(self) -> bytes:
        try:
            return self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise lost(self.url, "read", error) from error

    def write(self, frame: bytes) -> None:
        try:
            self._socket.send(frame)
        except OSError as error:
            raise lost(self.url, "write", error) from error

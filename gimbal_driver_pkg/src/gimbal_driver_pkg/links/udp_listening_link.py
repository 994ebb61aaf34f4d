"""A UDP port at which somebody speaks to us: a MAVLink router, or the vehicle itself."""

from __future__ import annotations

import socket

from gimbal_driver_pkg.links.link import lost
from gimbal_driver_pkg.links.udp_socket import READ_SIZE, UdpSocket

SCHEME = "udpin://"


class UdpListeningLink(UdpSocket):
    """Datagrams to an address of ours; answers go to who spoke last, to nobody before."""

    def __init__(self, url: str) -> None:
        """Open udpin://address:port.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: there is no such address here, or the port is in use.
        """
        super().__init__(url, socket.socket.bind)
        self._peer: tuple[str, int] | None = None

    def read(self) -> bytes:
        try:
            data, self._peer = self._socket.recvfrom(READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise lost(self.url, "read", error) from error
        return data

    def write(self, frame: bytes) -> None:
        if self._peer is None:
            return
        try:
            self._socket.sendto(frame, self._peer)
        except (BlockingIOError, ConnectionRefusedError):
            return  # the other end may come back
        except OSError as error:
            raise lost(self.url, "write", error) from error

"""A UDP port at which somebody speaks to us: a MAVLink router, or the vehicle itself."""

from __future__ import annotations

import contextlib
import socket

from gimbal_driver_pkg.links.link import host_and_port, lost

SCHEME = "udpin://"
_READ_SIZE = 4096


class UdpListeningLink:
    """Datagrams to an address of ours; answers go to who spoke last, to nobody before."""

    def __init__(self, url: str) -> None:
        """Open udpin://address:port.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: there is no such address here, or the port is in use.
        """
        self.url = url
        address = host_and_port(url)
        self._peer: tuple[str, int] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind(address)
        except OSError as error:
            self.close()
            raise lost(url, "open", error) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            data, self._peer = self._socket.recvfrom(_READ_SIZE)
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

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

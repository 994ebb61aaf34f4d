"""A serial device or a TCP connection, by pyserial."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

import serial

from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.links.link import host_and_port, lost

_READ_SIZE = 4096
_WRITE_TIMEOUT_S = 0.2


class SerialLink:
    """pyserial reports a loss in many ways, all of them OSErrors; here they are all LinkErrors."""

    def __init__(self, url: str, baud: int) -> None:
        """Open a device or socket://host:port.

        Raises:
            InvalidValueError: the URL is malformed.
            LinkError: it cannot be opened: missing, in use, refused.
        """
        self.url = url
        if self._is_tcp:
            host_and_port(url)
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
            )
        except OSError as error:
            raise lost(url, "open", error) from error
        except ValueError as error:
            raise InvalidValueError(
                f"url: {url!r}, allowed are a device, socket://host:port, udp://host:port ({error})"
            ) from error
        if self._is_tcp:
            self._send_at_once()

    def fileno(self) -> int:
        return int(self._port.fileno())

    def read(self) -> bytes:
        try:
            return bytes(self._port.read(_READ_SIZE))
        except OSError as error:
            raise lost(self.url, "read", error) from error

    def write(self, frame: bytes) -> None:
        try:
            self._port.write(frame)
        except OSError as error:
            raise lost(self.url, "write", error) from error

    def close(self) -> None:
        if self._is_tcp:
            # pyserial sleeps 0.3 s after closing a socket; nobody has to wait for that.
            threading.Thread(target=self._close, name="serial close", daemon=True).start()
        else:
            self._close()

    @property
    def _is_tcp(self) -> bool:
        return self.url.startswith("socket://")

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()

    def _send_at_once(self) -> None:
        """Switch Nagle's algorithm off: it costs up to 50 ms a frame, and pyserial leaves it on."""
        try:
            with socket.socket(fileno=os.dup(self._port.fileno())) as same:
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self.close()
            raise LinkError(f"cannot open {self.url}: {error}") from error

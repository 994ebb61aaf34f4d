"""What the driver needs of a line to a gimbal, and what all lines share; see `opening`."""

from __future__ import annotations

import errno
import os
from typing import Protocol
from urllib.parse import urlsplit

from gimbal_driver_pkg.core.settings import BAUD_RATES
from gimbal_driver_pkg.errors import InvalidValueError, LinkError


class Link(Protocol):
    """An open line. All methods raise LinkError once it is lost; then only `close` is left."""

    url: str

    def fileno(self) -> int:
        """Return the descriptor to wait on for something to read."""

    def read(self) -> bytes:
        """Return what is there, without waiting; nothing is b""."""

    def write(self, frame: bytes) -> None:
        """Send one frame in one piece."""

    def close(self) -> None:
        """Let go of the line; never raises."""


def check_line(url: str, baud: int) -> None:
    """Check a line's URL and baud rate without opening it.

    Raises:
        InvalidValueError: one of them cannot be right.
    """
    if baud not in BAUD_RATES:
        raise InvalidValueError(f"baud: {baud}, allowed are {', '.join(map(str, BAUD_RATES))}")
    if "://" in url:
        host_and_port(url)


def host_and_port(url: str) -> tuple[str, int]:
    """Return both parts of scheme://host:port.

    Raises:
        InvalidValueError: one is missing.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # not a port
        host = port = None
    if not host or not port:
        raise InvalidValueError(f"url: {url!r}, allowed is {parts.scheme}://host:port")
    return host, port


def lost(url: str, doing: str, error: OSError) -> LinkError:
    """Return the error of a line that failed while `doing` ("open" say)."""
    # pyserial wraps the system's error and loses its number.
    cause = error.__context__ if error.errno is None else error
    number = getattr(cause, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        reason = "in use by another program"
    elif number is not None and number > 0:
        reason = os.strerror(number)
    else:
        reason = getattr(cause, "strerror", None) or str(error)
    return LinkError(f"cannot {doing} {url}: {reason}")

"""The lines on which the mock gimbal is reached: TCP connections, datagrams, a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gimbal_driver_pkg.errors import LinkError

_READ_SIZE = 4096
_UNPLUGGED = -1


class Host(Protocol):
    """Whom the lines belong to. A client is known by `key`."""

    def join(self, key: object, write: Callable[[bytes], None], is_tcp: bool) -> None:
        """Take a new client, who is answered through `write`."""

    def leave(self, key: object) -> None:
        """Forget a client."""

    def receive(self, key: object, data: bytes) -> None:
        """Take what a client sent."""

    def knows(self, key: object) -> bool:
        """Tell whether there is such a client."""


async def opened(opening: Any, kind: str, host: str, port: int) -> Any:
    """Await the opening of a line.

    Raises:
        LinkError: it cannot be opened, a port in use say.
    """
    try:
        return await opening
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise LinkError(f"cannot listen on {kind} {host}:{port}: {reason}") from error


class Connection(asyncio.Protocol):
    """One TCP client."""

    def __init__(self, host: Host) -> None:
        """Wait for a client of `host`."""
        self._host = host

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host.join(self, self._write, is_tcp=True)

    def data_received(self, data: bytes) -> None:
        self._host.receive(self, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._host.leave(self)

    def cut(self) -> None:
        """Close it at once."""
        self._transport.abort()
        self._host.leave(self)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


class Datagrams(asyncio.DatagramProtocol):
    """All UDP clients, each known by its address."""

    def __init__(self, host: Host) -> None:
        """Wait for clients of `host`."""
        self._host = host

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._host.knows(addr):
            self._host.join(addr, lambda reply: self._write(reply, addr), is_tcp=False)
        self._host.receive(addr, data)

    def _write(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)


class Terminal:
    """A pseudo-terminal under a name of its own: a serial cable that can be unplugged."""

    def __init__(self, host: Host, path: Path) -> None:
        """Offer it as `path`.

        Raises:
            LinkError: something else has that name.
        """
        self._host = host
        self._path = path
        if path.exists() and not path.is_symlink():
            raise LinkError(f"cannot offer a serial line as {path}: something else has that name")
        self._plug()

    def replug(self) -> None:
        """Unplug the cable and plug it in again: who had it open loses it."""
        self._unplug()
        self._plug()

    def close(self) -> None:
        """Take it away."""
        self._unplug()
        self._path.unlink(missing_ok=True)

    def _plug(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._path.unlink(missing_ok=True)
        # Kept open here too: without any holder of the slave every read of the master fails.
        self._path.symlink_to(os.ttyname(self._slave))
        self._host.join(self, self._write, is_tcp=False)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _unplug(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        self._host.leave(self)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = _UNPLUGGED

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._host.receive(self, os.read(self._master, _READ_SIZE))

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads: a real line loses the bytes too
            os.write(self._master, data)

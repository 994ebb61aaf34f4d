"""Lines to a TAK server, TCP or TLS, and to a group, UDP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from typing import Protocol

from semantic_detection_pkg.tak.core.server_address import ServerAddress

_OPEN_TIMEOUT_S = 5.0
_STUCK_S = 10.0  # who takes nothing for so long is gone
_ROOM_BYTES = 64_000  # waiting; what is newer than that waits in the outbox, where it is replaced
_CHUNK_BYTES = 65_536
_DATAGRAMS_MAX = 200  # waiting
_MS_PER_S = 1000


class LineLostError(Exception):
    """There is no line; the message is one line that says why."""


class Line(Protocol):
    """What the link talks by; all but `close` raise LineLostError."""

    @property
    def has_room(self) -> bool:
        """Whether it takes more now."""

    @property
    def is_sending(self) -> bool:
        """Whether something waits to be taken."""

    @property
    def has_pending(self) -> bool:
        """Whether bytes have come that `select` does not know of."""

    def fileno(self) -> int:
        """Return what `select` waits for."""

    def send(self, event: bytes) -> None:
        """Queue an event."""

    def flush(self) -> None:
        """Send what is taken now."""

    def receive(self) -> bytes:
        """Return what has come."""

    def close(self) -> None:
        """Let go of it."""


class StreamLine:
    """A connection to a server; it is blocked by nobody."""

    def __init__(self, server: ServerAddress, context: ssl.SSLContext | None, name: str) -> None:
        """Connect.

        Args:
            context: of TLS; None: plain TCP.
            name: in the server's certificate.
        """
        self._server = server
        self._waiting = bytearray()
        self._moved_s = time.monotonic()
        try:
            plain = socket.create_connection((server.host, server.port), _OPEN_TIMEOUT_S)
        except OSError as error:
            raise LineLostError(describe(error, server)) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A cable that is pulled is noticed by what is not confirmed.
            timeout_ms = round(_STUCK_S * _MS_PER_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket = (
                plain if context is None else context.wrap_socket(plain, server_hostname=name)
            )
            self._socket.setblocking(False)
        except OSError as error:
            plain.close()
            raise LineLostError(describe(error, server)) from error

    @property
    def has_room(self) -> bool:
        """Whether it takes more now."""
        return len(self._waiting) < _ROOM_BYTES

    @property
    def is_sending(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._waiting)

    @property
    def has_pending(self) -> bool:
        """Whether TLS holds bytes that `select` does not know of."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self._socket.fileno()

    def send(self, event: bytes) -> None:
        """Queue an event."""
        if not self._waiting:
            self._moved_s = time.monotonic()
        self._waiting += event

    def flush(self) -> None:
        """Send what is taken now."""
        while self._waiting:
            try:
                sent = self._socket.send(self._waiting[:_CHUNK_BYTES])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if time.monotonic() - self._moved_s > _STUCK_S:
                    raise LineLostError(f"nothing was taken for {_STUCK_S:g} s") from None
                return
            except OSError as error:
                raise LineLostError(describe(error, self._server)) from error
            del self._waiting[:sent]
            self._moved_s = time.monotonic()

    def receive(self) -> bytes:
        """Return what has come."""
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as error:
            raise LineLostError(describe(error, self._server)) from error
        if not data:
            raise LineLostError("the server has closed the line")
        return data

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._socket.close()


class DatagramLine:
    """An event a packet, to a host or a group of UDP."""

    def __init__(
        self, server: ServerAddress, interface: str = "", ttl: int = 1, *, listens: bool = False
    ) -> None:
        """Make the socket.

        Args:
            interface: IPv4 address of this machine on the group's network; empty: the system's.
            ttl: routers that a packet to a group may pass.
            listens: take what others tell the group, too.
        """
        self._server = server
        self._waiting: list[bytes] = []
        try:
            self._address = socket.getaddrinfo(
                server.host, server.port, socket.AF_INET, socket.SOCK_DGRAM
            )[0][4]
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        except OSError as error:
            raise LineLostError(describe(error, server)) from error
        try:
            self._socket.setblocking(False)
            self._join(server, interface, ttl, listens=listens)
        except OSError as error:
            self._socket.close()
            raise LineLostError(describe(error, server)) from error

    def _join(self, server: ServerAddress, interface: str, ttl: int, *, listens: bool) -> None:
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        if interface:
            packed = socket.inet_aton(interface)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
        if not (listens and server.is_multicast):
            return
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((server.host, server.port))
        member = struct.pack(
            "4s4s", socket.inet_aton(server.host), socket.inet_aton(interface or "0.0.0.0")
        )
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    @property
    def has_room(self) -> bool:
        """Whether it takes more now."""
        return len(self._waiting) < _DATAGRAMS_MAX

    @property
    def is_sending(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._waiting)

    @property
    def has_pending(self) -> bool:
        """Whether bytes have come that `select` does not know of: never."""
        return False

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self._socket.fileno()

    def send(self, event: bytes) -> None:
        """Queue an event."""
        self._waiting.append(event)

    def flush(self) -> None:
        """Send what is taken now."""
        while self._waiting:
            try:
                self._socket.sendto(self._waiting[0], self._address)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                pass  # an earlier packet met nobody; that is how UDP is
            except OSError as error:
                raise LineLostError(describe(error, self._server)) from error
            del self._waiting[0]

    def receive(self) -> bytes:
        """Return what has come."""
        try:
            return self._socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, ConnectionRefusedError):
            return b""
        except OSError as error:
            raise LineLostError(describe(error, self._server)) from error

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._socket.close()


def describe(error: OSError, server: ServerAddress) -> str:
    """Return in words, on one line, why a line is lost."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        if "alert" in reason or "certificate" in reason:
            return f"the server refuses this robot's certificate: {reason}"
        return f"no TLS with {server.host}: {reason}"
    if isinstance(error, socket.gaierror):
        return f"host {server.host}: {(error.strerror or 'unknown').lower()}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error) or type(error).__name__).lower()

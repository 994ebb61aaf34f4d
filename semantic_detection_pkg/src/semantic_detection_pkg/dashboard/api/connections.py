"""Connections of the web server: each request has a deadline, each address a limit.

uvicorn takes a class for its protocols; what it leaves to a proxy in front is added to its own
here. A client that sends a request in small pieces or not at all, or does not read its answer,
costs one connection for some seconds, and never the last file that this process may open.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from semantic_detection_pkg.dashboard.api.connection_limit import BODY_BYTES_MAX, body_bytes_max
from semantic_detection_pkg.dashboard.core.connection_rules import (
    ConnectionLimits,
    OpenConnections,
)
from semantic_detection_pkg.dashboard.core.guesses import network_of

REQUEST_TIMEOUT_S = 5.0  # for a whole request to come in
#: For a large one that is let in: 64 MiB at 5 Mbit/s.
LARGE_REQUEST_TIMEOUT_S = 110.0
_READ_TIMEOUT_S = 30.0  # for a client to take the next part of its answer
#: Accepted at a go, before the limits are looked at; more than that wait in the kernel.
ACCEPTED_AT_A_GO = 64
_QUEUE = 1024
_LATE = b"the request did not come in time"

#: States in which a request is not whole.
_INCOMPLETE = (h11.IDLE, h11.SEND_BODY)


def protocols(pages_max: int) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """Return the protocols of one server, for HTTP and WebSockets, with limits of their own.

    Args:
        pages_max: WebSockets that the application lets in; there is room for as many more that are
            being refused or closed.
    """
    files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    requests: OpenConnections[_GuardedHttp] = OpenConnections(ConnectionLimits.of_files(files_max))
    sockets: OpenConnections[_GuardedSocket] = OpenConnections(
        ConnectionLimits(2 * pages_max, 2 * pages_max)
    )
    return (
        type("GuardedHttp", (_GuardedHttp,), {"opened": requests}),
        type("GuardedSocket", (_GuardedSocket,), {"opened": sockets}),
    )


class Server(uvicorn.Server):
    """uvicorn's server with room in the kernel for those that wait to be accepted."""

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Listen; the library accepts as many at a go as it lets wait."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)


class _GuardedHttp(H11Protocol):
    """HTTP/1.1 whose requests must come in whole in time, and whose answers must be taken.

    A WebSocket leaves it with its handshake.
    """

    opened: OpenConnections[_GuardedHttp]
    _address = "?"
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _has_more_time = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        if self.client is not None:
            self._address = network_of(self.client[0])
        for other in self.opened.enter(self._address, self):
            other.transport.abort()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._look()
        else:  # between two requests the library's own limit holds
            self.opened.set_busy(self._address, self, is_busy=False)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel_stalled()
        self._stalled = self.loop.call_later(_READ_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_stalled()
        super().resume_writing()

    def _leave(self) -> None:
        self.opened.leave(self._address, self)
        self._cancel_deadline()
        self._cancel_stalled()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self) -> None:
        """Have a deadline exactly while a request is not whole."""
        if self.transport.get_protocol() is not self or self.transport.is_closing():
            return
        is_whole = self.conn.their_state not in _INCOMPLETE
        self.opened.set_busy(self._address, self, is_busy=is_whole)
        if is_whole:
            self._cancel_deadline()
            self._has_more_time = False
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self._end_late)
        elif self._is_large and not self._has_more_time:
            self._cancel_deadline()
            self._has_more_time = True
            self._deadline = self.loop.call_later(LARGE_REQUEST_TIMEOUT_S, self._end_late)

    @property
    def _is_large(self) -> bool:
        """Whether the gate has let in a request whose body may be large."""
        is_in_body = self.conn.their_state is h11.SEND_BODY and self.scope is not None
        return is_in_body and body_bytes_max(self.scope) > BODY_BYTES_MAX

    def _end_late(self) -> None:
        """Close; who has begun a request is told why."""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0] or self.conn.their_state is h11.SEND_BODY:
            with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way
                self.transport.write(_too_late(self.conn))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # who waits for the rest of the body need not
            self.cycle.message_event.set()
        self.transport.close()


class _GuardedSocket(WebSocketsSansIOProtocol):
    """A WebSocket; one that was closed, whose peer does not say so, goes for a new one."""

    opened: OpenConnections[_GuardedSocket]
    _address = "?"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.client is not None:
            self._address = network_of(self.client[0])
        for other in self.opened.enter(self._address, self):
            other.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.opened.leave(self._address, self)
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        await super().send(message)
        is_page = self.handshake_complete and not self.close_sent
        self.opened.set_busy(self._address, self, is_busy=is_page)


def _too_late(connection: h11.Connection) -> bytes:
    """Return the answer 408; LocalProtocolError where none may be sent."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(_LATE)).encode()))
    head = connection.send(
        h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
    )
    body = connection.send(h11.Data(data=_LATE))
    return (head or b"") + (body or b"")

"""The mock gimbal on real lines, for any number of clients at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from gimbal_driver_pkg.mock import control
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.conversations import new_conversation
from gimbal_driver_pkg.mock.faults import InjectedFaults
from gimbal_driver_pkg.mock.lines import Connection, Datagrams, Terminal, opened
from gimbal_driver_pkg.mock.peer import Peer

_UDP_FORGET_S = 60.0


class MockServer:
    """Serves one gimbal. Lives in one asyncio loop."""

    def __init__(
        self, gimbal: MockGimbal, faults: InjectedFaults | None = None, seed: int = 0
    ) -> None:
        """Serve `gimbal`; `seed` makes the dice of the faults repeat."""
        self.gimbal = gimbal
        self.faults = faults or InjectedFaults()
        self._peers: dict[object, Peer] = {}
        self._seed = seed
        self._closers: list[Callable[[], None]] = []
        self._terminals: list[Terminal] = []
        self._woken = asyncio.Event()
        self._frames_of_the_gone = 0

    async def listen_tcp(self, host: str, port: int) -> int:
        """Accept clients on a TCP port (0: any free one) and return its number.

        Raises:
            LinkError: the port cannot be had.
        """
        opening = asyncio.get_running_loop().create_server(lambda: Connection(self), host, port)
        server = await opened(opening, "tcp", host, port)
        self._closers.append(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def listen_udp(self, host: str, port: int) -> int:
        """Answer datagrams on a UDP port (0: any free one) and return its number.

        Raises:
            LinkError: the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        opening = loop.create_datagram_endpoint(lambda: Datagrams(self), (host, port))
        transport, _ = await opened(opening, "udp", host, port)
        self._closers.append(transport.close)
        return int(transport.get_extra_info("sockname")[1])

    def open_terminal(self, path: str) -> None:
        """Offer a pseudo-terminal under the name `path`.

        Raises:
            LinkError: something else has that name.
        """
        terminal = Terminal(self, Path(path))
        self._terminals.append(terminal)
        self._closers.append(terminal.close)

    async def listen_control(self, host: str, port: int) -> int:
        """Take orders (see `control`) on a TCP port (0: any free one) and return its number.

        Raises:
            LinkError: the port cannot be had.
        """
        opening = asyncio.start_server(self._converse, host, port)
        server = await opened(opening, "tcp", host, port)
        self._closers.append(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def serve(self) -> None:
        """Send what comes by itself, until cancelled."""
        while True:
            now_s = self.advance()
            for key, peer in list(self._peers.items()):
                peer.push(self.faults, now_s)
                if isinstance(key, tuple) and now_s - peer.heard_at_s > _UDP_FORGET_S:
                    self.leave(key)
            due_s = min(
                (p.conversation.next_push_s() for p in self._peers.values()), default=math.inf
            )
            wait_s = None if due_s == math.inf else max(0.0, due_s - time.monotonic())
            self._woken.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    def close(self) -> None:
        """Close all lines."""
        self._cut_connections()
        for close in reversed(self._closers):
            close()
        self._closers.clear()

    def cut(self) -> None:
        """Close all connections, unplug the serial lines; clients may come back at once."""
        self._cut_connections()
        for terminal in self._terminals:
            terminal.replug()

    def advance(self) -> float:
        """Let the gimbal move on to now, unless it is frozen, and return the time."""
        now_s = time.monotonic()
        body = self.gimbal.body
        (body.freeze if self.faults.freeze else body.advance)(now_s)
        return now_s

    def wake(self) -> None:
        """Look again at what is due."""
        self._woken.set()

    @property
    def client_count(self) -> int:
        """Clients connected now."""
        return len(self._peers)

    @property
    def intact_frames(self) -> int:
        """Frames that left whole, to all clients there ever were."""
        return self._frames_of_the_gone + sum(p.line.intact_frames for p in self._peers.values())

    def join(self, key: object, write: Callable[[bytes], None], is_tcp: bool) -> None:
        """Take a new client, who is answered through `write`."""
        now_s = time.monotonic()
        self._seed += 1
        conversation = new_conversation(self.gimbal, now_s, is_tcp)
        later = asyncio.get_running_loop().call_later
        self._peers[key] = Peer(conversation, write, later, now_s, self._seed)
        self.wake()

    def leave(self, key: object) -> None:
        """Forget a client."""
        peer = self._peers.pop(key, None)
        self._frames_of_the_gone += peer.line.intact_frames if peer else 0

    def receive(self, key: object, data: bytes) -> None:
        """Let the gimbal hear what a client sent."""
        peer = self._peers.get(key)
        if peer:
            peer.receive(data, self.faults, self.advance())
            self.wake()

    def knows(self, key: object) -> bool:
        """Tell whether there is such a client."""
        return key in self._peers

    def _cut_connections(self) -> None:
        for key in list(self._peers):
            if isinstance(key, Connection):
                key.cut()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            while line := await reader.readline():
                writer.write(json.dumps(control.reply(self, line)).encode() + b"\n")
                await writer.drain()

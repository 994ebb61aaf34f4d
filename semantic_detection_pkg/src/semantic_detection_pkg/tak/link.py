"""Keeps a line to a TAK server or a group alive, tells what is in the outbox, takes what comes.

One thread does all of it: nobody who tells something waits for the network. A line that is lost is
opened again, with waits that double; then everything that stands is told anew.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from ros_support_pkg.core.backoff import Backoff
from semantic_detection_pkg.tak.core.events import CotEvent
from semantic_detection_pkg.tak.core.outbox import Outbox
from semantic_detection_pkg.tak.core.server_address import ServerAddress
from semantic_detection_pkg.tak.cot_xml import EventStream, HeardEvent, to_xml
from semantic_detection_pkg.tak.lines import Line, LineLostError

_log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.5
_STEADY_S = 5.0  # a line that stood so long was a good one: TLS 1.3 refuses after the handshake
_WAIT_S = 0.5  # longest, for what is due by time
_BATCH = 50  # events at a time
_HEARD_MAX = 100
_JOIN_S = 2.0


class TakLink:
    """Tells events, for any thread."""

    def __init__(
        self,
        server: ServerAddress,
        open_line: Callable[[], Line],
        longest_wait_s: float = 10.0,
        is_wanted: Callable[[HeardEvent], bool] = lambda _: True,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            open_line: raises LineLostError where that fails.
            is_wanted: which of the events that come are kept; called in the link's thread.
            clock_ns: of the outside, for the events' times.
        """
        self._server = server
        self._open_line = open_line
        self._backoff = Backoff(_FIRST_WAIT_S, max(longest_wait_s, _FIRST_WAIT_S))
        self._is_wanted = is_wanted
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._outbox = Outbox()
        self._heard: deque[HeardEvent] = deque(maxlen=_HEARD_MAX)
        self._ending = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._wake_read.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="tak line", daemon=True)
        self.error = "not opened yet"
        """Why there is no line; empty while there is one."""
        self.told = 0
        """Events that were given to the line."""
        self.refused = 0
        """Pieces that came and were no event."""

    def start(self) -> None:
        """Begin; the server need not be there."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of the line."""
        self._ending.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        if not self._thread.is_alive():
            self._wake_read.close()
            self._wake_write.close()

    def tell(self, event: CotEvent) -> None:
        """Tell of something, or something newer of it."""
        with self._lock:
            self._outbox.put(event, time.monotonic())
        self._wake()

    def withdraw(self, uid: str) -> None:
        """Have something that was told go stale at once."""
        with self._lock:
            self._outbox.withdraw(uid, time.monotonic())
        self._wake()

    def heard(self) -> list[HeardEvent]:
        """Return what was wanted and came since the last call, the newest where it was too much."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._heard.popleft())
        return found

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b".")

    def _run(self) -> None:
        while not self._ending.is_set():
            opened_s = time.monotonic()
            try:
                with contextlib.closing(self._open_line()) as line:
                    self._report("")
                    self._converse(line)
            except LineLostError as error:
                self._report(str(error))
            if time.monotonic() - opened_s >= _STEADY_S:
                self._backoff.succeeded()
            self._ending.wait(self._backoff.failed())

    def _converse(self, line: Line) -> None:
        """Talk until the line is lost or the link is stopped."""
        stream = EventStream()
        with self._lock:
            self._outbox.tell_all_again()
        while not self._ending.is_set():
            if line.has_room:
                self._tell_due(line)
            waiting = [line.fileno()] if line.is_sending else []
            wake = self._wake_read.fileno()
            ready, _, _ = select.select([line.fileno(), wake], waiting, [], _WAIT_S)
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            if line.fileno() in ready or line.has_pending:
                self._heard.extend(filter(self._is_wanted, stream.feed(line.receive())))
                self.refused = stream.refused
            line.flush()

    def _tell_due(self, line: Line) -> None:
        with self._lock:
            due = self._outbox.due(time.monotonic(), _BATCH)
        now_ns = self._clock_ns()
        for event in due:
            line.send(to_xml(event, now_ns))
        self.told += len(due)
        if len(due) == _BATCH:
            self._wake()  # there is more

    def _report(self, error: str) -> None:
        """Say once what is wrong, or that it is well again."""
        if error == self.error:
            return
        before, self.error = self.error, error
        if error:
            _log.warning("%s: %s", self._server, error)
        elif before:
            _log.info("%s: the line is open", self._server)

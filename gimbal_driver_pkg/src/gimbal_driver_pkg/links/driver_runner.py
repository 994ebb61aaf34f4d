"""Gives a driver a line, a thread and a clock; keeps the line alive.

One thread waits for bytes and for what is due, opens the line anew when it is lost or silent, and
sends. Callers' commands leave in the caller's own thread, at once: a lock guards the driver.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from gimbal_driver_pkg.errors import LinkError
from gimbal_driver_pkg.links.last_will import SILENCE_S, LastWill
from gimbal_driver_pkg.links.link import Link
from ros_support_pkg.core.backoff import Backoff

_LONGEST_WAIT_S = 0.1
_BEAT_S = 0.03
"""[s] Several fall into the silence after which the last will acts: one may be late."""
_JOIN_S = 3.0

_log = logging.getLogger(__name__)


class Driver(Protocol):
    """Who speaks on a line and listens: `core.driver.GimbalDriver`, `core.vehicle_line`."""

    def opened(self, now_s: float) -> None:
        """Begin on a new line."""

    def closed(self) -> None:
        """Note that the line is lost."""

    def receive(self, data: bytes, now_s: float) -> None:
        """Take bytes."""

    def tick(self, now_s: float) -> None:
        """Do what is due."""

    def due_s(self) -> float:
        """Return when `tick` must run next."""

    def take_frames(self) -> list[bytes]:
        """Return what has to leave now."""

    def is_silent(self, now_s: float) -> bool:
        """Tell whether the line is dead though open."""

    def stop(self, now_s: float) -> None:
        """Stop what moves."""

    def interrupted(self, now_s: float) -> None:
        """Say again what moves."""

    @property
    def has_heard(self) -> bool:
        """Whether an intact frame has come over this line."""

    @property
    def is_moving(self) -> bool:
        """Whether something may be moving because of us."""

    @property
    def stop_frame(self) -> bytes:
        """What stops it."""

    @property
    def addressee(self) -> Hashable:
        """Whom `stop_frame` is for."""


_T = TypeVar("_T")
_D = TypeVar("_D", bound=Driver)


class DriverRunner(Generic[_D]):
    """Runs one driver on one line."""

    def __init__(
        self,
        driver: _D,
        open_line: Callable[[], Link],
        has_last_will: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Run `driver` on what `open_line` opens; it raises LinkError when it cannot be opened."""
        self.reconnects = -1
        """Times that the line was opened again."""
        self.error = "not opened yet"
        """Why there is no line now; "" while there is one."""
        self._driver = driver
        self._open_line = open_line
        self._clock = clock
        self._lock = threading.RLock()
        self._link: Link | None = None
        self._write_error: LinkError | None = None
        self._last_will = LastWill() if has_last_will else None
        self._beat_s = -math.inf
        self._was_moving = False
        self._held_for: Hashable = None
        self._is_ending = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="gimbal line", daemon=True)

    def start(self) -> None:
        """Begin; the line need not be there yet."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the gimbal and let go of the line; a second call does nothing."""
        if self._is_ending.is_set():
            return
        self._is_ending.set()
        self._wake()
        self._thread.join(_JOIN_S)
        if self._last_will:
            self._last_will.close()
        if not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)

    def call(self, work: Callable[[_D, float], _T]) -> _T:
        """Run `work` on the driver now and send what comes of it before returning."""
        with self._lock:
            due_before_s = self._driver.due_s()
            result = work(self._driver, self._clock())
            self._send()
            is_due_sooner = self._driver.due_s() < due_before_s
        if is_due_sooner:
            self._wake()
        return result

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff()
        while not self._is_ending.is_set():
            try:
                link = self._open_line()
            except LinkError as error:
                self._report(str(error))
                self._is_ending.wait(backoff.failed())
                continue
            try:
                self._converse(link, backoff)
            except LinkError as error:
                self._report(str(error))
            finally:
                self._let_go(link)
            self._is_ending.wait(0.0 if self._is_ending.is_set() else backoff.failed())

    def _converse(self, link: Link, backoff: Backoff) -> None:
        """Talk until the line is lost (LinkError) or the runner is stopped."""
        self._take(link)
        while not self._is_ending.is_set():
            with self._lock:
                wait_s = self._wait_s(self._clock())
            ready, _, _ = select.select([link.fileno(), self._wake_read], [], [], wait_s)
            if self._wake_read in ready:
                os.read(self._wake_read, 64)
            data = link.read() if link.fileno() in ready else b""
            with self._lock:
                now_s = self._clock()
                if data:
                    self._driver.receive(data, now_s)
                else:
                    self._driver.tick(now_s)
                self._send()
                if self._write_error:
                    raise self._write_error
                if self._driver.is_silent(now_s):
                    raise LinkError(f"{link.url} is silent")
                if self._driver.has_heard:
                    backoff.succeeded()
        with self._lock:
            self._driver.stop(self._clock())
            self._send()

    def _take(self, link: Link) -> None:
        with self._lock:
            self._link = link
            self._write_error = None
            self.reconnects += 1
            self.error = ""
            self._hold()
            self._driver.opened(self._clock())
            self._send()
        _log.info("line %s is open", link.url)

    def _let_go(self, link: Link) -> None:
        with self._lock:
            self._link = None
            self._driver.closed()
            if self._last_will:
                self._last_will.drop()
        link.close()

    def _send(self) -> None:
        """Write what the driver wants to say, a frame a write. The lock is held."""
        frames = self._driver.take_frames()
        if self._link is None:
            return
        try:
            for frame in frames:
                self._link.write(frame)
        except LinkError as error:
            self._write_error = error  # whoever wrote: the thread opens the line anew
            self._wake()
        self._beat()

    def _wait_s(self, now_s: float) -> float:
        """Return for how long there is nothing to do unless something comes. The lock is held."""
        due_s = self._driver.due_s()
        if self._last_will and self._driver.is_moving:
            due_s = min(due_s, self._beat_s + _BEAT_S)
        return min(max(0.0, due_s - now_s), _LONGEST_WAIT_S)

    def _hold(self) -> None:
        """Hand the line and what stops the gimbal to the last will."""
        if self._last_will and self._link:
            self._held_for = self._driver.addressee
            self._was_moving = False  # as the last will takes it
            self._last_will.hold(self._link.fileno(), self._driver.stop_frame)

    def _beat(self) -> None:
        """Tell the last will whether the gimbal moves."""
        if not self._last_will:
            return
        if self._driver.addressee != self._held_for:
            self._hold()
        now_s, is_moving = self._clock(), self._driver.is_moving
        if self._was_moving and is_moving and now_s > self._beat_s + SILENCE_S:
            self._beat_s = now_s
            self._last_will.beat(is_moving)
            self._driver.interrupted(now_s)
            self._send()
        elif is_moving != self._was_moving or (is_moving and now_s >= self._beat_s + _BEAT_S):
            self._was_moving, self._beat_s = is_moving, now_s
            self._last_will.beat(is_moving)

    def _report(self, error: str) -> None:
        if error != self.error:
            _log.warning("%s", error)
        self.error = error

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"\0")

"""Runs the arbiter's core: one thread, one queue of events, commands carried out in order."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Container
from itertools import count
from pathlib import Path
from typing import Protocol

from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from semantic_detection_pkg.gpu.core.arbiter import Arbiter, start, step
from semantic_detection_pkg.gpu.core.messages import (
    Answer,
    Asked,
    Command,
    EndHolder,
    Event,
    LockIs,
    Order,
    ProbeLock,
    Publish,
    QueryDetector,
    Released,
    Request,
    Tick,
    Transition,
)
from semantic_detection_pkg.gpu.core.turns import ArbiterRules, TurnState
from semantic_detection_pkg.gpu.epoch_file import read_epoch, write_epoch
from semantic_detection_pkg.gpu.errors import NoSharedFolderError
from semantic_detection_pkg.gpu.lock import check_folder
from semantic_detection_pkg.gpu.lock_witness import LockWitness

_log = logging.getLogger(__name__)

#: Between two ticks: short only where the kernel lock is waited for, because it tells nobody.
_TICK_S = {
    TurnState.STARTING: 0.05,
    TurnState.DETECTOR: 0.1,
    TurnState.PAUSING: 0.005,
    TurnState.LEASED: 0.05,
    TurnState.RECLAIMING: 0.005,
    TurnState.RESUMING: 0.05,
    TurnState.HELD: 0.1,
}
_WRITE_RETRY_S = 0.5
_LOOK_AGAIN_S = 1.0  # for a shared folder that is missing
_STOPPED = "the arbiter stops"


class Detector(Protocol):
    """The detector's lifecycle. Neither call waits; each leads to one `DetectorIs` at most."""

    def query_state(self, serial: int) -> None:
        """Find out the state."""

    def order(self, serial: int, transition: Transition) -> None:
        """Make the transition if it is open, then find out the state."""


class ArbiterRunner:
    """The arbiter at work, from `start` to `stop`. All methods may be called by any thread."""

    def __init__(
        self,
        rules: ArbiterRules,
        lock_file: str | Path,
        epoch_file: str | Path,
        owners: Container[str],
        on_change: Callable[[Arbiter, float], None] = lambda *_: None,
    ) -> None:
        """Check that the files can be used.

        Args:
            owners: of processes that may be ended when they do not leave the GPU; see `owners`.
            on_change: is given the arbiter and the time on the monotonic clock, by its thread.

        Where the folder of the files cannot be used, nobody can share the GPU: the detector has it
        all the time, requests are refused, until the folder is there (`why_off`).

        Raises:
            ConfigurationError: a file cannot be read or made.
        """
        self._lock_file = Path(lock_file)
        self._epoch_file = Path(epoch_file)
        self._rules = rules
        self._owners = owners
        self._spared = 0
        self._on_change = on_change
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._answers: dict[int, Callable[[Answer], None]] = {}
        self._numbers = count(1)
        self._thread: threading.Thread | None = None
        self._is_stopping = threading.Event()
        self._epoch = 0
        self._lock: LockWitness | None = None
        self._looked_s = time.monotonic()
        self.why_off = ""
        try:
            self._open()
        except NoSharedFolderError as error:
            self.why_off = str(error)
        except SemanticDetectionError as error:
            raise ConfigurationError(str(error)) from error

    def _open(self) -> None:
        """Open the files; raises SemanticDetectionError."""
        check_folder(self._epoch_file)
        self._epoch = max(self._epoch, read_epoch(self._epoch_file))
        self._lock = LockWitness(self._lock_file)

    def start(self, detector: Detector) -> None:
        """Begin. What an earlier run leased is void from here on."""
        self._detector = detector
        self._thread = threading.Thread(target=self._run, name="arbiter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; who still waits for an answer is refused."""
        self._is_stopping.set()
        self._events.put(None)
        if self._thread is not None:
            self._thread.join()
        if self._lock is not None:
            self._lock.close()
        for number in list(self._answers):
            self._answer(Answer(number, _STOPPED))

    def tell(self, event: Event) -> None:
        """Hand in an event."""
        self._events.put(event)

    def ask(
        self,
        holder: str,
        purpose: str,
        priority: int,
        duration_s: float,
        wait_s: float,
        on_answer: Callable[[Answer], None],
    ) -> None:
        """Ask for the GPU; `on_answer` is called once, by another thread."""
        number = self._await(on_answer)
        if self.why_off:
            self._answer(Answer(number, f"tier 3 is off: {self.why_off}"))
            return
        until_s = time.monotonic() + wait_s
        self.tell(Asked(Request(number, holder, purpose, priority, duration_s, until_s)))

    def release(self, holder: str, epoch: int, on_answer: Callable[[Answer], None]) -> None:
        """Give a lease back; `on_answer` is called once, by another thread."""
        self.tell(Released(self._await(on_answer), holder, epoch))

    def _await(self, on_answer: Callable[[Answer], None]) -> int:
        number = next(self._numbers)
        self._answers[number] = on_answer
        if self._is_stopping.is_set():  # `stop` may have looked already
            self._answer(Answer(number, _STOPPED))
        return number

    def _run(self) -> None:
        arbiter, commands = start(self._rules, self._epoch, time.monotonic())
        while not self._is_stopping.is_set():
            while commands:
                arbiter, commands = self._perform(arbiter, commands)
            now_s = time.monotonic()
            self._on_change(arbiter, now_s)
            try:
                event = self._events.get(timeout=_TICK_S[arbiter.mode])
            except queue.Empty:
                event = Tick()
            if event is not None:
                arbiter, commands = step(arbiter, event, time.monotonic())
            if self.why_off and self._is_folder_there():
                self._epoch = max(self._epoch, arbiter.epoch)
                arbiter, commands = start(self._rules, self._epoch, time.monotonic())

    def _is_folder_there(self) -> bool:
        """Look again, now and then, for the folder that was missing; open the files if it is."""
        if time.monotonic() - self._looked_s < _LOOK_AGAIN_S:
            return False
        self._looked_s = time.monotonic()
        try:
            self._open()
        except SemanticDetectionError as error:
            self.why_off = str(error)
            return False
        _log.warning("folder %s is there: tier 3 is on", self._lock_file.parent)
        self.why_off = ""
        return True

    def _perform(self, arbiter: Arbiter, commands: list[Command]) -> tuple[Arbiter, list[Command]]:
        """Carry out commands; what follows from the lock's state comes back."""
        follow_up: list[Command] = []
        for command in commands:
            match command:
                case QueryDetector(serial):
                    self._detector.query_state(serial)
                case Order(serial, transition):
                    self._detector.order(serial, transition)
                case Publish(epoch):
                    self._publish(epoch)
                case Answer():
                    self._answer(command)
                case EndHolder():
                    self._end_holder()
                case ProbeLock():
                    event = LockIs(self._is_lock_free())
                    arbiter, more = step(arbiter, event, time.monotonic())
                    follow_up += more
        return arbiter, follow_up

    def _publish(self, epoch: int) -> None:
        """Write the epoch; nothing may happen before it is written, so this goes on trying."""
        while not self._is_stopping.is_set() and not self.why_off:
            try:
                write_epoch(self._epoch_file, epoch)
                return
            except SemanticDetectionError as error:
                _log.error("%s; the GPU stays with whom it is", error)
                self._is_stopping.wait(_WRITE_RETRY_S)

    def _answer(self, answer: Answer) -> None:
        on_answer = self._answers.pop(answer.number, None)
        if on_answer is not None:
            on_answer(answer)

    def _is_lock_free(self) -> bool:
        if self._lock is None:
            return True
        try:
            return self._lock.is_free()
        except SemanticDetectionError as error:
            _log.error("%s; it counts as held", error)
            return False

    def _end_holder(self) -> None:
        if self._lock is None:
            return
        holder = self._lock.holder()
        if holder is None or holder.pid == os.getpid():
            # Another PID namespace: only the process's own watchdog can end it.
            _log.error("%s is held by a process that cannot be seen from here", self._lock.path)
            return
        pid, owner = holder
        if owner not in self._owners:
            if pid != self._spared:
                _log.error(
                    "%s is held by process %d of '%s', which is not ours and is not ended",
                    self._lock.path,
                    pid,
                    owner or "nobody known",
                )
            self._spared = pid
            return
        _log.error("process %d does not leave the GPU and is ended", pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError as error:
            _log.error("process %d cannot be ended: %s", pid, error.strerror)

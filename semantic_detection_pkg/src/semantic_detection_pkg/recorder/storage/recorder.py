"""The recorder's thread: from the queue to the disk, and back to work when the disk is back."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError, StorageError
from semantic_detection_pkg.recorder.core.events import Event, FindingMark
from semantic_detection_pkg.recorder.core.intake import Intake
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.disk import FULL, Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.recorder.storage.tables import Row

_log = logging.getLogger(__name__)

_POLL_S = 0.05  # messages are taken in batches: waking for each costs more than it gives
_RETRY_S = 1.0
_STATE_S = 0.25
_QUEUE_FULL = "the disk is too slow: the queue is full"
_MARKS_MAX = 10_000  # waiting: more findings than that no mission has


@dataclass(frozen=True)
class RecorderState:
    """How recording goes.

    Attributes:
        fault: why nothing is recorded now, one line; empty: all is well.
        bytes_used, bytes_events, bytes_free: of the ring, the events, the file system.
        oldest_ns: [ns] receive time of the oldest message in the ring; 0: none.
        segments, events: how many there are.
        written: messages, since the start.
        dropped: messages, since the start, by topic and reason.
        drop_reason: of the newest drop; empty: none.
        queue_bytes: waiting for the disk.
        events_waiting: marked, but not on the disk yet.
    """

    fault: str = ""
    bytes_used: int = 0
    bytes_events: int = 0
    bytes_free: int = 0
    oldest_ns: int = 0
    segments: int = 0
    events: int = 0
    written: int = 0
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    drop_reason: str = ""
    queue_bytes: int = 0
    events_waiting: int = 0


class Recorder:
    """Records from `start` to `stop`. All methods may be called by any thread; none waits."""

    def __init__(
        self,
        folder: Path,
        settings: SessionSettings,
        queue_bytes: int,
        *,
        rows_of: Callable[[Message], Iterable[Row]] = lambda _: (),
        finding_of: Callable[[Message], FindingMark | None] = lambda _: None,
        disk: Disk | None = None,
    ) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            folder: of the recordings; made where it is missing.
            queue_bytes: > 0, most that waits for the disk.
            rows_of: rows of the tables that a message makes; called by the recorder's thread.
            finding_of: the confirmed finding that a recorded message is; called by that thread.

        Raises:
            ConfigurationError: `folder` is a file.
        """
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir():
            raise ConfigurationError(
                f"the output folder is {folder}, a folder is allowed, but {there} is a file"
            )
        self._settings = settings
        self._disk = disk or Disk()
        self._session = RecordingSession(folder, settings, self._disk, rows_of, finding_of)
        self._lock = threading.Lock()
        self._intake = Intake(queue_bytes)
        self._marks: deque[Event | FindingMark] = deque()
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._drop_reason = ""
        self._fault = "not started"
        self._said = ""
        self._written_before = 0
        self._state = RecorderState(fault=self._fault)
        self._backlog: deque[Message] = deque()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Repair what is there and begin; a disk that cannot be written now is tried again."""
        self._thread.start()

    def stop(self) -> None:
        """Record what waits, finish the segment, end the thread; this one waits."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    @property
    def state(self) -> RecorderState:
        """A snapshot."""
        with self._lock:
            return self._state

    def lose(self, topic: str, reason: str, count: int) -> None:
        """Count messages that never got here."""
        with self._lock:
            self._drop_reason = reason
            self._dropped[topic, reason] += count

    def offer(self, message: Message, *, is_frame: bool) -> None:
        """Queue a message; where that is full, something is dropped and counted."""
        with self._lock:
            for dropped in self._intake.offer(message, is_frame=is_frame):
                self._drop_reason = self._fault or _QUEUE_FULL
                self._dropped[dropped.topic.name, self._drop_reason] += 1

    def keep_finding(self, finding: FindingMark) -> None:
        """Keep what happened around a finding, as soon as the disk takes it; once for each id.

        Raises:
            StorageError: too many wait already.
        """
        with self._lock:
            if len(self._marks) >= _MARKS_MAX:
                raise StorageError(f"{len(self._marks)} events wait for the disk: no more fit")
            self._marks.append(finding)
        self._wake.set()

    def mark(self, label: str, marked_ns: int, before_s: float, after_s: float) -> Path:
        """Keep what happened around a time; return the folder where it will lie.

        Args:
            marked_ns: [ns] since the epoch, on the clock of the receive times.
            before_s, after_s: [s] around it; negative: as set.

        Raises:
            ConfigurationError: a time is no finite number.
            StorageError: nothing is recorded now.
        """
        try:
            start_ns, end_ns = self._settings.events.window(marked_ns, before_s, after_s)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        with self._lock:
            if self._fault:
                raise StorageError(f"nothing is recorded now: {self._fault}")
            events = self._session.events
            name = events.name(marked_ns, label, self._given_names())
            self._marks.append(Event(name, label, marked_ns, start_ns, end_ns))
        self._wake.set()
        return events.folder / name

    def _given_names(self) -> list[str]:
        return [mark.name for mark in self._marks if isinstance(mark, Event)]

    def _run(self) -> None:
        try:
            self._record()
        except Exception as error:
            # A defect of ours: status and diagnostics tell it, the thread's traceback the rest.
            with self._lock:
                self._fault = f"the recorder has failed: {error!r}"
            self._publish_state()
            raise

    def _record(self) -> None:
        retry_s = state_s = 0.0
        self._make_output_folder()
        while True:
            now_s = time.monotonic()
            try:
                if self._fault and now_s >= retry_s:
                    self._session.open(self._keep_marks)
                    with self._lock:
                        self._fault = ""
                if not self._fault:
                    self._work(now_s)
            except OSError as error:
                self._suspend(error)
                retry_s = now_s + _RETRY_S
            if now_s >= state_s:
                self._publish_state()
                state_s = now_s + _STATE_S
            self._wake.wait(_POLL_S)
            self._wake.clear()
            if self._stopping.is_set():
                break
        self._finish()

    def _make_output_folder(self) -> None:
        # Only once: a folder that vanishes later may be a mount point whose disk is gone, and the
        # disk below it must not fill up instead.
        try:
            self._session.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._suspend(error)

    def _work(self, now_s: float) -> None:
        with self._lock:
            self._backlog.extend(self._intake.drain())
        self._session.write(self._backlog, now_s)
        self._session.tick(now_s)
        if self._said and self._session.written > self._written_before:
            _log.info("recording goes on in %s", self._session.folder)
            self._said = ""
        self._keep_marks()

    def _keep_marks(self) -> None:
        """Begin the events that wait; one that the disk refuses goes on waiting."""
        while self._marks:
            mark = self._marks[0]
            if isinstance(mark, Event):
                self._session.keep(mark)
            else:
                with self._lock:
                    taken = self._given_names()
                self._session.keep_finding(mark, taken)
            with self._lock:
                self._marks.popleft()

    def _suspend(self, error: OSError) -> None:
        """Stop recording until the disk is back; say so once."""
        self._backlog.extendleft(reversed(self._session.abandon()))
        fault = _in_words(error, self._session.folder)
        if fault != self._said:
            _log.error("%s; recording goes on when that has changed", fault)
            self._said = fault
        self._written_before = self._session.written
        with self._lock:
            self._fault = fault

    def _finish(self) -> None:
        try:
            if not self._fault:
                self._work(time.monotonic())
            elif self._marks:
                self._session.open(self._keep_marks)
            self._session.close()
        except OSError as error:
            self._suspend(error)
        self._publish_state()

    def _publish_state(self) -> None:
        session = self._session
        try:
            free = self._disk.free_bytes(session.folder)
        except OSError:
            free = 0
        with self._lock:
            self._state = RecorderState(
                fault=self._fault,
                bytes_used=session.bytes_used,
                bytes_events=session.events.bytes,
                bytes_free=free,
                oldest_ns=session.oldest_ns,
                segments=len(session.ring.segments),
                events=len(session.events.events),
                written=session.written,
                dropped=Counter(self._dropped),
                drop_reason=self._drop_reason,
                queue_bytes=self._intake.bytes,
                events_waiting=len(self._marks),
            )


def _in_words(error: OSError, folder: Path) -> str:
    if error.errno in FULL:
        return f"the disk of {folder} is full, or its free space below the floor"
    return f"cannot write to {error.filename or folder}: {error.strerror or error}"

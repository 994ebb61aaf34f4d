"""Ring, events and tables of one output folder, driven by whoever has the messages and the time.

No thread and no clock: `Recorder` brings them. Every method may raise OSError; then `abandon`, and
begin anew with `open` when the disk is back. `open` is also the repair after a power cut.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.recorder.core.events import Event, EventRules, FindingMark
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat
from semantic_detection_pkg.recorder.storage.disk import Disk, FolderLock
from semantic_detection_pkg.recorder.storage.event_store import EventStore
from semantic_detection_pkg.recorder.storage.ring_store import OpenSegment, RingStore
from semantic_detection_pkg.recorder.storage.segment_reader import messages_of
from semantic_detection_pkg.recorder.storage.tables import Row

_log = logging.getLogger(__name__)

FINDING_TYPE = "interfaces_pkg/msg/Finding"


@dataclass(frozen=True)
class SessionSettings:
    """What a recording is to be like.

    Attributes:
        ring, events: how much is kept.
        compression: of chunks: "none" or "zstd".
        bag_format: which rosbag2 is to read it.
        flush_s: [s] at most so long lies a message in memory only, before it is on the medium.
    """

    ring: RingRules
    events: EventRules
    compression: str = "none"
    bag_format: BagFormat = BagFormat.JAZZY
    flush_s: float = 0.5


class RecordingSession:
    """Recording into one folder."""

    def __init__(
        self,
        folder: Path,
        settings: SessionSettings,
        disk: Disk,
        rows_of: Callable[[Message], Iterable[Row]] = lambda _: (),
        finding_of: Callable[[Message], FindingMark | None] = lambda _: None,
    ) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            folder: of the recordings; it must exist when `open` is called.
            rows_of: rows of the tables that a message makes.
            finding_of: the confirmed finding that a recorded message of `FINDING_TYPE` is.
        """
        self._settings = settings
        self._disk = disk
        self._lock: FolderLock | None = None
        self._rows_of = rows_of
        self._finding_of = finding_of
        self._has_looked_back = False
        self.folder = folder
        self.ring = RingStore(
            disk, folder, settings.ring, settings.compression, settings.bag_format
        )
        self.events = EventStore(disk, folder, settings.events, settings.bag_format)
        self._open: OpenSegment | None = None
        self._begun_s = 0.0
        self._flushed_s = 0.0
        self._finished = 0
        self._without_rows: set[str] = set()

    @property
    def written(self) -> int:
        """Messages that the kernel has, since the start."""
        return self._finished + (self._open.writer.written if self._open else 0)

    @property
    def bytes_used(self) -> int:
        """Of the ring, the open segment included."""
        opened = self._open.bytes if self._open else 0
        return sum(segment.bytes for segment in self.ring.segments) + opened

    @property
    def oldest_ns(self) -> int:
        """Receive time [ns] of the oldest message in the ring; 0: there is none."""
        if self.ring.segments:
            return self.ring.segments[0].start_ns
        return self._open.writer.start_ns if self._open else 0

    def open(self, keep_marks: Callable[[], object] = lambda: None) -> None:
        """Find and repair what is there.

        Args:
            keep_marks: called when events can be kept, also where there is no room to record.
        """
        # Anew each time: what vanished and came back may be another disk.
        self._release()
        self._lock = self._disk.lock(self.folder)
        self.events.open()
        self.ring.open(self.events.last_number + 1)
        self.events.take_from(self.ring)
        self.ring.make_room(0)
        if not self._has_looked_back:
            self._look_back()
            self._has_looked_back = True
        keep_marks()
        self._require_room()

    def write(self, messages: deque[Message], now_s: float) -> None:
        """Take messages from the left and record them; on an error the rest is left there.

        Args:
            now_s: on a monotonic clock.
        """
        while messages:
            opened = self._open or self._begin(now_s)
            message = messages.popleft()
            opened.add(message, self._rows(message))
            if self._settings.ring.is_full(opened.bytes, now_s - self._begun_s):
                self._finish(opened)

    def tick(self, now_s: float) -> None:
        """Do what is due by time: flush and sync, close an old segment, keep the floor."""
        opened = self._open
        if opened is not None and now_s - self._flushed_s >= self._settings.flush_s:
            self._flushed_s = now_s
            if not opened.writer.is_in_place:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.ring.ring))
            opened.flush()
            opened.sync()
            self.ring.make_room(opened.bytes)
            if not self.ring.has_room(0):
                self._finish(opened)
                self._require_room()
                return
        if opened is not None and self._settings.ring.is_full(0, now_s - self._begun_s):
            self._finish(opened)

    def keep(self, event: Event) -> None:
        """Begin an event."""
        self.events.add(event, self.ring)

    def keep_finding(self, finding: FindingMark, taken: Sequence[str] = ()) -> None:
        """Begin the event of a finding; where there is one, keep a newer revision in it.

        Args:
            taken: names of events that are not here yet.
        """
        known = self.events.of_finding(finding.finding_id)
        if known is not None:
            self.events.renew(known, finding)
            return
        found_ns = finding.message.published_ns
        start_ns, end_ns = self._settings.events.window(found_ns, -1.0, -1.0)
        name = self.events.name(found_ns, finding.label, taken)
        event = Event(name, finding.label, found_ns, start_ns, end_ns, (finding.finding_id,))
        self.events.add(event, self.ring, finding)

    def close(self) -> None:
        """Finish the open segment and leave the folder to others."""
        if self._open is not None:
            self._finish(self._open)
        self._release()

    def abandon(self) -> list[Message]:
        """Let the files go as they are; return the messages that did not get into them."""
        self._release()
        opened, self._open = self._open, None
        if opened is None:
            return []
        opened.abandon()
        self._finished += opened.writer.written
        return opened.writer.pending

    def _look_back(self) -> None:
        """Begin the events of findings that were recorded before their events were begun."""
        for segment in self.ring.segments:
            topics = {
                topic.name
                for topic, count in segment.counts.items()
                if count and topic.type_name == FINDING_TYPE
            }
            for message in messages_of(self.ring.path(segment.number), topics) if topics else ():
                finding = self._finding_of(message)
                if finding is None or self.events.of_finding(finding.finding_id):
                    continue
                _log.warning("finding %s had no event yet: it has one now", finding.finding_id)
                self.keep_finding(finding)

    def _rows(self, message: Message) -> list[Row]:
        try:
            return list(self._rows_of(message))
        except Exception as error:
            # It comes from outside: recorded as it is, whatever it is, but without a row.
            if message.topic.name not in self._without_rows:
                _log.warning("a message of %s makes no row: %r", message.topic.name, error)
                self._without_rows.add(message.topic.name)
            return []

    def _begin(self, now_s: float) -> OpenSegment:
        self._open = self.ring.begin()
        self._begun_s = self._flushed_s = now_s
        return self._open

    def _finish(self, opened: OpenSegment) -> None:
        self.ring.finish(opened)
        self._finished += opened.writer.written
        self._open = None
        self.events.take_from(self.ring)
        self.ring.make_room(0)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _require_room(self) -> None:
        if not self.ring.has_room(self._settings.ring.segment_bytes):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.ring.ring))

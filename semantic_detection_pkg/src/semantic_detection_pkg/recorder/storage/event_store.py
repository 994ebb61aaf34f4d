"""Events on the disk: segments of the ring kept under a second name.

    events/20261123T201500.125Z_tent/event.json
    events/20261123T201500.125Z_tent/bag/metadata.yaml, ring_0000007.mcap ...
    events/20261123T201500.125Z_tent/tables/detections_0000007.jsonl ...

Hard links cost no room while the ring holds the segment, and keep it when the ring lets it go.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from semantic_detection_pkg.recorder.core.events import Event, EventRules, bytes_of, event_name
from semantic_detection_pkg.recorder.core.ring import Segment
from semantic_detection_pkg.recorder.storage.bag_metadata import (
    FILE_NAME,
    BagFormat,
    bag_metadata,
    segment_name,
)
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.ring_store import RingStore
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    read_segment,
)

_log = logging.getLogger(__name__)

EVENT_FILE = "event.json"
BAG = "bag"
TABLE_FOLDER = "tables"
_NS_PER_S = 1_000_000_000


class EventStore:
    """Events in the order of their marks; methods that change something may raise OSError."""

    def __init__(self, disk: Disk, folder: Path, rules: EventRules, bag_format: BagFormat) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            folder: that holds events/.
        """
        self._disk = disk
        self._rules = rules
        self._format = bag_format
        self.folder = folder / "events"
        self.events: list[Event] = []

    @property
    def bytes(self) -> int:
        """Of all events together."""
        return bytes_of(self.events)

    @property
    def last_number(self) -> int:
        """The highest number of a segment kept; 0: none."""
        return max((number for event in self.events for number in event.segments), default=0)

    def open(self) -> None:
        """Find the events that are there."""
        self._disk.make_folder(self.folder)
        self.events = []
        for path in sorted(self.folder.iterdir()):
            try:
                self.events.append(read_event(path))
            except ValueError as error:
                _log.warning("%s; the folder is left alone", error)
        # Names sort by a clock that may have been set back; numbers of segments only rise.
        self.events.sort(key=lambda event: (event.after_number, event.name))

    def name(self, marked_ns: int, label: str, taken: Sequence[str]) -> str:
        """A free name for a new event.

        Args:
            taken: names given away that are not here yet.
        """
        return event_name(_utc(marked_ns), label, [*taken, *(e.name for e in self.events)])

    def add(self, event: Event, ring: RingStore) -> None:
        """Begin an event with what the ring holds of it."""
        path = self.folder / event.name
        for folder in (path, path / BAG, path / TABLE_FOLDER):
            self._disk.make_folder(folder)
        newest = ring.segments[-1].number if ring.segments else 0
        event = replace(event, after_number=newest)
        self._write(event)
        self._disk.sync_folder(self.folder)
        self.events = [*(e for e in self.events if e.name != event.name), event]
        self.take_from(ring)

    def take_from(self, ring: RingStore) -> None:
        """Complete the open events with the ring's segments, then keep the budget."""
        for event in list(self.events):
            if not event.is_complete:
                self._extend(event, ring)
        for event in self._rules.surplus(self.events):
            _log.warning("the events' budget is exceeded: %s is removed", event.name)
            self._disk.remove_folder(self.folder / event.name)
            self.events.remove(event)

    def _extend(self, event: Event, ring: RingStore) -> None:
        wanted = event.wanted(ring.segments)
        new = [segment for segment in wanted if segment.number not in event.segments]
        for segment in new:
            self._link(event, segment, ring)
        is_complete = any(event.is_past(s.number, s.end_ns) for s in ring.segments)
        if not new and not is_complete:
            return
        if not new and not event.segments:
            _log.warning("nothing of %s is in the ring any more: it is removed", event.name)
            self._disk.remove_folder(self.folder / event.name)
            self.events.remove(event)
            return
        sizes = {**event.segments, **{segment.number: segment.bytes for segment in new}}
        extended = replace(event, segments=sizes, is_complete=is_complete)
        kept = [self._kept(event, number) for number in sorted(sizes)]
        target = self.folder / event.name / BAG / FILE_NAME
        self._disk.write_atomically(target, bag_metadata(kept, self._format))
        self._write(extended)
        self.events[self.events.index(event)] = extended

    def _link(self, event: Event, segment: Segment, ring: RingStore) -> None:
        path = self.folder / event.name
        pairs = [(ring.path(segment.number), path / BAG / segment_name(segment.number))]
        pairs += [
            (table, path / TABLE_FOLDER / table.name) for table in ring.table_paths(segment.number)
        ]
        for source, target in pairs:
            self._disk.remove(target)  # left by a power cut before event.json named it
            self._disk.link(source, target)
        self._disk.sync_folder(path / BAG)

    def _kept(self, event: Event, number: int) -> Segment:
        path = self.folder / event.name / BAG / segment_name(number)
        try:
            return read_segment(path, number)
        except UnfinishedSegmentError as error:  # the ring's segments are finished: a bad medium
            raise OSError(str(error)) from error

    def _write(self, event: Event) -> None:
        path = self.folder / event.name / EVENT_FILE
        self._disk.write_atomically(path, _to_json(event).encode())


def read_event(path: Path) -> Event:
    """Read an event's folder.

    Raises:
        ValueError: it has no event.json, or one that is none.
    """
    try:
        fields = json.loads((path / EVENT_FILE).read_text())
        return Event(
            name=path.name,
            label=str(fields["label"]),
            marked_ns=int(fields["marked_ns"]),
            start_ns=int(fields["start_ns"]),
            end_ns=int(fields["end_ns"]),
            findings=tuple(map(str, fields["findings"])),
            segments={int(number): int(size) for number, size in fields["segments"].items()},
            after_number=int(fields.get("after_number", 0)),
            is_complete=bool(fields["is_complete"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no event: {error!r}") from error


def _to_json(event: Event) -> str:
    fields = {
        "label": event.label,
        "marked": _utc(event.marked_ns),
        "marked_ns": event.marked_ns,
        "start_ns": event.start_ns,
        "end_ns": event.end_ns,
        "findings": list(event.findings),
        "after_number": event.after_number,
        "is_complete": event.is_complete,
        "segments": {str(number): size for number, size in sorted(event.segments.items())},
    }
    return json.dumps(fields, indent=2) + "\n"


def _utc(time_ns: int) -> str:
    """`20261123T201500.125Z`: sorts by time and is a file name everywhere."""
    seconds, rest_ns = divmod(time_ns, _NS_PER_S)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}.{rest_ns // 1_000_000:03d}Z"

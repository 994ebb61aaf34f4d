"""Events on the disk: segments of the ring kept under a second name.

    events/20261123T201500.125Z_tent/event.json
    events/20261123T201500.125Z_tent/finding.mcap     the finding, where it is one
    events/20261123T201500.125Z_tent/bag/metadata.yaml, ring_0000007.mcap ...
    events/20261123T201500.125Z_tent/tables/detections_0000007.jsonl ...

Hard links cost no room while the ring holds the segment, and keep it when the ring lets it go. An
event of a finding stays when its recording goes: event.json, the finding and the page. A folder has
its name only when event.json is in it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from semantic_detection_pkg.recorder.core.events import (
    Event,
    EventRules,
    FindingMark,
    bytes_of,
    event_name,
)
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
from semantic_detection_pkg.recorder.storage.segment_writer import SegmentWriter

_log = logging.getLogger(__name__)

EVENT_FILE = "event.json"
FINDING_FILE = "finding.mcap"
PAGE = "evidence.html"
BAG = "bag"
TABLE_FOLDER = "tables"
_NS_PER_S = 1_000_000_000
_LAST_S = 253_402_300_799  # the end of the year 9999, which is as far as datetime goes
_NEW = ".new"

_NEVER_RECORDED = "nothing of its time is in the recording"
_REMOVED = "the recording was removed"
_BUDGET_EXCEEDED = "the recording was removed: the events' budget was exceeded"


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
        self._strangers: list[str] = []
        self.folder = folder / "events"
        self.events: list[Event] = []

    @property
    def bytes(self) -> int:
        """Of all events together."""
        return bytes_of(self.events)

    @property
    def last_number(self) -> int:
        """The highest number of a segment kept; 0: none."""
        numbers = (max(event.segments, default=event.after_number) for event in self.events)
        return max(numbers, default=0)

    def open(self) -> None:
        """Find the events that are there."""
        self._disk.make_folder(self.folder)
        self.events, self._strangers = [], []
        for path in sorted(self.folder.iterdir()):
            if is_unfinished(path):
                self._disk.remove_folder(path)
                continue
            try:
                self.events.append(read_event(path))
            except ValueError as error:
                _log.warning("%s; the folder is left alone", error)
                self._strangers.append(path.name)
        # Names sort by a clock that may have been set back; numbers of segments only rise.
        self.events.sort(key=lambda event: (event.after_number, event.name))
        for event in self.events:
            if event.no_recording:
                self._remove_recording(event)

    def of_finding(self, finding_id: str) -> Event | None:
        """Return the event of a finding; None: there is none."""
        return next((event for event in self.events if finding_id in event.findings), None)

    def name(self, marked_ns: int, label: str, taken: Sequence[str]) -> str:
        """Return a free name for a new event.

        Args:
            taken: names given away that are not here yet.
        """
        return event_name(_utc(marked_ns), label, [*taken, *self._strangers, *self._names()])

    def add(self, event: Event, ring: RingStore, finding: FindingMark | None = None) -> None:
        """Begin an event with what the ring holds of it; one that is there goes on.

        Args:
            finding: that the event is of.
        """
        if event.name not in self._names():
            newest = ring.segments[-1].number if ring.segments else 0
            event = replace(event, after_number=newest)
            self._make(event, finding)
            self.events.append(event)
        self.take_from(ring)

    def renew(self, event: Event, finding: FindingMark) -> None:
        """Keep a newer revision of an event's finding."""
        path = self.folder / event.name / FINDING_FILE
        if finding.message.published_ns <= _published_ns(path):
            return
        temporary = path.with_name(f".{path.name}{_NEW}")
        self._disk.remove(temporary)
        self._write_finding(temporary, finding)
        self._disk.rename(temporary, path)
        self._disk.sync_folder(path.parent)

    def take_from(self, ring: RingStore) -> None:
        """Complete the open events with the ring's segments, then keep the budget."""
        for event in list(self.events):
            if not event.is_complete:
                self._extend(event, ring)
        for event in self._rules.surplus([one for one in self.events if one.segments]):
            if event.findings:
                _log.warning(
                    "the events' budget is exceeded: of %s only the finding is kept", event.name
                )
                self._end_without(event, _BUDGET_EXCEEDED)
                self._remove_recording(event)
            else:
                _log.warning("the events' budget is exceeded: %s is removed", event.name)
                self._remove(event)

    def _names(self) -> list[str]:
        return [event.name for event in self.events]

    def _extend(self, event: Event, ring: RingStore) -> None:
        wanted = event.wanted(ring.segments)
        new = [segment for segment in wanted if segment.number not in event.segments]
        for segment in new:
            self._link(event, segment, ring)
        is_complete = any(event.is_past(s.number, s.end_ns) for s in ring.segments)
        if not new and not is_complete:
            return
        if not new and not event.segments:
            if event.findings:
                _log.warning("nothing of %s was recorded: only the finding is kept", event.name)
                self._end_without(event, _NEVER_RECORDED)
            else:
                _log.warning("nothing of %s is in the ring any more: it is removed", event.name)
                self._remove(event)
            return
        sizes = {**event.segments, **{segment.number: segment.bytes for segment in new}}
        found = {number: self._kept(event, number) for number in sorted(sizes)}
        kept = [segment for segment in found.values() if segment is not None]
        if not kept:
            _log.warning("the recording of %s was removed by somebody", event.name)
            self._end_without(event, _REMOVED)
            return
        sizes = {number: size for number, size in sizes.items() if found[number] is not None}
        extended = replace(event, segments=sizes, is_complete=is_complete)
        target = self.folder / event.name / BAG / FILE_NAME
        self._disk.write_atomically(target, bag_metadata(kept, self._format))
        self._write(extended)
        self.events[self.events.index(event)] = extended

    def _end_without(self, event: Event, reason: str) -> None:
        """Have an event go on without its recording."""
        ended = replace(event, segments={}, is_complete=True, no_recording=reason)
        self._write(ended)
        self.events[self.events.index(event)] = ended

    def _remove(self, event: Event) -> None:
        self._disk.remove_folder(self.folder / event.name)
        self.events.remove(event)

    def _remove_recording(self, event: Event) -> None:
        for name in (BAG, TABLE_FOLDER):
            folder = self.folder / event.name / name
            if folder.exists():
                self._disk.remove_folder(folder)

    def _make(self, event: Event, finding: FindingMark | None) -> None:
        """Make an event's folder whole under another name, then give it its own."""
        path = self.folder / event.name
        made = path.with_name(f".{event.name}{_NEW}")
        if made.exists():
            self._disk.remove_folder(made)
        for folder in (made, made / BAG, made / TABLE_FOLDER):
            self._disk.make_folder(folder)
        if finding is not None:
            self._write_finding(made / FINDING_FILE, finding)
        self._disk.write_atomically(made / EVENT_FILE, _to_json(event).encode())
        self._disk.rename(made, path)
        self._disk.sync_folder(self.folder)

    def _write_finding(self, path: Path, finding: FindingMark) -> None:
        writer = SegmentWriter(self._disk, path, "none", self._format)
        try:
            # By the time of sending: what comes again later is known to be the same.
            writer.add(finding.message._replace(received_ns=finding.message.published_ns))
            writer.finish()
        except OSError:
            writer.abandon()
            raise

    def _link(self, event: Event, segment: Segment, ring: RingStore) -> None:
        path = self.folder / event.name
        for folder in (path / BAG, path / TABLE_FOLDER):
            self._disk.make_folder(folder)
        pairs = [(ring.path(segment.number), path / BAG / segment_name(segment.number))]
        pairs += [
            (table, path / TABLE_FOLDER / table.name) for table in ring.table_paths(segment.number)
        ]
        for source, target in pairs:
            self._disk.remove(target)  # left by a power cut before event.json named it
            self._disk.link(source, target)
        self._disk.sync_folder(path / BAG)

    def _kept(self, event: Event, number: int) -> Segment | None:
        """Return a segment of an event; None: somebody has removed its file."""
        path = self.folder / event.name / BAG / segment_name(number)
        try:
            return read_segment(path, number)
        except FileNotFoundError:
            return None
        except UnfinishedSegmentError as error:  # the ring's segments are finished: a bad medium
            raise OSError(str(error)) from error

    def _write(self, event: Event) -> None:
        path = self.folder / event.name / EVENT_FILE
        self._disk.write_atomically(path, _to_json(event).encode())


def is_unfinished(path: Path) -> bool:
    """Return whether a path is that of an event that is being made, or that a power cut left so."""
    return path.name.startswith(".") and path.name.endswith(_NEW)


def events_of(folder: Path) -> list[Event]:
    """Return events beside a ring, by their time; none where there is no such folder."""
    found = []
    for path in sorted((folder / "events").glob(f"*/{EVENT_FILE}")):
        if is_unfinished(path.parent):
            continue
        try:
            found.append(read_event(path.parent))
        except ValueError:
            continue  # the recorder has said so
    return found


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
            no_recording=str(fields.get("no_recording", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no event: {error!r}") from error


def _published_ns(path: Path) -> int:
    """Return when the finding was sent that a file keeps; 0: it keeps none."""
    try:
        return read_segment(path, 0).end_ns
    except (FileNotFoundError, UnfinishedSegmentError):
        return 0


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
        "no_recording": event.no_recording,
        "segments": {str(number): size for number, size in sorted(event.segments.items())},
    }
    return json.dumps(fields, indent=2) + "\n"


def _utc(time_ns: int) -> str:
    """Return a time as `20261123T201500.125Z`: sorts by time, a file name everywhere."""
    seconds, rest_ns = divmod(time_ns, _NS_PER_S)
    seconds = min(max(seconds, 0), _LAST_S)  # clocks of others may say anything
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}.{rest_ns // 1_000_000:03d}Z"

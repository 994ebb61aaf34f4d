"""The ring on the disk: a rosbag2 folder of finished segments and one being written.

    ring/metadata.yaml                the finished segments
    ring/ring_0000007.mcap            finished: closed, synced, with index and footer
    ring/ring_0000008.mcap.part       being written, or left by a power cut
    tables/detections_0000007.jsonl   rows of the same segment

The files themselves are the truth. metadata.yaml is for readers and made anew from them.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from semantic_detection_pkg.recorder.core.ring import RingRules, Segment
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_metadata import (
    FILE_NAME,
    BagFormat,
    bag_metadata,
    segment_name,
)
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    read_segment,
    salvage,
)
from semantic_detection_pkg.recorder.storage.segment_writer import SegmentWriter
from semantic_detection_pkg.recorder.storage.tables import (
    TABLES,
    Row,
    TableWriter,
    cut_broken_line,
    table_path,
)

_log = logging.getLogger(__name__)

_SEGMENT = re.compile(r"ring_(\d{7,})\.mcap(\.part)?")
_TABLE = re.compile(r"(\w+)_(\d{7,})\.jsonl")
#: A chunk is closed when it is this large: with frames several times a second.
_CHUNK_BYTES = 1 << 20
_PART = ".part"
_REPAIR = ".repair"


class OpenSegment:
    """The segment being written and its tables."""

    def __init__(self, number: int, writer: SegmentWriter, tables: TableWriter) -> None:
        self.number = number
        self.writer = writer
        self.tables = tables

    @property
    def bytes(self) -> int:
        """Of all its files so far."""
        return self.writer.bytes + self.tables.bytes

    def add(self, message: Message, rows: Iterable[Row]) -> None:
        """Append a message with its rows; now and then `flush`."""
        self.writer.add(message)
        self.tables.add(rows)
        if self.writer.pending_bytes >= _CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the kernel; raises OSError."""
        self.writer.flush()
        self.tables.flush()

    def sync(self) -> None:
        """Wait until what was flushed is on the medium; raises OSError."""
        self.writer.sync()
        self.tables.sync()

    def abandon(self) -> None:
        """Close the files as they are, to be repaired."""
        self.writer.abandon()
        self.tables.close()


class RingStore:
    """Segments by number; every method may raise OSError."""

    def __init__(
        self, disk: Disk, folder: Path, rules: RingRules, compression: str, bag_format: BagFormat
    ) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            folder: that holds ring/ and tables/.
        """
        self._disk = disk
        self._rules = rules
        self._compression = compression
        self._format = bag_format
        self.folder = folder
        self.ring = folder / "ring"
        self.tables = folder / "tables"
        self.segments: list[Segment] = []
        self._known: dict[int, tuple[tuple[int, int], Segment]] = {}
        self._next_number = 1
        self._is_metadata_old = False
        self._said_full = False

    def open(self, first_number: int) -> None:
        """Find what is there, repair what was left unfinished, write metadata.yaml.

        Args:
            first_number: new segments are numbered from here on, or higher.
        """
        self._disk.make_room = self._remove_oldest
        for folder in (self.ring, self.tables):
            self._disk.make_folder(folder)
        for path in (*self.ring.glob(f"*{_REPAIR}"), *self.ring.glob(".*.new")):
            self._disk.remove(path)
        self.segments, broken = self._read_all()
        numbers = [segment.number for segment in self.segments] + [number for number, _ in broken]
        self._next_number = max([first_number, *(number + 1 for number in numbers)])
        self._remove_stray_tables(set(numbers))
        for number, path in broken:
            self._repair(number, path)
        self.segments.sort(key=lambda segment: segment.number)
        self._write_metadata()

    def begin(self) -> OpenSegment:
        """Begin a new segment, with room for it made."""
        self.make_room(0)
        number, self._next_number = self._next_number, self._next_number + 1
        path = self.ring / (segment_name(number) + _PART)
        writer = SegmentWriter(self._disk, path, self._compression, self._format)
        try:
            self._disk.sync_folder(self.ring)  # its content is of no use without its name
        except OSError:
            writer.abandon()
            raise
        return OpenSegment(number, writer, TableWriter(self._disk, self.tables, number))

    def finish(self, opened: OpenSegment) -> Segment | None:
        """Close and sync a segment and make it part of the bag; None: it was empty."""
        path = self.path(opened.number)
        part = path.with_name(path.name + _PART)
        if not opened.writer.counts:
            opened.abandon()
            self._disk.remove(part)
            return None
        opened.flush()
        opened.tables.sync()
        opened.tables.close()
        opened.writer.finish()
        self._disk.rename(part, path)  # the folder is synced with the new metadata
        segment = self._read(opened.number, path)
        self.segments.append(segment)
        self._write_metadata()
        return segment

    def make_room(self, open_bytes: int) -> None:
        """Remove the oldest segments that are too many, by the budget or the floor."""
        free = self._disk.free_bytes(self.ring)
        if free > self._rules.min_free_bytes + 2 * self._rules.segment_bytes:
            self._said_full = False  # more than removing one segment gives
        gone = self._rules.surplus(self.segments, open_bytes, free)
        if not gone and not self._is_metadata_old:
            return
        if gone:
            if free < self._rules.min_free_bytes + self._rules.segment_bytes:
                self._say_full()
            gone = self._rules.surplus(self._with_sharing(), open_bytes, free)
        doomed, self.segments = self.segments[: len(gone)], self.segments[len(gone) :]
        try:
            self._write_metadata()  # before the files go: what it lists is there
        finally:
            for segment in doomed:
                self._remove_files(segment.number)

    def has_room(self, more_bytes: int) -> bool:
        """Return whether the floor is kept after so much more was written."""
        return self._disk.free_bytes(self.ring) >= self._rules.min_free_bytes + more_bytes

    def path(self, number: int) -> Path:
        """Return the path of a finished segment."""
        return self.ring / segment_name(number)

    def table_paths(self, number: int) -> Sequence[Path]:
        """Return the tables of a segment."""
        paths = (table_path(self.tables, table, number) for table in TABLES)
        return [path for path in paths if path.exists()]

    def _read_all(self) -> tuple[list[Segment], list[tuple[int, Path]]]:
        """Return finished segments, and number and path of those that are not."""
        finished: list[Segment] = []
        broken: list[tuple[int, Path]] = []
        for path in sorted(self.ring.iterdir()):
            match = _SEGMENT.fullmatch(path.name)
            if match is None:
                continue
            number = int(match[1])
            if match[2]:
                broken.append((number, path))
                continue
            try:
                finished.append(self._read(number, path))
            except UnfinishedSegmentError:
                broken.append((number, path))
        return finished, broken

    def _read(self, number: int, path: Path) -> Segment:
        """Return a finished segment with its tables; read once, unless the file changes."""
        stat = path.stat()
        version = (stat.st_size, stat.st_mtime_ns)
        if number not in self._known or self._known[number][0] != version:
            self._known[number] = (version, read_segment(path, number))
        table_bytes = sum(table.stat().st_size for table in self.table_paths(number))
        return replace(self._known[number][1], bytes=stat.st_size + table_bytes)

    def _repair(self, number: int, path: Path) -> None:
        for table in self.table_paths(number):
            cut_broken_line(table)
        target = self.path(number)
        repaired = target.with_name(target.name + _REPAIR)
        kept = salvage(self._disk, path, repaired, self._compression, self._format)
        if kept:
            self._disk.rename(repaired, target)
            self._disk.sync_folder(self.ring)  # before the original goes
            self.segments.append(self._read(number, target))
            _log.warning("%s was not closed: %d messages kept", path.name, kept)
        else:
            _log.warning("%s was not closed and holds no whole chunk: removed", path.name)
            for table in self.table_paths(number):
                self._disk.remove(table)
        if not kept or path != target:
            self._disk.remove(path)

    def _remove_stray_tables(self, numbers: set[int]) -> None:
        for path in self.tables.iterdir():
            match = _TABLE.fullmatch(path.name)
            if match and int(match[2]) not in numbers:
                self._disk.remove(path)

    def _with_sharing(self) -> list[Segment]:
        """Return the segments with whether an event holds them, too; only the disk knows."""
        return [
            replace(segment, is_shared=os.stat(self.path(segment.number)).st_nlink > 1)
            for segment in self.segments
        ]

    def _remove_oldest(self) -> bool:
        """Remove the oldest segment, as a write found the disk full; False: there is none."""
        if not self.segments:
            return False
        self._say_full()
        self._remove_files(self.segments.pop(0).number)
        self._is_metadata_old = True  # it is written when there is room
        return True

    def _say_full(self) -> None:
        if not self._said_full:
            _log.warning(
                "the disk of %s is full up to the floor: the oldest segments are removed",
                self.folder,
            )
            self._said_full = True

    def _remove_files(self, number: int) -> None:
        self._known.pop(number, None)
        self._disk.remove(self.path(number))
        for table in self.table_paths(number):
            self._disk.remove(table)

    def _write_metadata(self) -> None:
        segments = tuple(self.segments)
        path = self.ring / FILE_NAME
        self._is_metadata_old = True
        if segments:
            self._disk.write_atomically(path, bag_metadata(segments, self._format))
        else:
            self._disk.remove(path)
        # Writing may have made room by removing segments: then it is out of date again.
        self._is_metadata_old = len(segments) != len(self.segments)

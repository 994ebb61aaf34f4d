"""Recordings of a few messages, through the storage, without the recorder's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from semantic_detection_pkg.recorder.core.events import EventRules, FindingMark
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.recorder.storage.tables import Row
from simulation_pkg.harness.recorded_messages import counted
from simulation_pkg.harness.scan_recording import SETTINGS

#: For recorders whose thread runs: a test need not wait long until a message is on the disk.
FLUSHED_SOON = SessionSettings(
    RingRules(1 << 30, 0, 200_000, 3600.0), EventRules(1 << 30, 1.0, 1.0), flush_s=0.02
)
SMALL = RingRules(
    max_ring_bytes=500_000, min_free_bytes=0, segment_bytes=100_000, segment_duration_s=3600.0
)


def session(
    folder: Path,
    settings: SessionSettings = SETTINGS,
    disk: Disk | None = None,
    rows_of: Callable[[Message], Iterable[Row]] = lambda _: (),
    finding_of: Callable[[Message], FindingMark | None] = lambda _: None,
) -> RecordingSession:
    """Return a session that is open in a folder, which is made where there is none."""
    folder.mkdir(exist_ok=True)
    recording = RecordingSession(folder, settings, disk or Disk(), rows_of, finding_of)
    recording.open()
    return recording


def fill(recording: RecordingSession, numbers: range, padding: int = 10_000) -> None:
    """Write a counted message of so many bytes for each number, 10 ms apart, one at a time."""
    for number in numbers:
        recording.write(deque([counted(number, padding=padding)]), float(number))


def segments(bag: Path) -> list[Path]:
    """Return the finished segments of a bag, oldest first."""
    return sorted(bag.glob("*.mcap"))


def used(folder: Path) -> int:
    """Return how much ring and tables take on the disk. [B]"""
    return sum(
        path.stat().st_size
        for kind in ("ring", "tables")
        for path in (folder / kind).glob("*")
        if path.name != "metadata.yaml"
    )

"""What a mission's recording holds: what happened when, and the findings with their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import GpuOwner, HealthLevel, Level, Verdict, read
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.evidence.content import read_evidence_frames
from semantic_detection_pkg.recorder.evidence.event_page import position_of, state_of
from semantic_detection_pkg.recorder.evidence.pictures import jpeg_uri, thumbnail
from semantic_detection_pkg.recorder.storage.bag_reader import BagMessage, BagReader

_STATE, _COVERAGE, _GPU, _HEALTH = "scan/state", "scan/coverage", "gpu/state", "health/level"
TYPES = {
    _STATE: "interfaces_pkg/msg/ScanState",
    _COVERAGE: "interfaces_pkg/msg/Coverage",
    _GPU: "interfaces_pkg/msg/GpuState",
    _HEALTH: "interfaces_pkg/msg/HealthState",
}
_NOT_RUN = Verdict.NOT_RUN
_PICTURES_MAX = 200  # of findings; more would make the page too heavy to open

#: Is told what is being done and how much of it is, 0..1.
Progress = Callable[[str, float], None]


@dataclass
class Course:
    """What happened when: (time [ns], kind, title) of each message."""

    levels: list[tuple[int, str, str]] = field(default_factory=list)
    healths: list[tuple[int, str, str]] = field(default_factory=list)
    owners: list[tuple[int, str, str]] = field(default_factory=list)
    words: tuple[str, ...] = ()
    coverage: Any = None


@dataclass(frozen=True)
class Row:
    """One finding in the table."""

    finding: Any
    state: str
    stamp_ns: int
    position: Position | None
    tier: Any
    jpeg: bytes
    page: str

    @property
    def crop(self) -> str:
        """What it looks like, as it stands in the page."""
        return jpeg_uri(self.jpeg)


@dataclass(frozen=True)
class MissionContent:
    """What is told of one mission.

    Attributes:
        path: of the bag.
        start_ns, end_ns: [ns] since the epoch, of the first and last message received.
        topics: (name, type, messages) of what was recorded.
        rows: the findings, confirmed ones first.
    """

    path: Path
    start_ns: int
    end_ns: int
    topics: tuple[tuple[str, str, int], ...]
    course: Course
    rows: tuple[Row, ...]


def read_mission(
    reader: BagReader,
    robot: str,
    findings: Iterable[Any],
    pages: dict[str, str],
    tell: Progress,
    course: Course,
) -> MissionContent:
    """Read the findings' pictures, and put together what is told.

    Args:
        findings: messages of type Finding.
        pages: link to the page of a finding, by its id.
        course: of the same reader.
    """
    return MissionContent(
        reader.path,
        reader.start_ns,
        reader.end_ns,
        tuple(sorted((c.topic, c.msgtype, c.msgcount) for c in reader.connections)),
        course,
        tuple(_rows(reader, robot, findings, pages, tell)),
    )


def read_course(reader: BagReader, robot: str, tell: Progress, steps_max: int) -> Course:
    """Read what happened when; of states that follow each other closely, one.

    A mission's timeline is some thousand pixels wide: what is closer together is not unpacked.
    """
    course = Course()
    length_ns = max(1, reader.end_ns - reader.start_ns)
    due_ns = dict.fromkeys(TYPES, -(2**63))
    coverage: BagMessage | None = None
    for message in reader.messages(robot, TYPES):
        time_ns = message.received_ns
        if message.topic == _COVERAGE:
            coverage = message  # only the last one is drawn
            tell("reading the recording", (time_ns - reader.start_ns) / length_ns)
            continue
        if due_ns[message.topic] - length_ns < time_ns < due_ns[message.topic]:
            continue  # a time that fell farther is of a clock that was set back
        due_ns[message.topic] = time_ns + length_ns // steps_max
        content = reader.read(message)
        if message.topic == _STATE:
            course.levels.append((time_ns, read(content, "level", Level.IDLE).word, content.reason))
            course.words = tuple(content.words) or course.words
        elif message.topic == _HEALTH:
            title = "; ".join(content.reasons) or "well"
            course.healths.append((time_ns, read(content, "level", HealthLevel.OK).word, title))
        elif message.topic == _GPU:
            owner = read(content, "owner", GpuOwner.UNKNOWN)
            kind = "detector" if owner is GpuOwner.DETECTOR else "vlm"
            course.owners.append((time_ns, kind, content.reason))
    course.coverage = None if coverage is None else reader.read(coverage)
    return course


def _rows(
    reader: BagReader,
    robot: str,
    findings: Iterable[Any],
    pages: dict[str, str],
    tell: Progress,
) -> list[Row]:
    order = {"confirmed": 0, "uncertain": 1, "candidate": 2, "rejected": 3}
    ranked = sorted(findings, key=lambda one: (order.get(state_of(one), 4), -one.score))
    pictured = {from_time(one.best_frame) for one in ranked[:_PICTURES_MAX]}
    tell("looking for the findings' pictures", 0.0)
    frames = read_evidence_frames(reader, robot, pictured)
    rows: list[Row] = []
    for finding in ranked:
        tell("drawing findings", len(rows) / len(ranked))
        best_ns = from_time(finding.best_frame)
        evidence_frame = frames.get(best_ns)
        ran = [one for one in finding.tiers if read(one, "verdict", _NOT_RUN) is not _NOT_RUN]
        rows.append(
            Row(
                finding,
                state_of(finding),
                from_time(finding.header.stamp),
                position_of(finding),
                ran[-1] if ran else None,
                b"" if evidence_frame is None else thumbnail(evidence_frame, finding, best_ns),
                pages.get(finding.id, ""),
            )
        )
    return rows

"""What a mission's recording holds: what happened when, and the findings with their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import GpuOwner, HealthLevel, Level, Verdict, read
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.common.core.serialised import byte_after_header_of
from semantic_detection_pkg.recorder.core.reviews import UNREVIEWED, FindingReview
from semantic_detection_pkg.recorder.evidence.content import read_evidence_frames
from semantic_detection_pkg.recorder.evidence.event_page import position_of, state_of
from semantic_detection_pkg.recorder.evidence.pictures import jpeg_uri, thumbnails
from semantic_detection_pkg.recorder.evidence.search_course import SearchCourse
from semantic_detection_pkg.recorder.storage.bag_reader import BagMessage, BagReader

STATE, _COVERAGE, _GPU, _HEALTH = "scan/state", "scan/coverage", "gpu/state", "health/level"
TYPES = {
    STATE: "interfaces_pkg/msg/ScanState",
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
    search: SearchCourse = field(default_factory=SearchCourse)

    def go_on_with(self, later: Course) -> None:
        """Take over what happened later in the same mission."""
        for name in ("levels", "healths", "owners"):
            getattr(self, name).extend(getattr(later, name))
        self.words = later.words or self.words
        self.coverage = self.coverage if later.coverage is None else later.coverage
        self.search.go_on_with(later.search)


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
    review: FindingReview = UNREVIEWED
    place: str = ""  # of the picture, in recordings that were searched

    @property
    def crop(self) -> str:
        """What it looks like, as it stands in the page."""
        return jpeg_uri(self.jpeg)


@dataclass(frozen=True)
class MissionContent:
    """What is told of one mission.

    Attributes:
        path: of the bag.
        start_ns, end_ns: [ns] since the epoch, when it began and of the last message received.
        recorded_ns: of the first message received; later than `start_ns` where the ring has let go
            of the beginning.
        topics: (name, type, messages) of what was recorded.
        rows: the findings, confirmed ones first.
    """

    path: Path
    start_ns: int
    end_ns: int
    topics: tuple[tuple[str, str, int], ...]
    course: Course
    rows: tuple[Row, ...]
    recorded_ns: int = 0


def read_mission(
    reader: BagReader,
    robot: str,
    findings: Iterable[Any],
    pages: dict[str, str],
    tell: Progress,
    course: Course,
    start_ns: int,
) -> MissionContent:
    """Read the findings' pictures, and put together what is told.

    Args:
        findings: messages of type Finding.
        pages: link to the page of a finding, by its id.
        course: of the same reader.
        start_ns: [ns] when it began.
    """
    ranked = _ranked(findings)
    pictured = {from_time(one.best_frame) for one in ranked[:_PICTURES_MAX]}
    tell("looking for the findings' pictures", 0.0)
    frames = read_evidence_frames(reader, robot, pictured)
    of_frame: dict[int, list[Any]] = {}
    for finding in ranked:
        of_frame.setdefault(from_time(finding.best_frame), []).append(finding)
    jpegs: dict[int, bytes] = {}
    for best_ns, shown in of_frame.items():
        tell("drawing findings", len(jpegs) / len(ranked))
        frame = frames.get(best_ns)
        drawn = [b""] * len(shown) if frame is None else thumbnails(frame, shown)
        jpegs.update(zip(map(id, shown), drawn, strict=True))
    rows = [_row(finding, jpegs[id(finding)], pages) for finding in ranked]
    return MissionContent(
        reader.path,
        start_ns,
        reader.end_ns,
        tuple(sorted((topic, kind, count) for (topic, kind), count in reader.counts().items())),
        course,
        tuple(rows),
        reader.start_ns,
    )


def unrecorded_mission(
    path: Path, times_ns: Iterable[int], findings: Iterable[Any], pages: dict[str, str]
) -> MissionContent:
    """Put together what is told of a mission of which only events are left."""
    rows = tuple(_row(finding, b"", pages) for finding in _ranked(findings))
    times = [*times_ns, *(row.stamp_ns for row in rows)]
    return MissionContent(path, min(times), max(times), (), Course(), rows)


class CourseReader:
    """Takes a mission's messages in; of states that follow each other closely, one.

    A mission's timeline is some thousand pixels wide: what is closer together is not unpacked.
    """

    def __init__(self, reader: BagReader, pace_ns: int) -> None:
        """Unpack a message of a topic every `pace_ns`."""
        self._reader = reader
        self._pace_ns = pace_ns
        self._read_ns: dict[str, int] = {}
        self._course = Course()
        self._coverage: BagMessage | None = None
        self._last_state: BagMessage | None = None
        self._was_idle = True

    def add(self, message: BagMessage) -> None:
        """Take in a message of one of `TYPES`."""
        time_ns, course = message.received_ns, self._course
        if message.topic == _COVERAGE:
            self._coverage = message  # only the last one is drawn
            return
        is_due = message.topic == STATE and self._is_turn(message)
        read_ns = self._read_ns.get(message.topic)
        # A time that ran back is of a clock that was set back.
        if not is_due and read_ns is not None and read_ns <= time_ns < read_ns + self._pace_ns:
            return
        self._read_ns[message.topic] = time_ns
        content = self._reader.read(message)
        if message.topic == STATE:
            course.levels.append((time_ns, read(content, "level", Level.IDLE).word, content.reason))
            course.words = tuple(dict.fromkeys((*course.words, *content.words)))
            course.search.add(content)
            self._last_state = None
        elif message.topic == _HEALTH:
            title = "; ".join(content.reasons) or "well"
            course.healths.append((time_ns, read(content, "level", HealthLevel.OK).word, title))
        elif message.topic == _GPU:
            owner = read(content, "owner", GpuOwner.UNKNOWN)
            kind = "detector" if owner is GpuOwner.DETECTOR else "vlm"
            course.owners.append((time_ns, kind, content.reason))

    def course(self) -> Course:
        """Return what happened."""
        if self._coverage is not None:
            self._course.coverage = self._reader.read(self._coverage)
        if self._last_state is not None and self._course.search.begun_ns:
            self._course.search.add(self._reader.read(self._last_state))
        return self._course

    def _is_turn(self, message: BagMessage) -> bool:
        """Return whether a state is read, however soon it comes: a goal begins or has ended."""
        is_idle = byte_after_header_of(message.data) == Level.IDLE.value
        is_turn, self._was_idle = is_idle != self._was_idle, is_idle
        self._last_state = message
        return is_turn or (not is_idle and self._course.search.awaits_forecast)


def _ranked(findings: Iterable[Any]) -> list[Any]:
    """Return findings, confirmed ones first, the surest first of each state."""
    order = {"confirmed": 0, "uncertain": 1, "candidate": 2, "rejected": 3}
    return sorted(findings, key=lambda one: (order.get(state_of(one), 4), -one.score))


def _row(finding: Any, jpeg: bytes, pages: dict[str, str]) -> Row:
    ran = [one for one in finding.tiers if read(one, "verdict", _NOT_RUN) is not _NOT_RUN]
    return Row(
        finding,
        state_of(finding),
        from_time(finding.header.stamp),
        position_of(finding),
        ran[-1] if ran else None,
        jpeg,
        pages.get(finding.id, ""),
    )

"""Where one mission of a recording ends and the next begins.

A ring outlives many runs. A mission is a goal: it begins and ends with it, and goes on with it
after whatever silence, where a node or a board started again. Recordings of before do not name
their goals: there another mission begins after a pause, when nothing was recorded for longer than
`PAUSE_S`, or the scan had no goal for so long, or for a shorter time and then searched another area
or for other words. What holds neither a scan nor a finding is no mission.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.common.core.serialised import byte_after_header_of
from semantic_detection_pkg.recorder.evidence.mission_content import (
    STATE,
    TYPES,
    Course,
    CourseReader,
    Progress,
)
from semantic_detection_pkg.recorder.evidence.search_course import GoalKey, key_of
from semantic_detection_pkg.recorder.storage.bag_reader import (
    BagMessage,
    BagReader,
    Part,
    Place,
    beginning_of,
)

PAUSE_S = 120.0
_PAUSE_NS = round(1e9 * PAUSE_S)
_IDLE = Level.IDLE.value
#: After the end of a goal: findings and the last map may come a moment later.
_REST_NS = 2_000_000_000
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Stretch:
    """A mission of a recording.

    Attributes:
        has_scan: a goal was in hand in it.
    """

    part: Part
    course: Course
    has_scan: bool

    @property
    def key(self) -> GoalKey | None:
        """Return which goal it is of; None: it does not tell, or had none."""
        return self.course.search.key


def tell_apart(reader: BagReader, robot: str, tell: Progress, steps_max: int) -> list[Stretch]:
    """Return the stretches of a recording that may be missions, in the order of recording.

    Args:
        steps_max: of a timeline, over all of them.
    """
    spans = reader.file_spans()
    recorded_ns = sum(max(0, end_ns - start_ns) for start_ns, end_ns in spans)
    pace_ns = max(1, recorded_ns) // steps_max
    borders = [0, *_after_silence(spans), len(spans)]
    found: list[Stretch] = []
    for first, after in zip(borders, borders[1:], strict=False):
        part = Part(beginning_of(first), beginning_of(after))
        divider = _Divider(reader, robot, part, pace_ns, tell)
        found += divider.stretches()
    return _joined(found)


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Join what is of one goal, and what lies between."""
    found: list[Stretch] = []
    for one in stretches:
        scans = [index for index, before in enumerate(found) if before.has_scan]
        first = scans[-1] if scans else -1
        if one.key is None or first < 0 or found[first].key != one.key:
            found.append(one)
            continue
        before = found[first]
        before.course.go_on_with(one.course)
        part = Part(before.part.start, one.part.stop)
        found[first:] = [Stretch(part, before.course, has_scan=True)]
    return found


def _after_silence(spans: list[tuple[int, int]]) -> list[int]:
    """Return the files before which nothing was recorded for long, whichever way the clock ran."""
    files = [number for number, (start_ns, end_ns) in enumerate(spans) if start_ns <= end_ns]
    return [
        later
        for earlier, later in zip(files, files[1:], strict=False)
        if max(spans[later][0] - spans[earlier][1], spans[earlier][0] - spans[later][1]) > _PAUSE_NS
    ]


@dataclass
class _Open:
    """The stretch that is being read."""

    start: Place
    course: CourseReader
    goals: set[Any] = field(default_factory=set)  # areas and words that were searched in it
    key: GoalKey | None = None
    rest: Place | None = None  # from there on it was over


class _Divider:
    """Reads a stretch without silences between files, and divides it where the scan paused."""

    def __init__(
        self, reader: BagReader, robot: str, part: Part, pace_ns: int, tell: Progress
    ) -> None:
        self._reader = reader.part(part)
        self._robot = robot
        self._part = part
        self._pace_ns = pace_ns
        self._tell = tell
        self._whole = (reader.start_ns, max(1, reader.end_ns - reader.start_ns))
        self._idle_since_ns: int | None = None
        self._before: BagMessage | None = None
        self._done: list[Stretch] = []
        self._open = self._begin(part.start)

    def stretches(self) -> list[Stretch]:
        """Read it."""
        for message in self._reader.messages(self._robot, TYPES):
            if message.topic == "scan/coverage":
                share = (message.received_ns - self._whole[0]) / self._whole[1]
                self._tell("reading the recording", share)
            if self._is_after_silence(message):
                self._end(message.place)
            self._before = message
            if message.topic == STATE:
                self._follow(message)
            if self._open.rest is None:
                self._open.course.add(message)
        self._end(self._part.stop)
        return self._done

    def _begin(self, start: Place) -> _Open:
        return _Open(start, CourseReader(self._reader, self._pace_ns))

    def _end(self, stop: Place) -> None:
        opened = self._open
        if opened.start < stop:
            part = Part(opened.start, stop if opened.rest is None else min(stop, opened.rest))
            self._done.append(Stretch(part, opened.course.course(), bool(opened.goals)))
            if part.stop < stop:
                rest = Part(part.stop, stop)
                self._done.append(Stretch(rest, Course(), has_scan=False))
        self._open = self._begin(stop)
        self._idle_since_ns = None

    def _is_after_silence(self, message: BagMessage) -> bool:
        """Return whether nothing at all was recorded for long before a message of its file."""
        before = self._before
        if before is None or before.file != message.file:
            return False
        if message.received_ns - before.received_ns <= _PAUSE_NS:
            return False
        # What else was recorded meanwhile, pictures say, is looked at only here.
        topics = {connection.topic for connection in self._reader.connections}
        last_ns = before.received_ns
        window = (before.received_ns, message.received_ns + 1)
        for one in self._reader.messages_of(topics, *window):
            if one.file == message.file:
                if one.received_ns - last_ns > _PAUSE_NS:
                    return True
                last_ns = max(last_ns, one.received_ns)
        return False

    def _follow(self, message: BagMessage) -> None:
        """Begin a new stretch where the scan searches again after a pause."""
        if byte_after_header_of(message.data) == _IDLE:
            if self._idle_since_ns is None:
                self._idle_since_ns = message.received_ns
            is_over = abs(message.received_ns - self._idle_since_ns) > _REST_NS
            if is_over and self._open.goals and self._open.rest is None:
                self._open.rest = message.place
            return
        if self._open.goals and self._idle_since_ns is None and self._is_of_goal(message):
            return
        content = self._reader.read(message)
        if not content.words:  # it stands safe, and has no goal
            self._idle_since_ns = self._idle_since_ns or message.received_ns
            return
        goal, key = _goal_of(content), key_of(content)
        if self._is_another(message, goal, key):
            self._end(message.place)
        self._open.goals.add(goal)
        self._open.key, self._open.rest = key, None
        self._idle_since_ns = None

    def _is_another(self, message: BagMessage, goal: Any, key: GoalKey | None) -> bool:
        """Return whether a goal is another one than that of the stretch in hand."""
        since_ns = self._idle_since_ns
        idle_ns = 0 if since_ns is None else abs(message.received_ns - since_ns)
        if not self._open.goals:
            return idle_ns > _REST_NS  # what lies before the first goal is none of it
        if key is not None or self._open.key is not None:
            return key != self._open.key
        return idle_ns > _PAUSE_NS or goal not in self._open.goals

    def _is_of_goal(self, message: BagMessage) -> bool:
        """Return whether a state is of the goal in hand, by its bytes: it need not be unpacked."""
        key = self._open.key
        if key is None:
            return True
        begun = struct.pack("<iI", *divmod(key[0], _NS_PER_S))
        return begun in message.data and key[1].encode() in message.data


def _goal_of(state: Any) -> Any:
    """Return what a message of type ScanState searches for, and where."""
    words = tuple(state.words)
    area = getattr(state, "area", None)  # recordings of before have none
    if area is None:
        return words
    bearings = tuple((one.yaw_rad, one.pitch_rad) for one in area.bearings)
    ranges = (area.yaw_min_rad, area.yaw_max_rad, area.pitch_min_rad, area.pitch_max_rad)
    return words, ranges, bearings

"""The scan's own time, which no step of the system's clock moves.

Steps, timeouts, tracks, poses and coverage compare times. A clock that is set back would freeze all
of them until it has caught up; one that leaps would let everything grow old at once. So times of
the outside are shifted onto a time that never falls and never leaps, and stamps, by which others
know their frames, are shifted back on their way out. Where the clock never steps nothing is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.evidence import Finding, TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    CameraBeat,
    Fix,
    FrameDetections,
    GimbalReading,
    Input,
    InspectionResult,
)
from semantic_detection_pkg.scan.core.tracking.track import Track

_LEAP_NS = 5_000_000_000  # beyond the interval before: no node is held up for so long
#: What was stamped may come out later than now: clocks of cameras and a step's unknown length.
_AHEAD_NS = 500_000_000
_RECENT = 8  # clock settings that a stamp on its way may be from
_SEGMENTS_MAX = 1000
_EXCEPTIONS_MAX = 4000


@dataclass(frozen=True)
class ClockSegment:
    """From `since_ns`, of the scan, on: the scan's time is the outside's plus `shift_ns`."""

    since_ns: int
    shift_ns: int


@dataclass(frozen=True)
class ClockRecord:
    """A clock at its newest step, for a checkpoint: stamps of before are known by it afterwards."""

    outside_ns: int
    now_ns: int
    interval_ns: int
    segments: tuple[ClockSegment, ...]
    exceptions: tuple[tuple[int, int], ...]


class ScanClock:
    """Maps times of the outside to the scan's time and back.

    A step of the outside's clock is seen by the times of the controller's steps alone, so that a
    recording of these replays it.
    """

    def __init__(self) -> None:
        """Begin without a shift."""
        self._segments = [ClockSegment(0, 0)]
        self._outside_ns: int | None = None
        self._now_ns = 0
        self._interval_ns = 0
        # Around a step some stamps lie across the boundary: what their segment would not return.
        self._exceptions: OrderedDict[int, int] = OrderedDict()

    @staticmethod
    def resume(record: ClockRecord, outside_ns: int, elapsed_ns: int) -> ScanClock:
        """Return a clock that goes on after a gap: what is older than the gap stays older.

        Args:
            outside_ns: [ns] of the first step after the gap.
            elapsed_ns: [ns] how long the gap was; 0 where nobody knows, as with a clock that was
                set meanwhile: the scan then knows of no gap.

        Raises:
            ValueError: the record is of no clock.
        """
        if not record.segments:
            raise ValueError("a clock without segments is no clock")
        clock = ScanClock()
        clock._segments = list(record.segments)
        clock._exceptions = OrderedDict(record.exceptions)
        clock._interval_ns = record.interval_ns
        apart_ns = outside_ns - record.outside_ns - elapsed_ns
        if abs(apart_ns) <= _LEAP_NS and elapsed_ns + apart_ns >= 0:
            elapsed_ns += apart_ns
        else:
            now_ns = record.now_ns + max(elapsed_ns, record.interval_ns)
            elapsed_ns = now_ns - record.now_ns
            clock._segments.append(ClockSegment(now_ns, now_ns - outside_ns))
            del clock._segments[:-_SEGMENTS_MAX]
        clock._outside_ns, clock._now_ns = outside_ns, record.now_ns + elapsed_ns
        return clock

    @property
    def record(self) -> ClockRecord:
        """Return what `resume` needs."""
        return ClockRecord(
            self._outside_ns or 0,
            self._now_ns,
            self._interval_ns,
            tuple(self._segments),
            tuple(self._exceptions.items()),
        )

    @property
    def has_stepped(self) -> bool:
        """Return whether the outside's clock has stepped."""
        return len(self._segments) > 1

    def advance(self, outside_ns: int) -> int:
        """Return the scan's time of a step at `outside_ns` [ns], not before that of the last.

        After a step of the clock as much time has passed as between the two steps before: how much
        it really was, nobody can tell.
        """
        if self._outside_ns is not None:
            elapsed_ns = outside_ns - self._outside_ns
            if 0 <= elapsed_ns <= _LEAP_NS + self._interval_ns:
                self._interval_ns = elapsed_ns
            else:
                now_ns = self._now_ns + self._interval_ns
                self._segments.append(ClockSegment(now_ns, now_ns - outside_ns))
                del self._segments[:-_SEGMENTS_MAX]
        self._outside_ns = outside_ns
        self._now_ns = outside_ns + self._segments[-1].shift_ns
        return self._now_ns

    def inward(self, stamp_ns: int) -> int:
        """Return the scan's time of a stamp of the outside; 0, for none, stays 0.

        A stamp from before a step may come after it: of the last settings of the clock that one
        counts by which it was made last, but not after now.
        """
        if not self.has_stepped or stamp_ns == 0:
            return stamp_ns
        latest_ns = self._now_ns + _AHEAD_NS
        mapped = [stamp_ns + one.shift_ns for one in reversed(self._segments[-_RECENT:])]
        inner_ns = max((one for one in mapped if one <= latest_ns), default=mapped[0])
        if self.outward(inner_ns) != stamp_ns:
            while self._exceptions.get(inner_ns, stamp_ns) != stamp_ns:
                inner_ns += 1  # another stamp has this place
            self._exceptions[inner_ns] = stamp_ns
            while len(self._exceptions) > _EXCEPTIONS_MAX:
                self._exceptions.popitem(last=False)
        return inner_ns

    def outward(self, inner_ns: int) -> int:
        """Return the stamp of the outside that `inward` made `inner_ns` of; 0 stays 0."""
        if not self.has_stepped or inner_ns == 0:
            return inner_ns
        if inner_ns in self._exceptions:
            return self._exceptions[inner_ns]
        index = bisect_right(self._segments, inner_ns, key=lambda one: one.since_ns) - 1
        return inner_ns - self._segments[max(index, 0)].shift_ns

    def input_inward(self, item: Input) -> Input:
        """Return an input with its stamps on the scan's time."""
        if not self.has_stepped:
            return item
        if isinstance(item, GimbalReading | Fix | BaseAttitude | CameraBeat):
            return replace(item, stamp_ns=self.inward(item.stamp_ns))
        if isinstance(item, InspectionResult | VlmReply):
            return replace(item, frame_ns=self.inward(item.frame_ns))
        if isinstance(item, FrameDetections):
            stamp_ns, pose = self.inward(item.stamp_ns), item.pose
            if pose is not None:
                pose = replace(pose, stamp_ns=stamp_ns + pose.stamp_ns - item.stamp_ns)
            return replace(item, stamp_ns=stamp_ns, pose=pose)
        return item

    def decision_outward(self, decision: Decision) -> Decision:
        """Return a decision with the stamps that the outside knows."""
        if not self.has_stepped:
            return decision
        return replace(
            decision,
            inspect=tuple(self._with_frame_outward(one) for one in decision.inspect),
            findings=self.findings_outward(decision.findings),
        )

    def findings_outward(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return findings with the stamps that the outside knows."""
        if not self.has_stepped:
            return tuple(findings)
        return tuple(self._finding_outward(one) for one in findings)

    def tracks_outward(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return tracks with the stamps that the outside knows."""
        if not self.has_stepped:
            return tuple(tracks)
        return tuple(
            replace(
                one,
                first_seen_ns=self.outward(one.first_seen_ns),
                last_seen_ns=self.outward(one.last_seen_ns),
                history=self._with_stamps_outward(one.history),
            )
            for one in tracks
        )

    def _finding_outward(self, finding: Finding) -> Finding:
        return replace(
            finding,
            stamp_ns=self.outward(finding.stamp_ns),
            best_frame_ns=self.outward(finding.best_frame_ns),
            tiers=tuple(self._tier_outward(one) for one in finding.tiers),
            answers=tuple(self._with_frame_outward(one) for one in finding.answers),
            history=self._with_stamps_outward(finding.history),
        )

    def _tier_outward(self, result: TierResult) -> TierResult:
        return replace(result, frames_ns=tuple(map(self.outward, result.frames_ns)))

    def _with_frame_outward(self, item: Any) -> Any:
        return replace(item, frame_ns=self.outward(item.frame_ns))

    def _with_stamps_outward(self, items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(replace(one, stamp_ns=self.outward(one.stamp_ns)) for one in items)

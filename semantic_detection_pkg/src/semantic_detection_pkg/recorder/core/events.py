"""Events: stretches of time that are kept beyond the ring, under a budget of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ros_support_pkg.core.settings import MEGABYTES, setting
from semantic_detection_pkg.recorder.core.ring import Segment
from semantic_detection_pkg.recorder.core.topics import Message

_NS_PER_S = 1_000_000_000
_LABEL_LENGTH = 40


@dataclass(frozen=True)
class Event:
    """What was asked to be kept.

    Attributes:
        name: of its folder; sorts by time.
        label: in words.
        marked_ns: [ns] since the epoch, when it happened.
        start_ns, end_ns: [ns] the stretch of time kept, by receive time.
        findings: ids of what was found, where it was a finding.
        segments: bytes of each segment kept, by its number.
        after_number: the newest finished segment when it was marked; clocks may step back, numbers
            do not.
        is_complete: the ring is past end_ns; nothing more is added.
        no_recording: why nothing of that time is kept any more, in words; empty: something is.
    """

    name: str
    label: str
    marked_ns: int
    start_ns: int
    end_ns: int
    findings: tuple[str, ...] = ()
    segments: Mapping[int, int] = field(default_factory=dict)
    after_number: int = 0
    is_complete: bool = False
    no_recording: str = ""

    def is_past(self, number: int, end_ns: int) -> bool:
        """Return whether a segment that was finished after the mark ends beyond what is kept.

        One that was begun after the mark and ends before it tells of a clock that was set back:
        nothing of the time that is kept comes any more.
        """
        is_set_back = number > self.after_number + 1 and end_ns < self.marked_ns
        return number > self.after_number and (end_ns > self.end_ns or is_set_back)

    def wanted(self, segments: Sequence[Segment]) -> list[Segment]:
        """Return those that hold some of what is kept, by time and as the clock was at the mark.

        Args:
            segments: finished ones, oldest first. Where one begins before the one that precedes
                it, the clock was set back in between.
        """
        is_before = [one.number <= self.after_number + 1 for one in segments]
        before = [one for one, is_one in zip(segments, is_before, strict=True) if is_one]
        after = [one for one, is_one in zip(segments, is_before, strict=True) if not is_one]
        first = next(
            (i for i in range(len(before) - 1, 0, -1) if _is_set_back(before[i - 1], before[i])), 0
        )
        joined = before[first:] + after
        last = next(
            (
                i
                for i in range(max(1, len(joined) - len(after)), len(joined))
                if _is_set_back(joined[i - 1], joined[i])
            ),
            len(joined),
        )
        return [one for one in joined[:last] if one.overlaps(self.start_ns, self.end_ns)]


@dataclass(frozen=True)
class FindingMark:
    """A confirmed finding, for which there is to be an event.

    Attributes:
        finding_id: unique over missions.
        label: what was found, in words.
        message: the finding as it was sent; the event keeps it beside its recording.
    """

    finding_id: str
    label: str
    message: Message


def _is_set_back(earlier: Segment, later: Segment) -> bool:
    return later.start_ns < earlier.start_ns


@dataclass(frozen=True)
class EventRules:
    """How much of an event is kept, and how much of all events."""

    max_events_bytes: int = setting(
        2000,
        "size of all events together; segments that several share count once",
        minimum=1,
        maximum=100_000_000,
        scale=MEGABYTES,
        formerly=("events_bytes",),
    )
    before_s: float = setting(
        10.0, "kept before an event, unless its mark says more", minimum=0.0, maximum=3600.0
    )
    after_s: float = setting(
        10.0, "kept after an event, unless its mark says more", minimum=0.0, maximum=3600.0
    )

    def window(self, marked_ns: int, before_s: float, after_s: float) -> tuple[int, int]:
        """Return the first and last time [ns] to keep; negative arguments mean the defaults.

        Raises:
            ValueError: an argument is no finite number.
        """
        before_s = self.before_s if before_s < 0 else before_s
        after_s = self.after_s if after_s < 0 else after_s
        for name, value in (("before_s", before_s), ("after_s", after_s)):
            if not value < float("inf"):
                raise ValueError(f"{name} is {value}, a finite number of seconds is allowed")
        return marked_ns - int(before_s * _NS_PER_S), marked_ns + int(after_s * _NS_PER_S)

    def surplus(self, events: Sequence[Event]) -> list[Event]:
        """Return those that must go, oldest first. The newest always stays, however large it is."""
        gone: list[Event] = []
        kept = list(events)
        while len(kept) > 1 and bytes_of(kept) > self.max_events_bytes:
            gone.append(kept.pop(0))
        return gone


def bytes_of(events: Sequence[Event]) -> int:
    """Return what events hold together; a segment that several share lies on the disk once."""
    segments: dict[int, int] = {}
    for event in events:
        segments.update(event.segments)
    return sum(segments.values())


def event_name(utc: str, label: str, taken: Sequence[str] = ()) -> str:
    """Return a folder's name from time (`20261123T201500.125Z`) and label, not one of `taken`."""
    words = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:_LABEL_LENGTH] or "event"
    name = f"{utc}_{words}"
    number = 2
    while name in taken:
        name = f"{utc}_{words}_{number}"
        number += 1
    return name

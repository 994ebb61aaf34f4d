"""The ring: which segments there are, when one is full, and which of them must go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from semantic_detection_pkg.recorder.core.topics import Topic


@dataclass(frozen=True)
class Segment:
    """One finished file of the ring, with what belongs to it.

    Attributes:
        number: 1.., one higher than the one before; never used twice.
        bytes: on the disk, tables included.
        start_ns, end_ns: [ns] receive times of its first and last message.
        counts: messages of each topic.
        is_shared: an event holds it too, so removing it frees nothing.
    """

    number: int
    bytes: int
    start_ns: int
    end_ns: int
    counts: Mapping[Topic, int]
    is_shared: bool = False

    @property
    def messages(self) -> int:
        """Messages of all topics."""
        return sum(self.counts.values())

    def overlaps(self, start_ns: int, end_ns: int) -> bool:
        """Whether some of it lies within the closed interval."""
        return self.start_ns <= end_ns and start_ns <= self.end_ns


@dataclass(frozen=True)
class RingRules:
    """How much the ring may hold.

    Attributes:
        budget_bytes: of all segments together, the open one included; >= segment_bytes.
        floor_bytes: what stays free on the file system; >= 0.
        segment_bytes: size at which a segment is closed; > 0.
        segment_s: [s] age at which it is closed; > 0.
    """

    budget_bytes: int
    floor_bytes: int
    segment_bytes: int
    segment_s: float

    def __post_init__(self) -> None:
        if not (self.segment_bytes > 0 and self.segment_s > 0 and self.floor_bytes >= 0):
            raise ValueError(f"{self}: segments have a size and an age > 0, the floor is >= 0")
        if self.budget_bytes < self.segment_bytes:
            raise ValueError(
                f"the ring's budget is {self.budget_bytes} bytes, "
                f"at least one segment of {self.segment_bytes} bytes is allowed"
            )

    def is_full(self, segment_bytes: int, age_s: float) -> bool:
        """Whether the open segment is to be closed."""
        return segment_bytes >= self.segment_bytes or age_s >= self.segment_s

    def surplus(self, segments: Iterable[Segment], open_bytes: int, free_bytes: int) -> list[int]:
        """Numbers of the segments that must go, oldest first.

        Room for one whole segment is kept within the budget and above the floor: the open one.

        Args:
            segments: finished ones, oldest first.
            open_bytes: of the open segment.
            free_bytes: of the file system now.
        """
        kept = list(segments)
        used = sum(segment.bytes for segment in kept) + max(open_bytes, self.segment_bytes)
        wanted = self.floor_bytes + max(0, self.segment_bytes - open_bytes)
        gone: list[int] = []
        for segment in kept:
            if used <= self.budget_bytes and free_bytes >= wanted:
                break
            used -= segment.bytes
            free_bytes += 0 if segment.is_shared else segment.bytes
            gone.append(segment.number)
        return gone

"""The ring: which segments there are, when one is full, and which of them must go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ros_support_pkg.core.settings import MEGABYTES, setting
from semantic_detection_pkg.errors import ConfigurationError
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
        """Return whether some of it lies within the closed interval."""
        return self.start_ns <= end_ns and start_ns <= self.end_ns


@dataclass(frozen=True)
class RingRules:
    """How much the ring may hold.

    Raises:
        ConfigurationError: on construction, if not even one segment fits.
    """

    max_ring_bytes: int = setting(
        8000,
        "size of all segments together, the open one included",
        minimum=1,
        maximum=100_000_000,
        scale=MEGABYTES,
        formerly=("budget_bytes",),
    )
    min_free_bytes: int = setting(
        1000,
        "space that stays free on the file system",
        minimum=0,
        maximum=100_000_000,
        scale=MEGABYTES,
        formerly=("floor_bytes",),
    )
    segment_bytes: int = setting(
        64, "size at which a segment is closed", minimum=1, maximum=4000, scale=MEGABYTES
    )
    segment_duration_s: float = setting(
        10.0,
        "age at which a smaller segment is closed",
        minimum=0.5,
        maximum=3600.0,
        formerly=("segment_s",),
    )

    def __post_init__(self) -> None:
        has_segments = self.segment_bytes > 0 and self.segment_duration_s > 0
        if not (has_segments and self.min_free_bytes >= 0):
            raise ConfigurationError(
                f"{self}: segments have a size and an age > 0, min_free_bytes is >= 0"
            )
        if self.max_ring_bytes < self.segment_bytes:
            ring_mb, segment_mb = self.max_ring_bytes / 1e6, self.segment_bytes / 1e6
            raise ConfigurationError(
                f"parameter 'max_ring_mb' is {ring_mb:g}, "
                f"at least one segment (segment_mb, {segment_mb:g}) is allowed"
            )

    def is_full(self, segment_bytes: int, age_s: float) -> bool:
        """Return whether the open segment is to be closed."""
        return segment_bytes >= self.segment_bytes or age_s >= self.segment_duration_s

    def surplus(self, segments: Iterable[Segment], open_bytes: int, free_bytes: int) -> list[int]:
        """Return numbers of the segments that must go, oldest first.

        Room for one whole segment is kept within the budget and above the floor: the open one.

        Args:
            segments: finished ones, oldest first.
            open_bytes: of the open segment.
            free_bytes: of the file system now.
        """
        kept = list(segments)
        used = sum(segment.bytes for segment in kept) + max(open_bytes, self.segment_bytes)
        wanted = self.min_free_bytes + max(0, self.segment_bytes - open_bytes)
        gone: list[int] = []
        for segment in kept:
            if used <= self.max_ring_bytes and free_bytes >= wanted:
                break
            used -= segment.bytes
            free_bytes += 0 if segment.is_shared else segment.bytes
            gone.append(segment.number)
        return gone

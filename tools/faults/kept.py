"""What a fault may not take: the mission, findings with their evidence, finished segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: What counts as the same coverage: the newest cells may not have been kept yet.
_COVERAGE_TOLERANCE = 0.05
#: An area that was covered is begun again, so that coverage falls.
_COVERED = 0.9


@dataclass(frozen=True)
class Kept:
    """What there is at a moment.

    Attributes:
        coverage: of the mission, 0..1.
        confirmed: findings of the mission that are confirmed, as the scan controller counts them.
        told: ids of findings whose newest revision says that they are confirmed.
        mission: those of the goal in hand.
        words: what is looked for.
        segments: bytes of each finished file of the recording, by name, which counts them up.
        evidence: ids of the findings that an event on the disk names.
        ring_bytes: of finished files, from which on the recording lets go of its oldest ones.
    """

    coverage: float
    confirmed: int
    told: frozenset[str]
    mission: frozenset[str]
    words: tuple[str, ...]
    segments: Mapping[str, int]
    evidence: frozenset[str]
    ring_bytes: int


def losses(before: Kept, after: Kept) -> list[str]:
    """Return in words what is gone."""
    lost = []
    if before.coverage - after.coverage > _COVERAGE_TOLERANCE and before.coverage < _COVERED:
        lost.append(f"mission: coverage fell from {before.coverage:.2f} to {after.coverage:.2f}")
    # What was looked at again and is not confirmed is no loss; nor what was counted and never told.
    known = before.mission & after.told
    if after.confirmed < len(known):
        lost.append(f"mission: {len(known)} findings are {after.confirmed}")
    if after.words != before.words:
        lost.append(f"mission: looked for {before.words}, looks for {after.words}")
    lost += _missing("segment", before.segments, after.segments.keys() | _let_go(before, after))
    return lost + _missing("event of finding", before.evidence, after.evidence)


def _let_go(before: Kept, after: Kept) -> set[str]:
    """Return the files that had to make room: the oldest ones of a recording that is full."""
    sizes = {**before.segments, **after.segments}
    if sum(sizes.values()) < before.ring_bytes:
        return set()
    return {name for name in before.segments if name < min(after.segments, default="")}


def without_evidence(confirmed: Iterable[str], evidence: Iterable[str]) -> list[str]:
    """Return in words which confirmed findings no event names."""
    return _missing("event of finding", confirmed, evidence)


def _missing(what: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    return [f"{what} {name} is gone" for name in sorted(set(before) - set(after))]

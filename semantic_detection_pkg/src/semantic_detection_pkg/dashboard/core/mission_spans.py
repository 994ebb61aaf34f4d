"""Missions of a recording as timelines: when the scan did what, goal by goal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Begin [ns] and id of a goal; None: recordings of before do not name it.
GoalKey = tuple[int, str] | None
_PAUSE_NS = 120_000_000_000


@dataclass(frozen=True)
class StateSeen:
    """One recorded state of the scan.

    Attributes:
        received_ns: [ns] since the epoch.
        level: its word.
        words: what is looked for; empty: no goal is in hand.
        outcome: of the goal that has ended.
    """

    received_ns: int
    key: GoalKey
    level: str
    words: tuple[str, ...]
    outcome: str = ""


@dataclass
class MissionSpan:
    """One mission.

    Attributes:
        levels: (time [ns], word), each until the next.
    """

    key: GoalKey
    start_ns: int
    end_ns: int
    words: tuple[str, ...]
    outcome: str = ""
    levels: list[tuple[int, str]] = field(default_factory=list)

    @property
    def begun_ns(self) -> int:
        """Return what its findings' ids start with; where that is not known when it was begun."""
        return self.key[0] if self.key else self.start_ns

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "begun_ns": str(self.begun_ns),
            "start_ns": str(self.start_ns),
            "end_ns": str(self.end_ns),
            "words": list(self.words),
            "outcome": self.outcome,
            "levels": [[str(at_ns), level] for at_ns, level in self.levels],
        }


def missions_of_states(states: Iterable[StateSeen]) -> list[MissionSpan]:
    """Return the missions of states in the order of recording, the newest first."""
    found: list[MissionSpan] = []
    for one in states:
        if not one.words:
            _end(found, one)
            continue
        span = _span_of(found, one)
        if span is None:
            span = MissionSpan(one.key, one.received_ns, one.received_ns, one.words)
            found.append(span)
        span.end_ns = max(span.end_ns, one.received_ns)
        span.words = tuple(dict.fromkeys((*span.words, *one.words)))
        if not span.levels or span.levels[-1][1] != one.level:
            span.levels.append((one.received_ns, one.level))
    return found[::-1]


def _span_of(found: Sequence[MissionSpan], one: StateSeen) -> MissionSpan | None:
    """Return the mission that a state with a goal belongs to; None: it begins one."""
    if one.key is not None:
        return next((span for span in reversed(found) if span.key == one.key), None)
    last = found[-1] if found else None
    is_same = (
        last is not None
        and last.key is None
        and last.words == one.words
        and abs(one.received_ns - last.end_ns) <= _PAUSE_NS
    )
    return last if is_same else None


def _end(found: Sequence[MissionSpan], idle: StateSeen) -> None:
    if not found:
        return
    span = found[-1]
    if idle.key == span.key and idle.outcome and not span.outcome:
        span.outcome, span.end_ns = idle.outcome, max(span.end_ns, idle.received_ns)

"""When a checkpoint is made, whether its mission goes on at once, and what waits for the disk.

The order of things makes that nothing is lost and nothing happens twice: what a step has found or
ended is told to the outside only when the checkpoint that knows of it is on the medium. A process
that ends before that has told nobody; one that ends after it knows. Findings are told again when a
mission is resumed, under their own ids and revisions, since one may have been kept and not told.
Where the mission has ended, what is not told yet stays on the medium without it until it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from semantic_detection_pkg.scan.core.checkpoint_encoding import Head, Moment, changed_settings
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.decisions import GoalResult
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.core.settings import ScanSettings

NS_PER_S = 1_000_000_000
_PERIOD_S = 1.0
_LOAD = 0.25  # of the time, at most, goes into checkpoints of a mission that is very large
_NAMED_MAX = 3  # settings that a reason names
#: So often a mission is resumed without having gone on for a while; then it asks, and at last it is
#: left, where nobody has let it go on.
ATTEMPTS_UNASKED = 3
ATTEMPTS_MAX = 6
#: A mission that has gone on for so long was not ended by itself.
PROVEN_S = 60.0
#: So long a finding or a result waits for the disk; then it is told all the same.
HOLD_S = 1.0


def reasons_to_ask(
    head: Head,
    goal: Goal,
    now: Moment,
    rules: CheckpointSettings,
    settings: ScanSettings,
    start: Goal | None = None,
) -> tuple[str, ...]:
    """Return why an operator has to agree before a mission goes on; empty: it goes on at once.

    Args:
        goal: of the mission.
        settings: of now.
        start: what would be begun now, were there no mission; its words may be left open.
    """
    reasons = []
    if rules.resume_policy == "ask":
        reasons.append("resume_policy is ask")
    if rules.resume_policy == "at_once_after_crash":
        if head.is_orderly:
            reasons.append("the scan controller was shut down")
        if not now.is_same_boot(head.saved):
            reasons.append("the computer was started again")
    elapsed_ns = now.elapsed_ns(head.saved)
    if elapsed_ns is None:
        reasons.append("nobody knows how old the mission is: the clock was set back")
    elif elapsed_ns > rules.max_checkpoint_age_s * NS_PER_S:
        reasons.append(f"the mission was interrupted {_duration(elapsed_ns)} ago")
    changed = changed_settings(head.settings, settings)
    if changed:
        more = " ..." if changed[_NAMED_MAX:] else ""
        reasons.append(f"settings were changed: {', '.join(changed[:_NAMED_MAX])}{more}")
    if start is not None and _is_other(start, goal):
        reasons.append("the start parameters name another area, zoom or words")
    if head.attempts >= ATTEMPTS_UNASKED:
        reasons.append(f"it was resumed {head.attempts} times and ended soon each time")
    return tuple(reasons)


def _is_other(start: Goal, goal: Goal) -> bool:
    is_same_words = not start.words or start.words == goal.words
    return (start.area, start.zoom) != (goal.area, goal.zoom) or not is_same_words


def _duration(elapsed_ns: int) -> str:
    seconds = elapsed_ns // NS_PER_S
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


class CheckpointSchedule:
    """Says when a checkpoint is due: at each decision, and at least once a second."""

    def __init__(self) -> None:
        """Begin with no mission kept."""
        self._known: Hashable = None
        self._due_s = 0.0

    def is_due(self, now_s: float, marks: Hashable, took_s: float = 0.0) -> bool:
        """Return whether to make one now, and count on its being made.

        Args:
            now_s: [s] on a steady clock.
            marks: different after each decision, see `checkpoint.marks_of`; None: no mission.
            took_s: [s] that the last one took to write: where that is long, as for a map of a
                million cells, the next one without a decision comes later than after a second.
        """
        is_new = marks != self._known
        is_time = marks is not None and now_s >= self._due_s
        if is_new or is_time:
            self._known = marks
            self._due_s = now_s + max(_PERIOD_S, took_s / _LOAD)
        return is_new or is_time


@dataclass(frozen=True)
class Held:
    """What a step has to tell, and since when it waits [s]; `number` is that of its checkpoint."""

    number: int
    since_s: float
    findings: tuple[Finding, ...] = ()
    result: GoalResult | None = None


@dataclass
class Outbox:
    """Findings and results that wait until the checkpoint that knows of them is on the medium."""

    _held: deque[Held] = field(default_factory=deque)

    def hold(self, item: Held) -> None:
        """Have something wait."""
        if item.findings or item.result is not None:
            self._held.append(item)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings that wait."""
        return tuple(finding for one in self._held for finding in one.findings)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._held

    def release(self, kept: int, now_s: float, *, is_keeping: bool = True) -> list[Held]:
        """Return what may be told now, in order.

        Args:
            kept: number of the newest checkpoint on the medium.
            is_keeping: the disk takes checkpoints; where it does not nothing waits for it.
        """
        ready = []
        while self._held and (
            self._held[0].number <= kept
            or not is_keeping
            or now_s - self._held[0].since_s >= HOLD_S
        ):
            ready.append(self._held.popleft())
        return ready

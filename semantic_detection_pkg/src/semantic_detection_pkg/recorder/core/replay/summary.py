"""What a replay came to, gathered step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from semantic_detection_pkg.recorder.core.replay.comparison import Digest
from semantic_detection_pkg.recorder.core.replay.player import ReplayedStep


@dataclass(frozen=True)
class Stretch:
    """Steps in a row, none missing between them, that share a fate.

    Attributes:
        problem: why they could not be replayed; empty: they were.
    """

    first: ReplayedStep
    last: ReplayedStep
    problem: str

    @property
    def steps(self) -> int:
        return self.last.step.number - self.first.step.number + 1

    @property
    def span_ns(self) -> int:
        """[ns] from the first step to the last."""
        return self.last.step.now_ns - self.first.step.now_ns


@dataclass
class Summary:
    """Of all steps of a replay.

    Attributes:
        recorded, replayed: digests over the decisions of the steps that could be replayed.
        different: how many of them decided otherwise.
        first_different: the first of these.
        stretches: all steps, in their order.
        version_notes: see `StepInputs`.
    """

    recorded: Digest = field(default_factory=Digest)
    replayed: Digest = field(default_factory=Digest)
    different: int = 0
    first_different: ReplayedStep | None = None
    stretches: list[Stretch] = field(default_factory=list)
    version_notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, outcomes: Iterable[ReplayedStep]) -> Summary:
        """Take all steps."""
        summary = cls()
        for outcome in outcomes:
            summary.add(outcome)
        return summary

    @property
    def exact(self) -> int:
        """Steps that could be replayed."""
        return sum(stretch.steps for stretch in self._replayed)

    @property
    def exact_s(self) -> float:
        """[s] that these steps cover."""
        return 1e-9 * sum(stretch.span_ns for stretch in self._replayed)

    @property
    def steps(self) -> int:
        """Steps in the recording."""
        return sum(stretch.steps for stretch in self.stretches)

    @property
    def _replayed(self) -> Iterator[Stretch]:
        return (stretch for stretch in self.stretches if not stretch.problem)

    def add(self, outcome: ReplayedStep) -> None:
        """Take the next step."""
        self._stretch(outcome)
        self.version_notes += [n for n in outcome.version_notes if n not in self.version_notes]
        if outcome.decision is None:
            return
        self.recorded.add(outcome.step.decision)
        self.replayed.add(outcome.decision)
        if not outcome.is_same:
            self.different += 1
            self.first_different = self.first_different or outcome

    def _stretch(self, outcome: ReplayedStep) -> None:
        last = self.stretches[-1] if self.stretches else None
        if (
            last is not None
            and last.problem == outcome.problem
            and last.last.step.number + 1 == outcome.step.number
        ):
            self.stretches[-1] = Stretch(last.first, outcome, outcome.problem)
        else:
            self.stretches.append(Stretch(outcome, outcome, outcome.problem))

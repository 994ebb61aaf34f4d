"""What came of the faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

#: Goal for the recovery of 19 in 20 faults, on a quiet machine [s].
RECOVERY_P95_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """One fault.

    Attributes:
        kind: of fault.
        what: was done to whom.
        recovery_s: from the fault's end until all was well; None: it never was.
        lost: in words, empty: nothing.
        remark: why it did not recover.
    """

    kind: str
    what: str
    recovery_s: float | None
    lost: Sequence[str] = field(default_factory=tuple)
    remark: str = ""

    @property
    def has_survived(self) -> bool:
        """Whether all came back and nothing is gone."""
        return self.recovery_s is not None and not self.lost

    def line(self) -> str:
        """Return it as one line."""
        took = "never well again" if self.recovery_s is None else f"{self.recovery_s:.1f} s"
        return "; ".join(
            [f"{self.kind}: {self.what}: {took}", *self.lost, *filter(None, [self.remark])]
        )


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each kind: tried, survived, recovery, what was lost."""
    names = ("tried", "survived", "median s", "p95 s", "max s", "lost")
    widths = (7, 10, 10, 8, 8, 6)
    heads = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    lines = [f"{'fault':<14}{heads}"]
    for kind, some in _by_kind(outcomes).items():
        took_s = _took_s(some)
        lines.append(
            f"{kind:<14}{len(some):>7}{sum(one.has_survived for one in some):>10}"
            f"{np.median(took_s):>10.1f}{_p95_s(some):>8.1f}{max(took_s):>8.1f}"
            f"{sum(len(one.lost) for one in some):>6}"
        )
    return "\n".join(lines)


def too_slow(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each kind whose recovery misses the goal of a quiet machine."""
    return [
        f"{kind}: p95 of the recovery is {p95_s:.1f} s, goal {RECOVERY_P95_S:g} s"
        for kind, some in _by_kind(outcomes).items()
        if (p95_s := _p95_s(some)) > RECOVERY_P95_S
    ]


def _by_kind(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    return by_kind


def _took_s(some: Sequence[Outcome]) -> list[float]:
    """Return how long those took that recovered; NaN where none did."""
    return [one.recovery_s for one in some if one.recovery_s is not None] or [float("nan")]


def _p95_s(some: Sequence[Outcome]) -> float:
    return float(np.percentile(_took_s(some), 95))

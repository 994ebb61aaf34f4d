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
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    names = ("tried", "survived", "median s", "p95 s", "max s", "lost")
    widths = (7, 10, 10, 8, 8, 6)
    heads = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    lines = [f"{'fault':<14}{heads}"]
    for kind, some in by_kind.items():
        took_s = [one.recovery_s for one in some if one.recovery_s is not None] or [float("nan")]
        lines.append(
            f"{kind:<14}{len(some):>7}{sum(one.has_survived for one in some):>10}"
            f"{np.median(took_s):>10.1f}{np.percentile(took_s, 95):>8.1f}{max(took_s):>8.1f}"
            f"{sum(len(one.lost) for one in some):>6}"
        )
    return "\n".join(lines)

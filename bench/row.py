"""One figure of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        name: what was measured, with its unit at the end where it has one.
        value: measured in this run.
        unit: of value and goal; "x" for ratios, "" for plain numbers.
        goal: value to reach; None: none is set.
        better: whether lower or higher values are better.
        baseline: what value is compared with, measured in the same run; None: nothing.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    better: Literal["lower", "higher"] = "lower"
    baseline: float | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached; true without one."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal

"""What a run says: one table, and what changed against the committed baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.row import Row


@dataclass(frozen=True)
class Results:
    """A file of figures.

    Attributes:
        machine: what they were measured on, see `bench.machine`.
        rows: each row as it lies in the file, by name.
    """

    machine: Mapping[str, object] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Results:
        """The file's content; empty where there is no file."""
        if not path.exists():
            return cls()
        document = json.loads(path.read_text())
        return cls(document["machine"], {row["name"]: row for row in document["rows"]})

    def with_rows(self, machine: Mapping[str, object], rows: Sequence[Row]) -> Results:
        """New rows over old ones; old ones of another machine are left behind."""
        kept = self.rows if self.machine == machine else {}
        return Results(machine, {**kept, **{row.name: asdict(row) for row in rows}})

    def save(self, path: Path) -> None:
        """Write the file in the form that `load` reads; at no time is a part of it there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"machine": dict(self.machine), "rows": list(self.rows.values())}
        written = path.with_name(f"{path.name}.new")
        written.write_text(json.dumps(document, indent=2) + "\n")
        written.replace(path)


def table(
    rows: Sequence[Row],
    machine: Mapping[str, object],
    baseline: Results,
    failures: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The rows with goals, the baseline's values, and by how much they differ.

    Args:
        failures: why parts failed, by their names; each gets a line.
    """
    heads = ("row", "value", "unit", "goal", "reached", "baseline", "change")
    form = "{:<30}{:>11} {:<8}{:>10}  {:<8}{:>10}  {}"
    lines = [form.format(*heads)]
    for row in rows:
        sign = "<=" if row.better == "lower" else ">="
        goal = "" if row.goal is None else f"{sign} {row.goal:g}"
        reached = "" if row.goal is None else "yes" if row.is_reached else "NO"
        before = baseline.rows.get(row.name, {}).get("value")
        known = "" if before is None else f"{before:.4g}"
        change = "" if before is None else _change(row, before)
        lines.append(
            form.format(row.name, f"{row.value:.4g}", row.unit, goal, reached, known, change)
        )
    lines += [f"{part:<30}     FAILED {reason}" for part, reason in failures.items()]
    if baseline.machine and baseline.machine != machine:
        other = f"{baseline.machine.get('processor')}, {baseline.machine.get('cores')} cores"
        lines.append(f"The baseline is of another machine ({other}): only ratios (x) compare.")
    return "\n".join(line.rstrip() for line in lines)


def _change(row: Row, before: float) -> str:
    """By how much a row differs from its baseline, and whether that is good."""
    if row.value == before:
        return "same"
    word = "better" if (row.value < before) == (row.better == "lower") else "worse"
    if before == 0.0:
        return word
    return f"{100.0 * (row.value / before - 1.0):+.0f} % {word}"

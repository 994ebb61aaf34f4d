"""`python -m bench [--only PREFIX,...]`: run the parts, print one table, write one file."""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import bench
from bench import machine
from bench.row import Row

RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"
_NOT_PARTS = {"__main__", "machine", "row"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="parts or rows whose names begin so")
    wanted = tuple(name for name in parser.parse_args().only.split(",") if name)
    rows = list(_measured(wanted))
    if not rows:
        print(f"bench: nothing begins with {', '.join(wanted)}", file=sys.stderr)
        return 2
    before = _earlier()
    print(_table(rows, before))
    RESULTS.parent.mkdir(exist_ok=True)
    known = {row["name"]: row for row in before.values()} | {row.name: asdict(row) for row in rows}
    document = {"machine": machine.describe(), "rows": list(known.values())}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _measured(wanted: tuple[str, ...]) -> Iterator[Row]:
    """Rows of the wanted parts; of a part whose name is not wanted, its wanted rows."""
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name in _NOT_PARTS:
            continue
        part = import_module(f"bench.{module.name}")
        names: tuple[str, ...] = part.ROWS
        is_whole = not wanted or module.name.startswith(wanted)
        if is_whole or any(name.startswith(wanted) for name in names):
            print(f"measuring {module.name} ...", file=sys.stderr, flush=True)
            yield from (row for row in part.rows() if is_whole or row.name.startswith(wanted))


def _earlier() -> dict[str, dict[str, object]]:
    """Rows of the last run by name; none where it was on another machine."""
    if not RESULTS.exists():
        return {}
    document = json.loads(RESULTS.read_text())
    if document["machine"] != machine.describe():
        return {}
    return {row["name"]: row for row in document["rows"]}


def _table(rows: list[Row], before: dict[str, dict[str, object]]) -> str:
    lines = [f"{'row':<28}{'value':>12} {'unit':<8}{'goal':>10}  {'reached':<9}{'last run':>10}"]
    for row in rows:
        sign = "<=" if row.better == "lower" else ">="
        goal = "" if row.goal is None else f"{sign} {row.goal:g}"
        reached = "" if row.goal is None else "yes" if row.is_reached else "NO"
        last = before.get(row.name, {}).get("value")
        change = "" if not isinstance(last, int | float) else f"{last:.4g}"
        lines.append(
            f"{row.name:<28}{row.value:>12.4g} {row.unit:<8}{goal:>10}  {reached:<9}{change:>10}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

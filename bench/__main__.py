"""`python -m bench [--only PREFIX,...]`: run the parts, print one table, write one file.

Each row is in the file once it is measured. A part that fails is named in the table, the rest goes
on, and the exit status is 1. The table says what changed against the committed baseline;
`--set-baseline` makes this run it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import machine, parts
from bench.report import Results, table
from bench.row import Row

_RESULTS = Path(__file__).resolve().parent / "results"
LATEST = _RESULTS / "latest.json"
BASELINE = _RESULTS / "baseline.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="parts or rows whose names begin so")
    parser.add_argument(
        "--set-baseline", action="store_true", help="these rows are the new baseline"
    )
    arguments = parser.parse_args()
    wanted = tuple(name for name in arguments.only.split(",") if name)
    here = machine.describe()
    rows: list[Row] = []

    def keep(row: Row) -> None:
        rows.append(row)
        Results.load(LATEST).with_rows(here, [row]).save(LATEST)

    failures = parts.run(parts.found(), wanted, keep)
    if not rows and not failures:
        print(f"bench: nothing begins with {', '.join(wanted)}", file=sys.stderr)
        return 2
    print(table(rows, here, Results.load(BASELINE), failures))
    if arguments.set_baseline:
        Results.load(BASELINE).with_rows(here, rows).save(BASELINE)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

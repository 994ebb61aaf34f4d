"""`python -m bench [--only PREFIX,...]`: run the parts, print one table, write one file.

The table says what changed against the committed baseline; `--set-baseline` makes this run it.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import bench
from bench import machine
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
    rows = list(_measured(wanted))
    if not rows:
        print(f"bench: nothing begins with {', '.join(wanted)}", file=sys.stderr)
        return 2
    here = machine.describe()
    print(table(rows, here, Results.load(BASELINE)))
    for path in (LATEST, BASELINE) if arguments.set_baseline else (LATEST,):
        Results.load(path).with_rows(here, rows).save(path)
    return 0


def _measured(wanted: tuple[str, ...]) -> Iterator[Row]:
    """Rows of the wanted parts; of a part whose name is not wanted, its wanted rows.

    A part that is slow or needs more than this machine sets `IS_EXTRA`: it runs only when named.
    """
    for module in pkgutil.iter_modules(bench.__path__):
        part = import_module(f"bench.{module.name}")
        if not hasattr(part, "ROWS"):
            continue
        names: tuple[str, ...] = part.ROWS
        is_extra: bool = getattr(part, "IS_EXTRA", False)
        is_whole = module.name.startswith(wanted) if wanted else not is_extra
        if is_whole or any(name.startswith(wanted) for name in names if wanted):
            print(f"measuring {module.name} ...", file=sys.stderr, flush=True)
            yield from (row for row in part.rows() if is_whole or row.name.startswith(wanted))


if __name__ == "__main__":
    sys.exit(main())

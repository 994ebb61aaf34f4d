"""The parts of the bench: which there are, which are wanted, and running them one after another."""

from __future__ import annotations

import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import bench
from bench.row import Row


@dataclass(frozen=True)
class Part:
    """A module of the bench that measures.

    Attributes:
        name: of the module.
        row_names: of the rows that it measures; empty where the module cannot be imported.
        measure: yields each row once it is measured.
        is_extra: slow, or needs more than this machine: runs only when named.
    """

    name: str
    row_names: tuple[str, ...]
    measure: Callable[[], Iterator[Row]]
    is_extra: bool = False

    def wants(self, prefixes: tuple[str, ...]) -> Callable[[str], bool] | None:
        """Which of its rows are wanted, by their names; None: it need not run."""
        is_whole = self.name.startswith(prefixes) if prefixes else not self.is_extra
        if is_whole:
            return lambda _: True
        if any(name.startswith(prefixes) for name in self.row_names if prefixes):
            return lambda name: name.startswith(prefixes)
        return None


def found() -> list[Part]:
    """All parts, by name; one whose module cannot be imported fails when it is run."""
    parts = []
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name == "__main__":
            continue
        try:
            loaded = import_module(f"bench.{module.name}")
        except Exception as error:
            parts.append(Part(module.name, (), _raising(error)))
            continue
        if hasattr(loaded, "ROWS"):
            is_extra = getattr(loaded, "IS_EXTRA", False)
            parts.append(Part(module.name, loaded.ROWS, loaded.rows, is_extra))
    return parts


def run(
    parts: Sequence[Part], prefixes: tuple[str, ...], keep: Callable[[Row], None]
) -> Mapping[str, str]:
    """Run the wanted parts.

    Args:
        prefixes: parts or rows whose names begin so; empty: all that are not extra.
        keep: is given each wanted row at once.

    Returns:
        Why parts failed, one line each, by their names; their tracebacks went to stderr.
    """
    failures = {}
    for part in parts:
        is_wanted = part.wants(prefixes)
        if is_wanted is None:
            continue
        print(f"measuring {part.name} ...", file=sys.stderr, flush=True)
        try:
            for row in part.measure():
                if is_wanted(row.name):
                    keep(row)
        except Exception as error:
            traceback.print_exc()
            reason = " ".join(str(error).split("\n", 1)[0].split())
            failures[part.name] = f"{type(error).__name__}: {reason}".rstrip(": ")
    return failures


def _raising(error: Exception) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        raise error

    return rows

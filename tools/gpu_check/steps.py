"""Steps, each in a process of its own: what fails, hangs or crashes there ends that step only."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_STDERR = 2  # what libraries print is not the report
OK, FAILED, SKIPPED = "ok", "failed", "not possible"


class NotPossible(Exception):  # noqa: N818
    """A step that cannot be done on this machine; the text says why."""


class Wrong(Exception):  # noqa: N818
    """A step found what it was there to find; the text says what."""


@dataclass(frozen=True)
class Row:
    """One figure."""

    name: str
    value: float | str | bool
    unit: str = ""


@dataclass(frozen=True)
class Step:
    """What is done in it, and how long it may take [s]; whether it checks something of the GPU."""

    name: str
    do: Callable[[], Sequence[Row]]
    limit_s: float
    is_check: bool = True


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    name: str
    status: str
    why: str = ""
    took_s: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)


def perform(step: Step) -> Outcome:
    """Do a step in this process; whatever it raises is its outcome."""
    started_s = time.monotonic()
    rows: Sequence[Row] = ()
    status, why = OK, ""
    try:
        rows = step.do()
    except NotPossible as error:
        status, why = SKIPPED, str(error)
    except Wrong as error:
        status, why = FAILED, str(error)
    except Exception as error:  # a step is somebody's first try on a new machine
        status, why = FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"
    took_s = round(time.monotonic() - started_s, 3)
    return Outcome(step.name, status, why, took_s, [asdict(row) for row in rows])


def perform_apart(name: str, limit_s: float, command: Sequence[str], folder: Path) -> Outcome:
    """Do a step in a process of its own.

    Args:
        command: to which a file's name is added; there the outcome is written.
    """
    answer = folder / f"{name.replace(' ', '_')}.json"
    started_s = time.monotonic()
    process = subprocess.Popen([*command, str(answer)], stdout=_STDERR)
    try:
        code = process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return Outcome(name, FAILED, f"did not end within {limit_s:.0f} s", limit_s)
    took_s = round(time.monotonic() - started_s, 3)
    try:
        return Outcome(**json.loads(answer.read_text()))
    except (OSError, ValueError, TypeError):
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        return Outcome(name, FAILED, f"its process ended with {ended} and no answer", took_s)


def perform_all(
    steps: Sequence[Step],
    command: Callable[[Step], Sequence[str]],
    folder: Path,
    budget_s: float,
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Do all steps within a budget [s]; what it does not suffice for is said to be left out."""
    end_s = time.monotonic() + budget_s
    outcomes = []
    for step in steps:
        left_s = end_s - time.monotonic()
        if left_s < min(step.limit_s, 5.0):
            outcome = Outcome(step.name, SKIPPED, f"the {budget_s:.0f} s of all steps are used up")
        else:
            limit_s = min(step.limit_s, left_s)
            outcome = perform_apart(step.name, limit_s, command(step), folder)
        tell(outcome)
        outcomes.append(outcome)
    return outcomes

"""What `replay` prints about decisions."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.replay.comparison import differences
from semantic_detection_pkg.recorder.core.replay.player import ReplayedStep
from semantic_detection_pkg.recorder.core.replay.summary import Stretch, Summary

_LINES_MAX = 8  # of what differs in one decision


def print_summary(summary: Summary, path: Path, elapsed_s: float) -> None:
    """Print which steps were replayed, both digests, and the first difference.

    Args:
        path: of the bag.
        elapsed_s: [s] that the replay took.

    Raises:
        ConfigurationError: no step could be replayed.
    """
    for note in summary.version_notes:
        print(f"the recording is of another version: setting {note}")
    for stretch in summary.stretches:
        print(_fate(stretch))
    if not summary.exact:
        reason = summary.stretches[0].problem if summary.stretches else "there is none"
        raise ConfigurationError(f"bag {path}: no step can be replayed: {reason}")
    print(f"recorded sha256 {summary.recorded.text}")
    print(f"replayed sha256 {summary.replayed.text}")
    print_speed(summary.exact_s, elapsed_s)
    if summary.first_different is None:
        whose = "all" if summary.exact == summary.steps else "the"
        print(f"{whose} {summary.exact} decisions are the same")
    else:
        print(f"{summary.different} of {summary.exact} decisions differ; the first:")
        _print_difference(summary.first_different)
    missing = summary.steps - summary.exact
    if missing:
        print(f"only a part: {missing} of {summary.steps} steps could not be replayed")


def print_speed(covered_s: float, elapsed_s: float) -> None:
    """Print how fast it went."""
    speed = covered_s / max(elapsed_s, 1e-9)
    print(f"{covered_s:.1f} s of decisions in {elapsed_s:.1f} s: {speed:.1f} times real time")


def _fate(stretch: Stretch) -> str:
    first, last = stretch.first.step, stretch.last.step
    steps = f"steps {first.number} to {last.number}, {_utc(first.now_ns)} to {_utc(last.now_ns)}"
    return f"{steps}: " + (f"not replayed: {stretch.problem}" if stretch.problem else "replayed")


def _print_difference(outcome: ReplayedStep) -> None:
    print(f"step {outcome.step.number}, {_utc(outcome.step.now_ns)}")
    lines = differences(outcome.step.decision, outcome.decision or "{}")
    for line in lines[:_LINES_MAX]:
        print(f"  {line}")
    if len(lines) > _LINES_MAX:
        print(f"  and {len(lines) - _LINES_MAX} more values")


def _utc(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(1e-9 * time_ns, timezone.utc):%H:%M:%S.%f}"[:-3] + "Z"

"""How long frames take from stage to stage: durations of late and their percentiles. Pure.

Times are nanoseconds of the machine's steady clock, 0 where one is not known. A stage is named by
what has happened when it ends, and lasts from the end of the stage before it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ros_support_pkg.core.stamps import NS_PER_S

#: Of a frame, in their order; the first begins with the capture.
STAGES = ("received", "inferred", "tracked", "decided", "commanded", "moved")
INFERENCE = "inference"  # the model's own share of `inferred`
CAPTURE_TO_COMMAND = "capture_to_command"
OVERHEAD = "overhead"  # capture to command without the model's own time
NAMES = (*STAGES, INFERENCE, CAPTURE_TO_COMMAND, OVERHEAD)
PERCENTS = (50, 95, 99)

_WINDOW_NS = 60 * NS_PER_S
_SAMPLES_MAX = 2048  # a minute of 34 frames a second; of more the newest
_LONGEST_NS = 60 * NS_PER_S  # a longer one is no latency: a recording is played, say
_NS_PER_MS = 1_000_000
_PREFIX = "latency_"


@dataclass
class _Durations:
    """Of one stage: the newest with the time of each, oldest first, and the sum of all."""

    newest: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLES_MAX))
    count: int = 0
    sum_ns: int = 0


class LatencyLedger:
    """Durations of stages over the last minute, at most 2048 of each."""

    def __init__(self, names: Iterable[str]) -> None:
        """Begin empty; `names` are of `NAMES`."""
        self._durations = {name: _Durations() for name in names}
        self.unbelievable = 0
        """Durations that were left out: negative, or longer than a minute."""

    def add(self, name: str, since_ns: int, until_ns: int) -> None:
        """Note that a stage lasted so; nothing where one of the times is not known (0)."""
        if since_ns and until_ns:
            self.add_duration(name, until_ns - since_ns, until_ns)

    def add_duration(self, name: str, duration_ns: int, now_ns: int) -> None:
        """Note a duration that ended now."""
        if not 0 <= duration_ns <= _LONGEST_NS:
            self.unbelievable += 1
            return
        durations = self._durations[name]
        durations.newest.append((now_ns, duration_ns))
        durations.count += 1
        durations.sum_ns += duration_ns

    def percentiles_ms(self, name: str, now_ns: int) -> dict[int, float]:
        """Return the percentiles of the last minute by their percents [ms]; empty: there is none.

        Nearest rank: each is a duration that was measured.
        """
        newest = self._durations[name].newest
        while newest and newest[0][0] < now_ns - _WINDOW_NS:
            newest.popleft()
        taken = sorted(duration for _, duration in newest)
        if not taken:
            return {}
        return {
            percent: taken[math.ceil(len(taken) * percent / 100) - 1] / _NS_PER_MS
            for percent in PERCENTS
        }

    def figures(self, now_ns: int) -> dict[str, str]:
        """Return the figures for diagnostics; of what was never measured there is none.

        Percentiles are of the last minute, count and sum since the start.
        """
        figures = {}
        for name, durations in self._durations.items():
            if not durations.count:
                continue
            for percent, value_ms in self.percentiles_ms(name, now_ns).items():
                figures[f"{_PREFIX}{name}_p{percent}_ms"] = f"{value_ms:.2f}"
            figures[f"{_PREFIX}{name}_count"] = str(durations.count)
            figures[f"{_PREFIX}{name}_sum_s"] = f"{durations.sum_ns / NS_PER_S:.3f}"
        if self.unbelievable:
            figures[f"{_PREFIX}unbelievable"] = str(self.unbelievable)
        return figures


def read_figures(values: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Return what the figures of a `LatencyLedger` say, by name and then by figure, in seconds.

    Figures: `p50_s`, `p95_s`, `p99_s`, `count`, `sum_s`. What is no such number is left out.
    """
    found: dict[str, dict[str, float]] = {}
    for name in NAMES:
        one: dict[str, float] = {}
        for key, factor in (*((f"p{percent}_ms", 1e-3) for percent in PERCENTS), ("sum_s", 1.0)):
            value = _number(values.get(f"{_PREFIX}{name}_{key}"))
            if value is not None:
                one[key.removesuffix("_ms").removesuffix("_s") + "_s"] = value * factor
        count = _number(values.get(f"{_PREFIX}{name}_count"))
        if count is not None:
            found[name] = {**one, "count": count}
    return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None

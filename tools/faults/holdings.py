"""What processes hold: memory, threads, files, shared memory; whether it stays so for hours."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import psutil

#: Of the middle of the first third of the looks, by which that of the last may be larger: what is
#: found is remembered, and malloc's arenas still settle.
_GROWTH_MAX = 0.05
#: Added to that, of each quantity: what comes and goes with a connection or a picture in flight.
_SPARE = (10.0, 4.0, 8.0, 8.0)


@dataclass(frozen=True)
class Holdings:
    """What some processes hold together.

    Attributes:
        rss_mb: memory in use [MB]; what they share is counted in each.
        threads, files: how many.
        shared_mb: shared memory in use [MB], counted as `rss_mb`, of which it is a part.
    """

    rss_mb: float
    threads: float
    files: float
    shared_mb: float


def holdings(pids: Iterable[int]) -> Holdings:
    """Return what these processes hold now; what has ended holds nothing."""
    total = [0.0] * len(fields(Holdings))
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                one = (
                    process.memory_info().rss / 1e6,
                    float(process.num_threads()),
                    float(process.num_fds()),
                    _shared_mb(pid),
                )
        except (psutil.Error, OSError):
            continue
        total = [a + b for a, b in zip(total, one, strict=True)]
    return Holdings(*total)


def told(samples: Sequence[Holdings]) -> str:
    """Return in words how each quantity went: the middles of the first and of the last third."""
    first, last = _ends(samples)
    return ", ".join(
        f"{field.name} {before:.0f} to {after:.0f}"
        for field, before, after in zip(fields(Holdings), first, last, strict=True)
    )


def growth(samples: Sequence[Holdings]) -> list[str]:
    """Return in words what has grown by more than what settles, scatters or is remembered."""
    first, last = _ends(samples)
    return [
        f"{field.name} has grown from {before:.0f} to {after:.0f}"
        for field, before, after, spare in zip(fields(Holdings), first, last, _SPARE, strict=True)
        if after > before * (1.0 + _GROWTH_MAX) + spare
    ]


def _ends(samples: Sequence[Holdings]) -> tuple[list[float], list[float]]:
    third = max(1, len(samples) // 3)
    return _middles(samples[:third]), _middles(samples[-third:])


def _middles(samples: Sequence[Holdings]) -> list[float]:
    return [statistics.median(column) for column in zip(*map(astuple, samples), strict=True)]


def _shared_mb(pid: int) -> float:
    """Return the shared memory in use by a process, `RssShmem` of proc(5)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssShmem:"):
            return float(line.split()[1]) * 1024 / 1e6
    return 0.0

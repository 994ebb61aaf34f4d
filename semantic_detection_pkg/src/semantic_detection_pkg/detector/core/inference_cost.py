"""Whether a model is fast enough for this machine, from what a few inferences took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

RUNS = 5
#: Of the threads that an inference may use, so many are free for it: the rest of the graph runs.
_FREE_SHARE = 0.5


@dataclass(frozen=True)
class Cost:
    """What one inference takes [s], medians.

    Attributes:
        processor_s: of all threads together.
        wall_s: on the steady clock, with what else ran meanwhile.
        threads: that it may use, >= 1.
    """

    processor_s: float
    wall_s: float
    threads: int

    @property
    def inference_s(self) -> float:
        """How long it takes where half of its threads are busy with something else."""
        return self.processor_s / max(1.0, _FREE_SHARE * self.threads)


def measure(
    infer: Callable[[], None],
    wall_clock: Callable[[], float],
    processor_clock: Callable[[], float],
    threads: int,
) -> Cost:
    """Measure an inference; the first, which also allocates, does not count.

    Time on the wall alone would not do: at the start ten processes import at once, and an inference
    of 37 ms of processor time took 175 ms.

    Args:
        infer: does one.
        wall_clock: monotonic [s].
        processor_clock: of all threads of the process [s].
        threads: that an inference may use, >= 1.

    Raises:
        FrameError: as `infer` does.
    """
    infer()
    wall_s, processor_s = [], []
    for _ in range(RUNS):
        began = wall_clock(), processor_clock()
        infer()
        processor_s.append(processor_clock() - began[1])
        wall_s.append(wall_clock() - began[0])
    return Cost(median(processor_s), median(wall_s), threads)


def in_words(name: str, cost: Cost) -> str:
    """Return the measured cost of a model for people."""
    return (
        f"{name} takes {1e3 * cost.inference_s:.0f} ms an inference "
        f"({1e3 * cost.processor_s:.0f} ms of processor time on {cost.threads} thread"
        f"{'' if cost.threads == 1 else 's'}, {1e3 * cost.wall_s:.0f} ms on the clock)"
    )

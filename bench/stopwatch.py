"""Times of functions that neither wait nor start threads, in their steady state, by turns.

Processor time of the calling thread: on an idle machine as good as the time on the clock, and on a
busy one free of what others do, but for the caches they share.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

_TURN_S = 0.02


def times_ms(*functions: Callable[[], object], seconds: float = 2.0) -> list[list[float]]:
    """Times of each function [ms].

    A turn is so many calls as take 20 ms. Its first call, which finds the caches as another
    function left them, does not count unless it is the only one.
    """
    times: list[list[float]] = [[] for _ in functions]
    end_s = time.perf_counter() + seconds
    for function in functions:
        function()
    while time.perf_counter() < end_s or not all(times):
        for function, taken in zip(functions, times, strict=True):
            taken += _turn(function)
    return times


def medians_ms(*functions: Callable[[], object], seconds: float = 2.0) -> list[float]:
    """Median time of each function [ms]."""
    return [statistics.median(taken) for taken in times_ms(*functions, seconds=seconds)]


def _turn(function: Callable[[], object]) -> list[float]:
    taken: list[float] = []
    while sum(taken) < 1e3 * _TURN_S:
        start_s = time.thread_time()
        function()
        taken.append(1e3 * (time.thread_time() - start_s))
    return taken[1:] or taken

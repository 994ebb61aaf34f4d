"""How long a test may wait on this machine: figures of a reference machine times a measured factor.

A limit in a test ends a wait that will never succeed. It measures nothing: what is well comes long
before it, on any machine. So limits are written as they fit the reference machine (an AMD EPYC of
the third generation at 2.6 GHz, two cores, nothing else running) and stretched here, nowhere else.

The machine is measured once a session, by wall clock, so that a slow core and a busy one count
alike. Load that begins after that is covered by `SPARE`; a wait that can look again measures the
machine once more before it gives up (`Deadline`). The factor travels to test processes and their
children in the environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

#: Holds the factor for the processes of a session.
VARIABLE = "TEST_PATIENCE"

#: What `_work` takes on the reference machine [s].
REFERENCE_S = 0.014

#: Two endless loops on two cores, begun after the measurement, take half of each core.
SPARE = 2.0

#: A limit must end at some time, however busy the machine was in the moment of the measurement.
LARGEST = 20.0

_MEASUREMENTS = 5

T = TypeVar("T")


def patience(seconds: float) -> float:
    """Return how long to wait here for what takes at most `seconds` on the reference machine.

    Raises:
        ValueError: the environment variable holds no factor of at least 1.
    """
    return seconds * factor()


def factor() -> float:
    """Return the factor of this session, 1 or more; measured on the first call."""
    text = os.environ.get(VARIABLE)
    if text is None:
        text = os.environ[VARIABLE] = f"{_measure():.2f}"
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value < float("inf"):
        raise ValueError(f"environment variable {VARIABLE}: '{text}', allowed is a number from 1")
    return value


class Deadline:
    """The end of a wait of at most `timeout_s` on the reference machine.

    What was quiet when the session began may be busy now: only a limit that still holds by a new
    measurement of the machine is one.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._start_s = time.monotonic()
        self.limit_s = patience(timeout_s)

    def is_over(self) -> bool:
        waited_s = time.monotonic() - self._start_s
        if waited_s < self.limit_s:
            return False
        self.limit_s = max(self.limit_s, self._timeout_s * _measure())
        return waited_s >= self.limit_s


def wait_until(
    condition: Callable[[], T], what: str = "it", timeout_s: float = 10.0, poll_s: float = 0.002
) -> T:
    """Look until `condition()` is true and return it; `timeout_s` is that of the reference machine.

    Raises:
        AssertionError: it never was; the message says what was waited for.
    """
    deadline = Deadline(timeout_s)
    while not (result := condition()):
        assert not deadline.is_over(), f"waited {deadline.limit_s:.0f} s for {what}"
        time.sleep(poll_s)
    return result


def _measure() -> float:
    took_s = min(_time(_work) for _ in range(_MEASUREMENTS))
    return min(LARGEST, SPARE * max(1.0, took_s / REFERENCE_S))


def _time(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def _work() -> int:
    """Compute for a while; longer than the slice of time that a scheduler gives at a go."""
    total = 0
    for i in range(200_000):
        total = (total * 31 + i) & 0xFFFFFFFF
    return total

"""Parties around one GPU that are stopped and killed at random moments; see `gpu_processes`."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from simulation_pkg.harness.gpu_processes import ROLES, StandInGpu, play_role

#: Parties start from a process that has imported them: in 10 ms, where a fresh one takes 0.5 s.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["simulation_pkg.harness.gpu_processes"])
#: On the reference machine; `inject_faults` returns the longest time that was met.
BACK_WITHIN_S = 3.0
#: How long a fault lasts [s]: shorter and longer than each patience in `gpu_processes.RULES`.
_FAULTS_S = (0.02, 0.1, 0.4, 0.8)


class GpuHarness:
    """All parties, and what can be done to them."""

    def __init__(
        self, folder: Path, has_lock: bool = True, patience: Callable[[float], float] = float
    ) -> None:
        """Start nobody yet.

        Args:
            folder: for sockets, locks and what the parties write down.
            has_lock: all share one kernel lock; else each has its own.
            patience: makes a limit of time [s] of the reference machine one of this machine.
        """
        self.folder = folder
        self._patience = patience
        self._has_lock = has_lock
        self.gpu = StandInGpu(folder)
        self._processes: dict[str, ForkServerProcess] = {}

    def start_missing(self) -> None:
        """Start whoever is not running, as the containers' restart policy would."""
        for role in ROLES:
            process = self._processes.get(role)
            if process is None or not process.is_alive():
                arguments = (role, self.folder, self._has_lock)
                self._processes[role] = _FORKS.Process(target=play_role, args=arguments)
                self._processes[role].start()

    def kill(self, role: str) -> None:
        """Kill a party's process."""
        self._processes[role].kill()
        self._processes[role].join()

    @contextlib.contextmanager
    def stopped(self, role: str) -> Iterator[None]:
        """Hold a party's process for a `with` block."""
        pid = self._processes[role].pid
        assert pid is not None

        def send(number: signal.Signals) -> None:
            with contextlib.suppress(ProcessLookupError):  # the arbiter may have ended it
                os.kill(pid, number)

        send(signal.SIGSTOP)
        try:
            yield
        finally:
            send(signal.SIGCONT)

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> float:
        """Wait until it holds, starting whoever has ended; return how long that took [s]."""
        start_s = time.monotonic()
        while not condition():
            self.start_missing()
            assert time.monotonic() - start_s < self._patience(timeout_s), f"no {what}"
            time.sleep(0.002)
        return time.monotonic() - start_s

    def go_on(self, seconds: float) -> None:
        """Let everybody work, starting whoever has ended."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.start_missing()
            time.sleep(0.002)

    def is_inside(self, role: str) -> bool:
        """Return whether this one is on the GPU."""
        return any(name.startswith(f"{role}.") for name in self.gpu.who())

    def answers(self) -> int:
        """Return how many answers the client has had."""
        path = self.folder / "answers"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def overlaps(self) -> list[str]:
        """Return a line for each time that two were on the GPU."""
        path = self.gpu.overlaps
        return path.read_text().splitlines() if path.exists() else []

    def close(self) -> None:
        """Kill all parties."""
        for process in self._processes.values():
            process.kill()
            process.join()


@contextlib.contextmanager
def running(
    has_lock: bool = True, patience: Callable[[float], float] = float
) -> Iterator[GpuHarness]:
    """Run all parties for a `with` block; the arguments are as in `GpuHarness`."""
    # Not pytest's own folder: a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="gpu") as folder:
        harness = GpuHarness(Path(folder), has_lock, patience)
        try:
            harness.start_missing()
            yield harness
        finally:
            harness.close()


def inject_faults(harness: GpuHarness, rounds: int, seed: int) -> float:
    """Stop or kill parties at random; return the longest time [s] until the detector was back."""
    dice = random.Random(seed)
    harness.wait_for(lambda: harness.answers() > 0, "answer without faults")
    longest_s = 0.0
    for number in range(rounds):
        harness.go_on(dice.uniform(0.0, 0.15))  # until the moment of the fault
        victims = dice.sample(sorted(ROLES), dice.choice((1, 1, 2)))
        with contextlib.ExitStack() as frozen:
            for role in victims:
                if dice.random() < 0.5:
                    harness.kill(role)
                else:
                    frozen.enter_context(harness.stopped(role))
            harness.go_on(dice.choice(_FAULTS_S))
        what = f"detector after round {number}, {victims}"
        back_s = harness.wait_for(lambda: harness.is_inside("detector"), what, BACK_WITHIN_S)
        longest_s = max(longest_s, back_s)
        assert harness.overlaps() == []
    before = harness.answers()
    harness.wait_for(lambda: harness.answers() > before, "answer after faults")
    return longest_s

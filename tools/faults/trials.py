"""The faults. Each trial is done to a robot at work and ends when all is well again, or is not."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from patience import patience
from robot_nodes import ROBOT_NODES

from faults.holdings import Holdings, growth, holdings, told
from faults.kept import losses, without_evidence
from faults.report import Outcome
from faults.robot import Robot, hold

#: When a robot that is not well again counts as lost [s].
GIVEN_UP_S = 60.0
#: How long a stopped process stands still [s]: longer than any heartbeat.
STOPPED_S = 4.0
#: Until evidence of the newest finding is on the disk [s]: what follows it is kept, too.
EVIDENCE_S = 40.0
#: At the most between two faults [s].
_PAUSE_S = 3.0
#: Shown minus true time [s], one after the other.
CLOCK_STEPS_S = (-5.0, -3605.0, 365 * 24 * 3600.0, 0.0)
#: In less time what is made once is still being made, and growth says nothing [s].
_SETTLED_S = 300.0
#: At what a robot holds, while it is left to work.
_LOOKS = 60
_BALLAST_BLOCK = bytes(1 << 20)


def targets(robot: Robot, rounds: int, do_pairs: bool) -> Iterator[tuple[str, ...]]:
    """Yield who is hit: each process alone, or each pair, so many times, by one node of each."""
    for _ in range(rounds):
        yield from itertools.combinations(robot.one_of_each_process(), 2 if do_pairs else 1)


def kill(robot: Robot, nodes: Sequence[str]) -> Outcome:
    """Kill processes, as the kernel does where memory runs out."""

    def do() -> Callable[[], bool]:
        is_well = robot.well_since(nodes)
        for pid in {robot.pid(node) for node in nodes}:
            os.kill(pid, signal.SIGKILL)
        return is_well

    return _tried(robot, "kill", " and ".join(nodes), do)


def stop(robot: Robot, nodes: Sequence[str]) -> Outcome:
    """Let processes stand still for a while, as a debugger or `docker pause` does."""

    def do() -> Callable[[], bool]:
        pids = {robot.pid(node) for node in nodes}
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        hold(STOPPED_S)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it may have been replaced
                os.kill(pid, signal.SIGCONT)
        return robot.well_since(())

    return _tried(robot, "stop", " and ".join(nodes), do)


def cut_off(robot: Robot, nodes: Sequence[str] = ROBOT_NODES) -> Outcome:
    """Kill every node at once, as a power cut does."""
    outcome = kill(robot, nodes)
    return Outcome("power cut", "all nodes", outcome.recovery_s, outcome.lost, outcome.remark)


def step_clock(robot: Robot, set_clock: Callable[[float], None], offset_s: float) -> Outcome:
    """Set the system's clock."""

    def do() -> Callable[[], bool]:
        set_clock(offset_s)
        return robot.well_since(())

    return _tried(robot, "clock", f"true time {offset_s:+.0f} s", do)


def fill_disk(robot: Robot, folder: Path) -> Outcome:
    """Fill the file system of the recordings, wait, and empty it again.

    Args:
        folder: on that file system, as this process sees it.
    """

    def do() -> Callable[[], bool]:
        ballast = folder / "ballast"
        try:
            _fill(ballast)
            hold(STOPPED_S * 2)
        finally:
            ballast.unlink(missing_ok=True)
        return robot.well_since(())

    return _tried(robot, "full disk", "for 8 s", do)


def last(robot: Robot, kind: str, what: str, seconds: float, *, may_grow: bool = False) -> Outcome:
    """Let the robot work for a while: no process may end, the scan goes on, nothing piles up.

    Args:
        may_grow: what it holds is told, not judged: part of it may begin to work late.
    """
    deaths, mark = robot.deaths(), robot.states()
    samples: list[Holdings] = []
    is_whole = True
    for _ in range(_LOOKS):
        pids = {robot.pid(node) for node in ROBOT_NODES}
        is_whole = hold(seconds / _LOOKS, lambda: robot.deaths() > deaths)
        if not is_whole:
            break
        samples.append(holdings(pids))
    is_judged = is_whole and not may_grow and seconds >= _SETTLED_S
    lost = growth(samples) if is_judged else []
    if not is_whole:
        lost.append(f"{robot.deaths() - deaths} processes have ended")
    covered = robot.coverage_since(mark)
    if covered <= 0.0:
        lost.append("the scan stood still")
    remark = ", ".join([f"covered {covered:.2f}", *([told(samples)] if samples else [])])
    return Outcome(kind, what, 0.0, [*lost, *_check_evidence(robot)], remark)


def _tried(robot: Robot, kind: str, what: str, do: Callable[[], Callable[[], bool]]) -> Outcome:
    hold(random.uniform(0.0, _PAUSE_S))
    before, mark = robot.kept(), len(robot.session.lines)
    is_well = do()
    start_s = time.monotonic()
    try:
        asked = _wait(robot, is_well)
    except AssertionError:
        said = "\n".join(robot.session.lines[mark:])
        return Outcome(kind, what, None, remark=f"{robot.what_is_wrong()}\n{said}")
    took_s = time.monotonic() - start_s
    lost = losses(before, robot.kept())
    remark = "an operator was asked whether the mission goes on" if asked else ""
    return Outcome(kind, what, took_s, [*lost, *_check_evidence(robot)], remark)


def _wait(robot: Robot, is_well: Callable[[], bool]) -> bool:
    """Wait until all is well; return whether an operator had to agree that the mission goes on."""
    asked = False

    def state() -> str:
        if is_well():
            return "well"
        return "asking" if robot.is_asking() else ""

    while robot.probe.wait_for(state, "all to be well", GIVEN_UP_S) == "asking":
        robot.agree()
        robot.probe.wait_for(lambda: not robot.is_asking(), "the mission to go on", GIVEN_UP_S)
        asked = True
    return asked


def _check_evidence(robot: Robot) -> list[str]:
    """Return in words which confirmed findings have none within the time that it may take."""
    confirmed = robot.confirmed()
    end_s = time.monotonic() + patience(EVIDENCE_S)
    while missing := without_evidence(confirmed, robot.evidence()):
        if time.monotonic() > end_s:
            return missing
        hold(0.5)
    return []


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_BALLAST_BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

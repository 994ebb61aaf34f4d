"""A process that scans until it is killed, for tests of what a mission survives.

Reads a folder a line on standard input; for each it waits for the end of the child before, forks
one that takes up the mission in that folder or begins another one, and prints its pid. The child
tells in FOLDER/told.txt what the outside has heard: `found GOAL ID REVISION`, `over GOAL`; at its
beginning what a child before may not have told, with `-` in place of the goal.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from semantic_detection_pkg.scan.adapters import mission_keeper
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from simulation_pkg.harness.exact_scan import FRAME_NS, ExactScan, Thing
from simulation_pkg.harness.scan_harness import START_NS

TOLD = "told.txt"
SURENESSES = (0.97, 0.97, 0.5, 0.97, 0.5, 0.97)  # of the classifier, of each thing
_PERIOD_S = 0.001
_SLOWER = 1e-11  # of the simulated time: no finding is told because the disk took a second


def scan(folder: Path) -> None:
    """Scan until the end of this process."""
    mission_keeper.PROVEN_S = 0.0  # that it ended soon is not its own fault
    robot = ExactScan(
        [Thing(-0.5 + 0.2 * i, 0.3, sureness=sure) for i, sure in enumerate(SURENESSES)]
    )
    # Simulated time passes faster than true time; each child begins after the end of those before.
    robot.now_ns = START_NS + FRAME_NS * (time.monotonic_ns() // 1_000_000)
    keeper = MissionKeeper(
        CheckpointSettings(str(folder), "at_once"),
        robot.settings,
        steady_s=lambda: robot.now_ns * _SLOWER,
    )
    told = os.open(folder / TOLD, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    resume = keeper.take_up()
    for one in keeper.untold:
        os.write(told, f"found - {one.finding_id} {one.revision}\n".encode())
    if resume is not None:
        robot.inbox.append(resume)
    keeper.start()
    goal_of: dict[str, str] = {}
    while True:
        goal = robot.controller.goal
        if goal is None and not robot.inbox:
            robot.start(goal_id=f"g{time.monotonic_ns()}")
        decision = robot.step()
        for finding in decision.findings:
            goal_of[finding.finding_id] = goal.goal_id if goal is not None else ""
        for held in keeper.keep(robot.controller, decision):
            for one in held.findings:
                line = f"found {goal_of[one.finding_id]} {one.finding_id} {one.revision}\n"
                os.write(told, line.encode())
            if held.result is not None:
                os.write(told, f"over {held.result.goal_id}\n".encode())
        time.sleep(_PERIOD_S)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            scan(Path(line.strip()))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()

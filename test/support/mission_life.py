"""One process of a scan controller whose mission is kept on a disk, for tests of what survives it.

A `Life` is a controller and its keeper; the robot and the folder outlive it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scan_things import PERSON, SCARECROW, TENT, VAGUE

from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.scan.adapters.checkpoint_file import NAME
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint
from semantic_detection_pkg.scan.core.checkpoint_encoding import Head, Moment, decode, unpack
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision, GoalResult
from semantic_detection_pkg.scan.core.inputs import Goal
from simulation_pkg.harness.exact_scan import AREA, ExactScan

S = 1_000_000_000
THINGS = [PERSON, TENT, SCARECROW, VAGUE]
SAVED = Moment(1_700_000_000 * S, "boot", 100 * S)
GOAL = Goal("g", AREA, ("person", "tent"))


class Life:
    """One process: a controller and its keeper over a robot and a folder that outlive it.

    Attributes:
        told: what the outside has heard of this process: the newest state of each finding.
        results: of goals, as they were told.
    """

    def __init__(
        self, robot: ExactScan, folder: Path, files: FileSystem | None = None, **rules: Any
    ) -> None:
        self.robot, self.folder = robot, folder
        self.told: dict[str, int] = {}
        self.results: list[GoalResult] = []
        self.keeper = MissionKeeper(
            CheckpointSettings(str(folder.parent), **{"resume_policy": "at_once", **rules}),
            robot.settings,
            files,
            lambda: Moment(robot.now_ns, "boot", robot.now_ns),
            lambda: robot.now_ns / S,
            ending_s=0.0,
        )
        robot.controller = ScanController(robot.settings)
        robot._later.clear()
        robot.inbox.clear()
        self.resume = self.keeper.take_up()
        self.told |= {one.finding_id: one.revision for one in self.keeper.untold}
        if self.resume is not None:
            robot.inbox.append(self.resume)
            self.step()
            self.told |= {one.finding_id: one.revision for one in robot.controller.findings}

    def step(self) -> Decision:
        decision = self.robot.step()
        for held in self.keeper.keep(self.robot.controller, decision):
            self.told |= {one.finding_id: one.revision for one in held.findings}
            self.results += [] if held.result is None else [held.result]
        return decision

    def write(self) -> None:
        assert self.keeper.writer is not None
        self.keeper.writer.write_newest()

    def run(self, steps: int) -> None:
        """Let steps pass, with each checkpoint written at once."""
        for _ in range(steps):
            self.step()
            self.write()

    def run_to_result(self) -> GoalResult:
        for _ in range(1200):
            self.step()
            self.write()
            if self.results:
                return self.results[-1]
        raise AssertionError(f"no result; {self.robot.decisions[-1].status}")

    def end(self) -> None:
        """End the process as `kill -9` does: the kernel frees its lock."""
        assert self.keeper._file is not None
        self.keeper._file.close()


def kept(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in a folder; None without one."""
    path = folder / NAME
    body = decode(path.read_bytes())[1] if path.exists() else b""
    return unpack(body) if body else None


def head_of(folder: Path) -> Head | None:
    """Return the head of the checkpoint in a folder; None without one."""
    path = folder / NAME
    return decode(path.read_bytes())[0] if path.exists() else None

"""Results outlive the controller that ended a goal: kept before it is told, for a bounded time."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from crashing_files import CrashError, CrashingFiles

from semantic_detection_pkg.scan.adapters.checkpoint_file import ENDED_NAME, FOLDER, NAME
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointError, Moment
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.ended_goals import (
    RESULT_KEPT_S,
    EndedGoal,
    decode_ended,
    encode_ended,
    still_kept,
    with_result,
)
from semantic_detection_pkg.scan.core.inputs_and_decisions import Cancel, GoalResult, Input
from simulation_pkg.harness.exact_scan import ExactScan, Thing

S = 1_000_000_000
NOW = Moment(1_700_000_000 * S, "boot", 100 * S)
RESULT = GoalResult("g", "succeeded", "the area is covered", 1.0, 2, 3.25)


def later(seconds: float, boot_id: str = "boot") -> Moment:
    gap_ns = round(seconds * S)
    return Moment(NOW.wall_ns + gap_ns, boot_id, NOW.boot_ns + gap_ns)


# ------------------------------------------------------------------------------- the list


def test_goals_come_back_from_a_file() -> None:
    goals = with_result((), RESULT, NOW)
    goals = with_result(goals, GoalResult("h", "cancelled", "cancelled"), later(5.0))
    assert decode_ended(encode_ended(goals)) == goals
    assert decode_ended(encode_ended(())) == ()


@pytest.mark.parametrize(
    ("now", "is_kept"),
    [
        (later(RESULT_KEPT_S), True),
        (later(RESULT_KEPT_S + 1.0), False),
        (Moment(0, "boot", NOW.boot_ns + S), True),  # the clock was set, the machine ran on
        (later(60.0, "another boot"), True),
        (Moment(NOW.wall_ns - S, "another boot", 5 * S), False),  # nobody can tell
    ],
)
def test_a_result_is_kept_for_a_bounded_time(now: Moment, is_kept: bool) -> None:
    assert bool(still_kept([EndedGoal(RESULT, NOW)], now)) == is_kept


def test_the_newest_few_are_kept_and_one_for_each_goal() -> None:
    goals: Sequence[EndedGoal] = ()
    for number in range(40):
        goals = with_result(goals, GoalResult(f"g{number}", "aborted", ""), NOW)
    assert [one.result.goal_id for one in goals] == [f"g{n}" for n in range(24, 40)]
    again = with_result(goals, GoalResult("g30", "succeeded", ""), NOW)
    assert again[-1].result.outcome == "succeeded"
    assert len(again) == len(goals)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 50,
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"goals":[],"version":9}',
        b'{"goals":[{}],"version":1}',
        b'{"goals":[{"result":1,"ended":2}],"version":1}',
        encode_ended([EndedGoal(RESULT, NOW)])[:-1],
        encode_ended([EndedGoal(RESULT, NOW)]).replace(b"3.25", b'"x"'),
    ],
)
def test_what_holds_none_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(CheckpointError) as caught:
        decode_ended(data)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------- in the folder


class Life:
    """One process over a robot and a folder that outlive it; `told` results."""

    def __init__(
        self, robot: ExactScan, folder: Path, files: Any = None, policy: str = "at_once"
    ) -> None:
        self.robot = robot
        self.told: list[GoalResult] = []
        self.keeper = MissionKeeper(
            CheckpointSettings(str(folder.parent), policy),
            robot.settings,
            files,
            lambda: Moment(robot.now_ns, "boot", robot.now_ns),
            lambda: robot.now_ns / S,
            ending_s=0.0,
        )
        robot.controller = ScanController(robot.settings)
        robot.inbox.clear()
        self.resume = self.keeper.take_up()
        if self.resume is not None:
            robot.inbox.append(self.resume)

    @property
    def ended(self) -> list[str]:
        return [one.result.goal_id for one in self.keeper.ended]

    def step(self, *inputs: Input, is_written: bool = True) -> GoalResult | None:
        """Let a step pass; return the result that it had, told or not."""
        self.robot.inbox += inputs
        decision = self.robot.step()
        for held in self.keeper.keep(self.robot.controller, decision):
            self.told += [] if held.result is None else [held.result]
        if is_written:
            self.write()
        return decision.result

    def write(self) -> None:
        assert self.keeper.writer is not None
        self.keeper.writer.write_newest()

    def run_to_end(self, **options: bool) -> GoalResult:
        for _ in range(1200):
            if result := self.step(**options):
                return result
        raise AssertionError("no end")

    def kill(self) -> None:
        assert self.keeper._file is not None
        self.keeper._file.close()


@pytest.fixture
def robot() -> ExactScan:
    return ExactScan([Thing(0.3, 0.3)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / FOLDER
    path.mkdir()
    return path


def test_an_end_that_was_kept_and_not_told_is_known_to_the_next(
    robot: ExactScan, folder: Path
) -> None:
    life = Life(robot, folder)
    robot.start()
    result = life.run_to_end()  # on the medium with the step, told with the next
    assert life.told == []
    life.kill()
    for _ in range(2):
        life = Life(robot, folder)
        assert life.resume is None
        assert [one.result for one in life.keeper.ended] == [result]
        life.kill()


def test_an_end_that_was_told_is_known_too_and_forgotten_in_time(
    robot: ExactScan, folder: Path
) -> None:
    life = Life(robot, folder)
    robot.start()
    result = life.run_to_end()
    life.step()
    life.step()
    assert life.told == [result]
    assert not (folder / NAME).exists()
    life.kill()
    life = Life(robot, folder)
    assert life.ended == ["g"]
    robot.start(goal_id="h")
    life.run_to_end()
    life.kill()
    life = Life(robot, folder)
    assert life.ended == ["g", "h"], "of before and of this one"
    life.kill()
    robot.now_ns += round(RESULT_KEPT_S * S) + S
    assert Life(robot, folder).ended == []


def test_a_goal_that_begins_and_ends_within_a_step_and_a_refused_one_are_known(
    robot: ExactScan, folder: Path
) -> None:
    life = Life(robot, folder)
    robot.start()
    result = life.step(Cancel("g"))
    assert result is not None
    assert result.outcome == "cancelled"
    robot.start(goal_id="h", words=())
    refused = life.step()
    assert refused is not None
    assert life.told == [result], "what is not on the medium is not told"
    life.kill()
    assert Life(robot, folder).ended == ["g", "h"]


def test_wherever_it_dies_the_goal_goes_on_or_has_ended_and_never_both(
    robot: ExactScan, folder: Path
) -> None:
    files = CrashingFiles(folder)
    outcomes = set()
    for crash_in in range(40):
        for path in folder.iterdir():
            path.unlink()
        files.look()
        life = Life(robot, folder, files)
        robot.start()
        life.step()
        life.run_to_end(is_written=False)
        files.crash_in = crash_in
        try:
            life.write()
            files.crash_in = None
        except CrashError:
            files.cut_power(0, 0.0)
        life.kill()
        life = Life(robot, folder, files)
        goes_on = life.resume is not None
        assert life.ended == ([] if goes_on else ["g"])
        outcomes.add(goes_on)
        life.kill()
    assert outcomes == {True, False}


def test_a_file_that_holds_no_results_is_one_line_and_set_aside(
    robot: ExactScan, folder: Path
) -> None:
    life = Life(robot, folder)
    robot.start()
    life.step()
    life.kill()
    (folder / ENDED_NAME).write_bytes(b"garbage")
    life = Life(robot, folder)
    assert life.resume is not None, "the mission goes on all the same"
    (notice,) = life.keeper.notices
    assert f"{ENDED_NAME}: it holds no ended goals of a scan" in notice
    assert f"{ENDED_NAME}.bad1" in notice
    assert (folder / f"{ENDED_NAME}.bad1").read_bytes() == b"garbage"
    life.run_to_end()
    life.kill()
    assert Life(robot, folder).ended == ["g"]


def test_where_the_disk_fails_the_end_is_told_all_the_same(robot: ExactScan, folder: Path) -> None:
    files = CrashingFiles(folder)
    life = Life(robot, folder, files)
    robot.start()
    life.step()
    files.error = errno.ENOSPC
    result = life.run_to_end()
    life.step()
    assert life.told == [result]
    files.error = 0
    life.step()
    life.kill()
    assert Life(robot, folder).ended == ["g"]


def test_discard_forgets_results_too(robot: ExactScan, folder: Path) -> None:
    life = Life(robot, folder)
    robot.start()
    life.run_to_end()
    life.kill()
    assert Life(robot, folder, policy="discard").ended == []
    assert not (folder / ENDED_NAME).exists()

"""Results outlive the controller that ended a goal: kept before it is told, for a bounded time."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest
from crashing_files import CrashError, CrashingFiles
from mission_life import Life, S

from semantic_detection_pkg.scan.adapters.checkpoint_file import ENDED_NAME, FOLDER, NAME
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointError, Moment
from semantic_detection_pkg.scan.core.decisions import GoalResult
from semantic_detection_pkg.scan.core.ended_goals import (
    RESULT_KEPT_S,
    EndedGoal,
    decode_ended,
    encode_ended,
    still_kept,
    with_result,
)
from semantic_detection_pkg.scan.core.inputs import Cancel, Input
from simulation_pkg.harness.exact_scan import ExactScan, Thing

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


class EndingLife(Life):
    """One process that ends goals."""

    @property
    def ended(self) -> list[str]:
        return [one.result.goal_id for one in self.keeper.ended]

    def take(self, *inputs: Input, is_written: bool = True) -> GoalResult | None:
        """Let a step pass; return the result that it had, told or not."""
        self.robot.inbox += inputs
        decision = self.step()
        if is_written:
            self.write()
        return decision.result

    def run_to_end(self, **options: bool) -> GoalResult:
        for _ in range(1200):
            if result := self.take(**options):
                return result
        raise AssertionError("no end")


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
    life = EndingLife(robot, folder)
    robot.start()
    result = life.run_to_end()  # on the medium with the step, told with the next
    assert life.results == []
    life.end()
    for _ in range(2):
        life = EndingLife(robot, folder)
        assert life.resume is None
        assert [one.result for one in life.keeper.ended] == [result]
        life.end()


def test_an_end_that_was_told_is_known_too_and_forgotten_in_time(
    robot: ExactScan, folder: Path
) -> None:
    life = EndingLife(robot, folder)
    robot.start()
    result = life.run_to_end()
    life.take()
    life.take()
    assert life.results == [result]
    assert not (folder / NAME).exists()
    life.end()
    life = EndingLife(robot, folder)
    assert life.ended == ["g"]
    robot.start(goal_id="h")
    life.run_to_end()
    life.end()
    life = EndingLife(robot, folder)
    assert life.ended == ["g", "h"], "of before and of this one"
    life.end()
    robot.now_ns += round(RESULT_KEPT_S * S) + S
    assert EndingLife(robot, folder).ended == []


def test_a_goal_that_begins_and_ends_within_a_step_and_a_refused_one_are_known(
    robot: ExactScan, folder: Path
) -> None:
    life = EndingLife(robot, folder)
    robot.start()
    result = life.take(Cancel("g"))
    assert result is not None
    assert result.outcome == "cancelled"
    robot.start(goal_id="h", words=())
    refused = life.take()
    assert refused is not None
    assert life.results == [result], "what is not on the medium is not told"
    life.end()
    assert EndingLife(robot, folder).ended == ["g", "h"]


@pytest.mark.long
def test_wherever_it_dies_the_goal_goes_on_or_has_ended_and_never_both(
    robot: ExactScan, folder: Path
) -> None:
    files = CrashingFiles(folder)
    outcomes = set()
    for crash_in in range(40):
        for path in folder.iterdir():
            path.unlink()
        files.look()
        life = EndingLife(robot, folder, files)
        robot.start()
        life.take()
        life.run_to_end(is_written=False)
        files.crash_in = crash_in
        try:
            life.write()
            files.crash_in = None
        except CrashError:
            files.cut_power(0, 0.0)
        life.end()
        life = EndingLife(robot, folder, files)
        goes_on = life.resume is not None
        assert life.ended == ([] if goes_on else ["g"])
        outcomes.add(goes_on)
        life.end()
    assert outcomes == {True, False}


def test_a_file_that_holds_no_results_is_one_line_and_set_aside(
    robot: ExactScan, folder: Path
) -> None:
    life = EndingLife(robot, folder)
    robot.start()
    life.take()
    life.end()
    (folder / ENDED_NAME).write_bytes(b"garbage")
    life = EndingLife(robot, folder)
    assert life.resume is not None, "the mission goes on all the same"
    (notice,) = life.keeper.notices
    assert f"{ENDED_NAME}: it holds no ended goals of a scan" in notice
    assert f"{ENDED_NAME}.bad1" in notice
    assert (folder / f"{ENDED_NAME}.bad1").read_bytes() == b"garbage"
    life.run_to_end()
    life.end()
    assert EndingLife(robot, folder).ended == ["g"]


def test_where_the_disk_fails_the_end_is_told_all_the_same(robot: ExactScan, folder: Path) -> None:
    files = CrashingFiles(folder)
    life = EndingLife(robot, folder, files)
    robot.start()
    life.take()
    files.error = errno.ENOSPC
    result = life.run_to_end()
    life.take()
    assert life.results == [result]
    files.error = 0
    life.take()
    life.end()
    assert EndingLife(robot, folder).ended == ["g"]


def test_discard_forgets_results_too(robot: ExactScan, folder: Path) -> None:
    life = EndingLife(robot, folder)
    robot.start()
    life.run_to_end()
    life.end()
    assert EndingLife(robot, folder, resume_policy="discard").ended == []
    assert not (folder / ENDED_NAME).exists()

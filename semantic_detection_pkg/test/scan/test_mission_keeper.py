"""The mission on the disk: kept, taken up, told, set aside; a crash at every operation.

When it asks before it goes on: `test_resume_reasons.py`. Random crashes of random missions:
`test_mission_state_machine.py`. Real processes: `test_mission_kills.py`.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from crashing_files import CrashError, CrashingFiles
from mission_life import GOAL, SAVED, THINGS, Life, S, kept
from patience import wait_until

from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER, NAME, CheckpointFile
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.core.checkpoint_encoding import Head, decode, encode
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.inputs import Pause
from semantic_detection_pkg.scan.core.resuming import (
    ATTEMPTS_MAX,
    ATTEMPTS_UNASKED,
    HOLD_S,
    PROVEN_S,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import STEP_NS, ExactScan


@pytest.fixture
def robot() -> ExactScan:
    return ExactScan(list(THINGS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the mission in that of the recordings."""
    path = tmp_path / FOLDER
    path.mkdir()
    return path


def begun(robot: ExactScan, folder: Path, steps: int = 60, **rules) -> Life:
    """Return a life in the middle of a mission, all of it kept."""
    life = Life(robot, folder, **rules)
    robot.start()
    life.run(steps)
    return life


# ------------------------------------------------------------------------------- the life of a file


def test_a_mission_is_kept_taken_up_and_ends_with_all_its_findings(
    robot: ExactScan, folder: Path
) -> None:
    first = begun(robot, folder)
    assert first.told
    first.end()
    second = Life(robot, folder)
    assert second.resume is not None
    assert second.resume.reasons_to_ask == ()
    assert second.keeper.resumed_goal == GOAL
    result = second.run_to_result()
    assert (result.goal_id, result.outcome) == ("g", "succeeded")
    assert set(first.told) <= set(second.told)
    assert len(second.told) == len(THINGS)
    second.run(2)
    assert not (folder / NAME).exists()
    second.end()
    assert Life(robot, folder).resume is None


def test_without_a_folder_nothing_is_kept_and_nothing_waits(robot: ExactScan) -> None:
    keeper = MissionKeeper(CheckpointSettings(), robot.settings)
    assert keeper.take_up() is None
    keeper.start()
    robot.start()
    while robot.result is None:
        decision = robot.step()
        (held,) = keeper.keep(robot.controller, decision)
        assert (held.findings, held.result) == (decision.findings, decision.result)
    keeper.stop(robot.controller)
    assert keeper.notices == []


def test_findings_and_results_are_told_when_they_are_kept(robot: ExactScan, folder: Path) -> None:
    life = Life(robot, folder)
    robot.start()
    while not life.step().findings:
        life.write()
    assert not life.told
    life.step()
    assert not life.told
    life.write()
    life.step()
    assert life.told


def test_a_disk_that_hangs_holds_them_up_for_a_second_only(robot: ExactScan, folder: Path) -> None:
    life = Life(robot, folder)
    robot.start()
    life.run(5)
    steps = 0
    while not life.step().findings:
        steps += 1
    for _ in range(round(HOLD_S * S / STEP_NS)):
        assert not life.told
        life.step()
    assert life.told


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_is_said_once_and_again_when_it_works(
    robot: ExactScan, folder: Path, error: int
) -> None:
    files = CrashingFiles(folder)
    life = Life(robot, folder, files)
    robot.start()
    life.run(30)
    files.error = error
    life.run(40)
    assert life.told, "what is found is told all the same"
    assert "the mission is not kept" in life.keeper.notices[0]
    assert "\n" not in life.keeper.notices[0]
    assert len(life.keeper.notices) == 1
    assert life.keeper.fault
    files.error = 0
    life.run(30)
    assert life.keeper.notices[1:] == ["the mission is kept again"]
    assert life.keeper.fault == ""
    life.end()
    again = Life(robot, folder)
    assert set(life.told) <= set(again.told)


def test_the_end_of_a_mission_is_written_when_the_disk_works_again(
    robot: ExactScan, folder: Path
) -> None:
    files = CrashingFiles(folder)
    life = Life(robot, folder, files)
    robot.start()
    life.run(30)
    files.error = errno.EIO
    life.run_to_result()
    assert (folder / NAME).exists()
    files.error = 0
    life.run(3)
    assert not (folder / NAME).exists()


def test_what_a_goal_found_last_is_told_though_its_controller_died_before(
    robot: ExactScan, folder: Path
) -> None:
    """The end is on the medium, the goal is gone, and nobody has heard of the last finding."""
    life = Life(robot, folder)
    robot.start()
    while life.step().result is None:
        life.write()
    life.write()
    last = {one.finding_id for one in robot.decisions[-1].findings}
    assert last
    assert not last & set(life.told)
    life.end()
    for _ in range(2):  # as often as it dies before it has told
        life = Life(robot, folder)
        assert life.resume is None
        assert last <= set(life.told)
        life.end()
    life = Life(robot, folder)
    life.run(3)
    assert not (folder / NAME).exists()
    life.end()
    assert Life(robot, folder).told == {}


def test_the_thread_writes_and_stops(robot: ExactScan, folder: Path) -> None:
    life = Life(robot, folder)
    life.keeper.start()
    robot.start()
    life.step()
    wait_until((folder / NAME).exists, "the first checkpoint")
    for _ in range(10):
        life.step()
    life.keeper.stop(robot.controller)
    head, _ = decode((folder / NAME).read_bytes())
    assert head.is_orderly
    again = Life(robot, folder, resume_policy="at_once_after_crash")
    assert again.resume is not None
    assert again.resume.reasons_to_ask == ("the scan controller was shut down",)


def test_a_folder_that_cannot_be_made_keeps_nothing_and_says_so(
    robot: ExactScan, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    life = Life(robot, tmp_path / "file" / FOLDER)
    assert life.resume is None
    assert "no mission is resumed" in life.keeper.notices[0]
    robot.start()
    life.run(30)
    assert life.keeper.fault


def test_a_second_controller_neither_resumes_nor_keeps(robot: ExactScan, folder: Path) -> None:
    first = begun(robot, folder)
    content = (folder / NAME).read_bytes()
    other = Life(ExactScan(list(THINGS)), folder)
    assert other.resume is None
    assert "another scan controller uses it" in other.keeper.notices[0]
    other.robot.start(goal_id="other")
    other.run(30)
    assert "another scan controller uses it" in other.keeper.fault
    assert (folder / NAME).read_bytes() == content
    first.end()
    other.run(30)
    assert other.keeper.fault == ""
    assert (folder / f"{NAME}.bad1").read_bytes() == content, "nobody has read it"


def test_a_controller_before_may_take_a_while_to_end(robot: ExactScan, folder: Path) -> None:
    import threading

    first = begun(robot, folder)
    ending = threading.Timer(0.3, first.end)
    ending.start()
    keeper = MissionKeeper(CheckpointSettings(str(folder.parent)), robot.settings)
    assert keeper.take_up() is not None
    ending.join()


def test_a_mission_may_be_discarded(robot: ExactScan, folder: Path) -> None:
    begun(robot, folder).end()
    life = Life(robot, folder, resume_policy="discard")
    assert life.resume is None
    assert not (folder / NAME).exists()


# ------------------------------------------------------------------------------- what is no mission


def spoilt(data: bytes) -> list[bytes]:
    """Return what may be found in place of a checkpoint."""
    return [
        b"",
        b"\0" * len(data),
        data[: len(data) // 2],
        data[:-1],
        data + b"\0",
        data.replace(b"checkpoint 1 ", b"checkpoint 9 ", 1),
        b"x" * 100,
        b"\n" * 100,
        bytes(range(256)) * 40,
        encode(Head(SAVED, ScanSettings()), b""),
        encode(Head(SAVED, ScanSettings()), b"\0" * 99),
    ]


def test_what_cannot_be_read_is_one_line_a_fresh_start_and_a_file_set_aside(
    robot: ExactScan, folder: Path
) -> None:
    begun(robot, folder).end()
    path = folder / NAME
    for data in spoilt(path.read_bytes()):
        path.write_bytes(data)
        life = Life(robot, folder)
        assert life.resume is None
        (notice,) = life.keeper.notices
        assert notice.startswith(f"mission {path}: ")
        assert "\n" not in notice
        kept = notice.rpartition(" is kept as ")[2]
        assert (folder / kept).read_bytes() == data
        assert not path.exists()
        life.run(5)
        assert life.robot.controller.goal is None
        robot.start()
        life.run(5)
        assert life.keeper.fault == ""
        assert decode(path.read_bytes())
        life.end()
    assert len(list(folder.glob("*.bad*"))) == 5, "only so many are kept"


def test_a_folder_in_its_place_is_set_aside(robot: ExactScan, folder: Path) -> None:
    (folder / NAME).mkdir()
    life = Life(robot, folder)
    assert life.resume is None
    assert len(life.keeper.notices) == 1
    robot.start()
    life.run(5)
    assert life.keeper.fault == ""


def test_a_file_that_cannot_be_read_says_so(
    robot: ExactScan, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(robot, folder).end()

    def fail(self: CheckpointFile) -> bytes:
        raise StorageError("mission: Input/output error")

    monkeypatch.setattr(CheckpointFile, "read", fail)
    life = Life(robot, folder)
    assert life.resume is None
    assert life.keeper.notices == [
        "mission: Input/output error; it is not resumed, and the file is kept as "
        "mission.checkpoint.bad1"
    ]


def test_a_mission_that_ends_the_controller_each_time_is_asked_about_and_then_left(
    robot: ExactScan, folder: Path
) -> None:
    begun(robot, folder).end()
    asked = []
    for _ in range(ATTEMPTS_MAX):
        life = Life(robot, folder)
        assert life.resume is not None
        asked.append(bool(life.resume.reasons_to_ask))
        life.end()  # before a checkpoint is made
    assert asked == [i >= ATTEMPTS_UNASKED for i in range(ATTEMPTS_MAX)]
    life = Life(robot, folder)
    assert life.resume is None
    assert "ended soon each time" in life.keeper.notices[0]
    assert (folder / f"{NAME}.bad1").exists()


def test_a_mission_that_somebody_lets_go_on_is_never_left(robot: ExactScan, folder: Path) -> None:
    """Who agrees each time that it asks has not given it up, however soon the controller ends."""
    begun(robot, folder).end()
    for life_count in range(2 * ATTEMPTS_MAX + 1):
        life = Life(robot, folder)
        assert life.resume is not None, f"it was left after {life_count} lives"
        life.run(1)
        if life.resume.reasons_to_ask:
            assert robot.controller.is_paused
            robot.inbox.append(Pause(False))
            life.run(2)
            assert decode((folder / NAME).read_bytes())[0].attempts == 0
        life.end()


@pytest.mark.long
def test_a_mission_that_has_gone_on_for_a_while_has_a_clean_slate(
    robot: ExactScan, folder: Path
) -> None:
    begun(robot, folder).end()
    life = Life(robot, folder)
    life.run(1)
    assert decode((folder / NAME).read_bytes())[0].attempts == 1
    robot.inbox.append(Pause(True))
    life.run(round(PROVEN_S * S / STEP_NS) + 40)
    assert decode((folder / NAME).read_bytes())[0].attempts == 0


# ------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("is_power_cut", [False, True])
def test_a_crash_at_every_operation_leaves_the_old_or_the_new(
    robot: ExactScan, folder: Path, is_power_cut: bool
) -> None:
    files = CrashingFiles(folder)
    life = Life(robot, folder, files)
    robot.start()
    life.run(40)
    for crash_in in range(20):
        old = (folder / NAME).read_bytes()
        for _ in range(25):
            life.step()
        assert life.keeper.writer is not None
        assert life.keeper.writer._job is not None, "there is one to be written"
        files.crash_in = crash_in
        try:
            life.write()
        except CrashError:
            if is_power_cut:
                files.cut_power(crash_in % 4, 0.3)
            left = (folder / NAME).read_bytes()
            decode(left)
            assert left == old or kept(folder) is not None
            life.end()
            life = Life(robot, folder, files)
            robot.inbox.append(Pause(False))
            assert life.resume is not None
        else:
            assert crash_in >= 6, "it did not crash"
            return
    raise AssertionError("it crashed at every one of 20 operations")

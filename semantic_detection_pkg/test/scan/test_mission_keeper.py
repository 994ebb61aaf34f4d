"""The mission on the disk: kept, taken up, asked about, set aside; crashes at every operation."""

from __future__ import annotations

import dataclasses
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import mission_victim
import pytest
from crashing_files import CrashError, CrashingFiles
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from patience import wait_until

from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER, NAME, CheckpointFile
from semantic_detection_pkg.scan.adapters.machine_clock import moment
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    Head,
    Moment,
    decode,
    encode,
    unpack,
)
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    Cancel,
    Decision,
    Goal,
    GoalResult,
    Pause,
)
from semantic_detection_pkg.scan.core.resuming import (
    ATTEMPTS_MAX,
    ATTEMPTS_UNASKED,
    HOLD_S,
    PROVEN_S,
    CheckpointSchedule,
    reasons_to_ask,
)
from semantic_detection_pkg.scan.core.settings import CloseSettings, ScanSettings
from simulation_pkg.harness.exact_scan import AREA, STEP_NS, ExactScan, Thing

S = 1_000_000_000
THINGS = [
    Thing(0.3, 0.3, "person"),
    Thing(-0.4, 0.2, "tent", 0.03),
    Thing(-0.1, 0.4, "person", truth="scarecrow"),
    Thing(0.5, 0.15, "person", sureness=0.5),
]
SAVED = Moment(1_700_000_000 * S, "boot", 100 * S)
GOAL = Goal("g", AREA, ("person", "tent"))


class Life:
    """One process: a controller and its keeper over a robot and a folder that outlive it.

    Attributes:
        told: what the outside has heard of this process: the newest state of each finding.
        results: of goals, as they were told.
    """

    def __init__(self, robot: ExactScan, folder: Path, files=None, **rules) -> None:
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


# ------------------------------------------------------------------------------- when it asks


def asked(policy: str = "at_once", now: Moment | None = None, **changes) -> tuple[str, ...]:
    head = Head(SAVED, ScanSettings(), **changes.pop("head", {}))
    rules = CheckpointSettings("x", policy, changes.pop("max_age_s", 600.0))
    now = now or dataclasses.replace(SAVED, boot_ns=SAVED.boot_ns + 3 * S)
    return reasons_to_ask(
        head, GOAL, now, rules, changes.pop("settings", ScanSettings()), changes.pop("start", None)
    )


REBOOTED = Moment(SAVED.wall_ns + 60 * S, "other boot", 20 * S)


@pytest.mark.parametrize(
    ("policy", "now", "head", "words"),
    [
        ("at_once", None, {}, ""),
        ("at_once", None, {"is_orderly": True}, ""),
        ("at_once", REBOOTED, {}, ""),
        ("at_once_after_crash", None, {}, ""),
        ("at_once_after_crash", None, {"is_orderly": True}, "was shut down"),
        ("at_once_after_crash", REBOOTED, {}, "the computer was started again"),
        ("ask", None, {}, "resume_policy is ask"),
        ("at_once", None, {"attempts": ATTEMPTS_UNASKED}, "it was resumed 3 times"),
    ],
)
def test_the_policy(policy: str, now: Moment | None, head: dict, words: str) -> None:
    reasons = asked(policy, now, head=head)
    assert bool(reasons) == bool(words)
    assert words in "; ".join(reasons)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Moment(SAVED.wall_ns, "boot", SAVED.boot_ns + 599 * S), ""),
        (Moment(SAVED.wall_ns, "boot", SAVED.boot_ns + 601 * S), "interrupted 10 min ago"),
        (Moment(SAVED.wall_ns + 601 * S, "boot", SAVED.boot_ns), ""),  # the clock was set
        (Moment(SAVED.wall_ns + 3 * 86400 * S, "new", 5 * S), "interrupted 72 h ago"),
        (Moment(40 * 86400 * S, "new", 5 * S), "the clock was set back"),
        (Moment(SAVED.wall_ns + S, "", 0), ""),
    ],
)
def test_an_old_mission_waits(now: Moment, words: str) -> None:
    assert words in "; ".join(asked(now=now))
    assert bool(asked(now=now)) == bool(words)


def test_other_settings_are_named() -> None:
    settings = dataclasses.replace(
        ScanSettings(), sweep_zoom=2.0, close=dataclasses.replace(CloseSettings(), max_views=9)
    )
    assert asked(settings=settings) == ("settings were changed: sweep_zoom, close.max_views",)


@pytest.mark.parametrize(
    ("start", "is_other"),
    [
        (GOAL, False),
        (dataclasses.replace(GOAL, goal_id="autostart"), False),
        (dataclasses.replace(GOAL, words=()), False),
        (dataclasses.replace(GOAL, words=("boat",)), True),
        (dataclasses.replace(GOAL, area=Area(-1.0, 1.0, 0.0, 0.5)), True),
        (dataclasses.replace(GOAL, zoom=3.0), True),
    ],
)
def test_another_goal_of_the_start_parameters_is_a_question(start: Goal, is_other: bool) -> None:
    assert bool(asked(start=start)) == is_other


def test_the_clocks_of_this_machine(tmp_path: Path) -> None:
    first, second = moment(), moment()
    assert first.boot_id
    elapsed_ns = second.elapsed_ns(first)
    assert elapsed_ns is not None
    assert 0 <= elapsed_ns < 60 * S
    assert moment(tmp_path / "missing").boot_id == ""


def test_a_checkpoint_is_due_at_each_decision_and_once_a_second() -> None:
    schedule = CheckpointSchedule()
    assert not schedule.is_due(0.0, None)
    assert schedule.is_due(10.0, 1)
    assert not schedule.is_due(10.9, 1)
    assert schedule.is_due(10.95, 2)
    assert not schedule.is_due(11.9, 2)
    assert schedule.is_due(11.95, 2)
    assert schedule.is_due(12.0, None)
    assert not schedule.is_due(99.0, None)
    assert schedule.is_due(100.0, 1, took_s=2.0)
    assert not schedule.is_due(107.0, 1, took_s=2.0)
    assert schedule.is_due(107.5, 2, took_s=2.0)


# ------------------------------------------------------------------------------- crashes


def kept(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in a folder; None without one."""
    path = folder / NAME
    body = decode(path.read_bytes())[1] if path.exists() else b""
    return unpack(body) if body else None


def head_of(folder: Path) -> Head | None:
    """Return the head of the checkpoint in a folder; None without one."""
    path = folder / NAME
    return decode(path.read_bytes())[0] if path.exists() else None


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


SHARES = st.floats(0.0, 1.0)


class Missions(RuleBasedStateMachine):
    """Missions with random decisions, killed and cut off at random operations, and taken up.

    Attributes:
        resumed, resumed_with_findings: how many of all were, over all examples.
    """

    resumed = 0
    resumed_with_findings = 0

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / FOLDER
        self.folder.mkdir()
        self.files = CrashingFiles(self.folder)
        self.robot = ExactScan(list(THINGS))
        self.goals = 0
        self.told: dict[str, dict[str, int]] = {}  # findings of each goal
        self.owners: dict[str, str] = {}  # goal of each finding
        self.decided: dict[str, int] = {}  # findings of this life, told or not
        self.over: set[str] = set()  # goals whose end was told
        self.life = self.live()

    def teardown(self) -> None:
        self.life.end()
        self.temporary.cleanup()

    def live(self) -> Life:
        return Life(self.robot, self.folder, self.files)

    @property
    def goal_id(self) -> str:
        goal = self.robot.controller.goal
        return "" if goal is None else goal.goal_id

    def step(self) -> None:
        goal_id, known = self.goal_id, dict(self.life.told)
        for finding in self.life.step().findings:
            self.owners.setdefault(finding.finding_id, goal_id or self.goal_id)
            self.decided[finding.finding_id] = finding.revision
        for name, revision in self.life.told.items():
            if known.get(name) != revision:
                self.told.setdefault(self.owners[name], {})[name] = revision
        self.over |= {one.goal_id for one in self.life.results}

    def attempts(self) -> int:
        return decode((self.folder / NAME).read_bytes())[0].attempts

    def restart(self) -> None:
        """Begin again, and compare with what was before."""
        before = self.robot.controller.coverage
        counts = None if before is None else before.record().view_counts
        goal_before = self.goal_id
        checkpoint = kept(self.folder)
        self.life.end()
        if checkpoint is not None and self.attempts() >= ATTEMPTS_MAX:
            self.life, self.decided = self.live(), {}
            assert self.life.resume is None
            assert list(self.folder.glob("*.bad*")), "what is not resumed is set aside"
            return
        self.robot.now_ns += 2 * S
        self.life = self.live()
        self.check_that_all_is_told()
        after = self.robot.controller
        assert (self.life.resume is None) == (checkpoint is None)
        if checkpoint is None:
            assert after.goal is None
            assert not self.told.get(goal_before), "a mission that has told something is lost"
            return
        goal_id = self.goal_id
        Missions.resumed += 1
        Missions.resumed_with_findings += bool(checkpoint.findings)
        assert goal_id == checkpoint.mission.goal.goal_id
        assert goal_id not in self.over, "a goal whose end was told goes on"
        found = {one.finding_id: one.revision for one in after.findings}
        for name, revision in self.told.get(goal_id, {}).items():
            assert found.get(name, 0) >= revision, "a finding that was told is lost"
        assert found == {one.finding_id: one.revision for one in checkpoint.findings}
        now = after.checkpoint()
        assert now is not None
        if checkpoint.mission.search is not None:
            assert now.mission.search is not None
            names = [one.first_id for one in checkpoint.mission.search.candidates]
            assert [one.first_id for one in now.mission.search.candidates] == names
        if checkpoint.coverage is not None:
            assert now.coverage is not None
            saved, resumed = checkpoint.coverage.view_counts, now.coverage.view_counts
            assert (resumed <= saved).all(), "coverage grew by itself"
            if goal_id == goal_before and counts is not None:
                assert (saved <= counts).all(), "coverage was kept that there was not"
        self.owners |= dict.fromkeys(found, goal_id)
        self.told.setdefault(goal_id, {}).update(self.life.told)

    def check_that_all_is_told(self) -> None:
        """Check that of goals that do not go on all is told that was found in the life before."""
        told = {
            name: revision for of_goal in self.told.values() for name, revision in of_goal.items()
        }
        told |= self.life.told
        for name, revision in self.decided.items():
            if self.owners[name] != self.goal_id:
                assert told.get(name, 0) >= revision, "a finding of a goal that is gone is lost"
        self.decided = {}

    @initialize(steps=st.integers(0, 126))
    def begin(self, steps: int) -> None:
        """Begin anywhere within a mission, which takes 126 steps."""
        self.give_goal(is_repeating=False)
        self.go_on(steps, 3)

    @precondition(lambda self: not self.goal_id)
    @rule(is_repeating=st.booleans())
    def give_goal(self, is_repeating: bool) -> None:
        self.goals += 1
        self.robot.start(goal_id=f"g{self.goals}", is_repeating=is_repeating)
        self.step()

    @rule(steps=st.integers(1, 80), write_every=st.integers(1, 15))
    def go_on(self, steps: int, write_every: int) -> None:
        """Let time pass, on a disk that takes less than a second for each checkpoint."""
        for count in range(steps):
            self.step()
            if count % write_every == 0:
                self.life.write()

    @precondition(lambda self: self.goal_id)
    @rule(what=st.sampled_from(["pause", "go on", "go on", "cancel", "another goal"]))
    def say(self, what: str) -> None:
        if what == "another goal":
            self.give_goal(is_repeating=False)
        elif what == "cancel":
            self.robot.inbox.append(Cancel(self.goal_id))
            self.go_on(2, 1)
        else:
            self.robot.inbox.append(Pause(what == "pause"))
        self.step()

    @rule(
        is_power_cut=st.booleans(), changes=st.sampled_from([0, 0, 1, 3]), part=st.floats(0.0, 1.0)
    )
    def crash(self, is_power_cut: bool, changes: int, part: float) -> None:
        if is_power_cut:
            self.files.cut_power(changes, part)
        self.restart()

    @precondition(lambda self: self.life.keeper.writer._job is not None)
    @rule(
        crash_in=st.integers(0, 7),
        is_power_cut=st.booleans(),
        changes=st.integers(0, 4),
        part=SHARES,
    )
    def crash_while_writing(
        self, crash_in: int, is_power_cut: bool, changes: int, part: float
    ) -> None:
        self.files.crash_in = crash_in
        try:
            self.life.write()
        except CrashError:
            if is_power_cut:
                self.files.cut_power(changes, part)
            self.restart()
        self.files.crash_in = None

    @rule()
    def end_in_an_orderly_way(self) -> None:
        self.life.keeper.stop(self.robot.controller)
        self.life.write()
        self.restart()

    @rule()
    def start_a_second_one(self) -> None:
        robot, self.robot = self.robot, ExactScan(list(THINGS))
        assert self.live().resume is None, "two controllers go on with one goal"
        self.robot = robot

    @invariant()
    def what_was_told_is_known(self) -> None:
        found = {one.finding_id: one.revision for one in self.robot.controller.findings}
        for name, revision in self.told.get(self.goal_id, {}).items():
            assert found.get(name, 0) >= revision

    @invariant()
    def a_mission_is_one_of_those_that_go_on(self) -> None:
        assert self.goal_id not in self.over


def test_nothing_is_lost_and_nothing_happens_twice_whatever_crashes_when() -> None:
    run_state_machine_as_test(
        Missions,
        settings=hypothesis_settings(max_examples=40, stateful_step_count=16, deadline=None),
    )
    assert Missions.resumed > 100
    assert Missions.resumed_with_findings > 20, "what is never there cannot be lost"


# ------------------------------------------------------------------------------- real processes

ROUNDS = 25


def test_killed_at_any_moment_nothing_told_is_lost(tmp_path: Path) -> None:
    """`kill -9`, the thread that writes at work: what was told is in the checkpoint."""
    randomly = random.Random(7)
    told_file = tmp_path / mission_victim.TOLD
    told_file.touch()
    found: dict[str, dict[str, int]] = {}
    goals: dict[str, str] = {}  # of each finding
    over: set[str] = set()
    lines: list[str] = []
    resumed_with_findings = 0
    with subprocess.Popen(
        [sys.executable, mission_victim.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for _ in range(ROUNDS):
            server.stdin.write(f"{tmp_path}\n")
            server.stdin.flush()
            pid = int(server.stdout.readline())
            count = len(lines) + randomly.randrange(1, 6)
            wait_until(lambda n=count: len(told_file.read_text().splitlines()) >= n, "findings")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda gone=pid: not Path(f"/proc/{gone}").exists(), "the end of a process")
            lines = told_file.read_text().splitlines()
            for kind, goal, *finding in map(str.split, lines):
                if kind == "over":
                    over.add(goal)
                else:
                    name, revision = finding
                    found.setdefault(goals.setdefault(name, goal), {})[name] = int(revision)
            checkpoint = kept(tmp_path / FOLDER)
            goal = "" if checkpoint is None else checkpoint.mission.goal.goal_id
            assert goal not in over, "a goal whose end was told would go on"
            head = head_of(tmp_path / FOLDER)
            untold = set() if head is None else {one.finding_id for one in head.untold}
            revisions = (
                {}
                if checkpoint is None
                else {one.finding_id: one.revision for one in checkpoint.findings}
            )
            for name, revision in found.get(goal, {}).items():
                assert revisions.get(name, 0) >= revision, "a finding that was told is lost"
            # Killed between the end and its telling: the goal is gone, all that was found is not.
            for ended in set(found) - {goal, "-"}:
                known = set(found[ended]) | set(found.get("-", ())) | untold
                assert len(known) >= len(mission_victim.SURENESSES), "a finding is lost"
            resumed_with_findings += bool(revisions)
        server.stdin.close()
    assert resumed_with_findings > ROUNDS // 3
    assert over, "some missions came to their end"

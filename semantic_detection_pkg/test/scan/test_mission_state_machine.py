"""A state machine of missions: killed and cut off at random operations, and taken up."""

from __future__ import annotations

import tempfile
from pathlib import Path

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
from mission_life import THINGS, Life, S, kept

from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER, NAME
from semantic_detection_pkg.scan.core.checkpoint_encoding import decode
from semantic_detection_pkg.scan.core.inputs import Cancel, Pause
from semantic_detection_pkg.scan.core.resuming import ATTEMPTS_MAX
from simulation_pkg.harness.exact_scan import ExactScan

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


@pytest.mark.long
def test_nothing_is_lost_and_nothing_happens_twice_whatever_crashes_when() -> None:
    run_state_machine_as_test(
        Missions,
        settings=hypothesis_settings(max_examples=40, stateful_step_count=16, deadline=None),
    )
    assert Missions.resumed > 100
    assert Missions.resumed_with_findings > 20, "what is never there cannot be lost"

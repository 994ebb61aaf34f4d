"""Each behaviour of the scan's tree alone: when it has the gimbal, and what it decides."""

import dataclasses
import math

import numpy as np
import pytest
from py_trees.common import Status

from ros_support_pkg.core.words import Level, Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.behaviours import close_look, path, question, stand_by, sweep
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.candidate_states import CandidateState
from semantic_detection_pkg.scan.core.decision_builder import DecisionBuilder
from semantic_detection_pkg.scan.core.evaluate_candidates import evaluate_candidates
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    InspectionResult,
    PointHere,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.search import Search
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tree import build_tree
from simulation_pkg.harness.exact_scan import AREA

S = 1_000_000_000
RUNNING, SUCCESS, FAILURE = Status.RUNNING, Status.SUCCESS, Status.FAILURE
AGAIN = "again"  # RUNNING, and the tree is ticked once more in this step
PIXELS = (1280, 720)


class Play:
    """A blackboard with a mission, moved by hand."""

    def __init__(self, has_mission=True, is_planned=True, **goal) -> None:
        self.blackboard = Blackboard(ScanSettings())
        self.now_s = 100.0
        self.hear()
        if has_mission:
            asked = {"goal_id": "g", "area": AREA, "words": ("person",), **goal}
            self.blackboard.mission = Mission(
                self.blackboard.now_ns, Goal(**asked), self.blackboard.settings
            )
        if has_mission and is_planned:
            self.blackboard.mission.vocabulary = ("person",)
            assert self.do(sweep.PrepareSearch) is SUCCESS

    def hear(self, yaw=0.0, pitch=0.3, zoom=1.0, link="up", boxes=()) -> None:
        """A reading and a frame; the boxes hold persons."""
        blackboard = self.blackboard
        self.now_s += 0.1
        blackboard.now_ns = round(self.now_s * S)
        hfov = 2 * math.atan(math.tan(math.radians(31.0)) / zoom)
        reading = GimbalReading(
            blackboard.now_ns, yaw, pitch, zoom=zoom, zoom_max=6.0, hfov_rad=hfov, link=link
        )
        picture = Detections(
            *PIXELS,
            np.zeros(len(boxes), np.uint16),
            np.full(len(boxes), 0.8, np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
        )
        frame = FrameDetections(blackboard.now_ns, picture, ("person",), "net")
        blackboard.picture_size = PIXELS
        blackboard.watchdog.note_input(blackboard.now_ns, reading)
        blackboard.watchdog.note_input(blackboard.now_ns, frame)
        blackboard.poses.add(reading)
        if blackboard.mission is not None:
            blackboard.mission.add_frame(frame, blackboard.poses)
        blackboard.decision = DecisionBuilder()

    def see_person(self, side_px=30.0, **pose) -> None:
        """Frames with a person in the middle, until it is a candidate."""
        half = side_px / 2
        box = (640 - half, 360 - half, 640 + half, 360 + half)
        for _ in range(4):
            self.hear(boxes=[box], **pose)

    @property
    def mission(self) -> Mission:
        assert self.blackboard.mission is not None
        return self.blackboard.mission

    @property
    def search(self) -> Search:
        assert self.mission.search is not None
        return self.mission.search

    def do(self, behaviour: type) -> Status | str:
        self.blackboard.wants_tick = False
        status = behaviour(self.blackboard).update()
        return AGAIN if self.blackboard.wants_tick else status


# ---------------------------------------------------------------------------------- stand by


@pytest.mark.parametrize(
    ("has_mission", "link", "silent_s", "status"),
    [
        (True, "up", 0.0, SUCCESS),
        (True, "stale", 0.0, RUNNING),
        (True, "up", 5.0, RUNNING),
        (False, "down", 0.0, SUCCESS),  # nothing is to be done: nothing is missing
    ],
)
def test_nothing_moves_while_an_input_is_missing(has_mission, link, silent_s, status):
    play = Play(has_mission)
    play.hear(link=link)
    play.blackboard.now_ns += round(silent_s * S)
    play.blackboard.set_rates((1.0, 0.0))
    assert play.do(stand_by.HoldStill) is status
    if status is RUNNING:
        assert play.blackboard.decision.level is Level.SAFE
        assert play.blackboard.decision.reason
        assert play.blackboard.decision.rate is None


def test_operator_has_the_gimbal_until_the_hold_is_over():
    play = Play()
    assert play.do(stand_by.PointForOperator) is SUCCESS
    play.blackboard.operator = (PointHere(0.5, 9.0), play.blackboard.now_ns + S)
    assert play.do(stand_by.PointForOperator) is RUNNING
    assert (play.blackboard.decision.angle.yaw_rad, play.blackboard.decision.angle.pitch_rad) == (
        0.5,
        pytest.approx(math.pi / 2),
    )
    assert play.blackboard.decision.reason == "an operator has the camera for 1 s more"
    play.blackboard.now_ns += S
    assert play.do(stand_by.PointForOperator) is SUCCESS
    assert play.blackboard.operator is None


def test_paused_gives_no_commands():
    play = Play()
    assert play.do(stand_by.StayPaused) is SUCCESS
    play.blackboard.is_paused = True
    assert play.do(stand_by.StayPaused) is RUNNING
    assert play.blackboard.decision.rate is None


@pytest.mark.parametrize("obstacle", ["loss", "operator", "pause", "words"])
def test_candidates_are_not_evaluated_while_something_comes_before_the_search(obstacle):
    play = Play()
    play.see_person(side_px=200.0)
    if obstacle == "loss":
        play.hear(link="stale")
    elif obstacle == "operator":
        play.blackboard.operator = (PointHere(0.0, 0.0), play.blackboard.now_ns + S)
    elif obstacle == "pause":
        play.blackboard.is_paused = True
    else:
        play.mission.vocabulary = ()
    assert play.blackboard.active_search() is None
    evaluate_candidates(play.blackboard)
    assert play.blackboard.decision.inspect == []


def test_angles_that_no_gimbal_has_keep_it_still():
    blackboard = Blackboard(ScanSettings())
    blackboard.now_ns = S
    blackboard.mission = Mission(S, Goal("g", AREA, ("person",)), blackboard.settings)
    reading = GimbalReading(S, math.nan, 0.0)
    blackboard.watchdog.note_input(S, reading)
    blackboard.poses.add(reading)
    assert stand_by.HoldStill(blackboard).update() is RUNNING
    assert blackboard.decision.reason == "gimbal: no angles that it can have were heard yet"


@pytest.mark.parametrize(
    "behaviour",
    [
        sweep.SweepArea,
        sweep.FinishSearch,
        close_look.ChooseView,
        close_look.ApproachView,
        close_look.WatchCandidates,
        close_look.AwaitClassifier,
        path.FollowPath,
        question.AskVlm,
    ],
)
def test_without_a_plan_there_is_nothing_to_do(behaviour):
    assert Play(is_planned=False).do(behaviour) is SUCCESS
    assert Play(has_mission=False).do(behaviour) is SUCCESS


def test_rest_goes_there_once_and_leaves_the_gimbal_alone():
    assert Play().do(stand_by.GoToRest) is SUCCESS
    play = Play(has_mission=False)
    assert play.do(stand_by.GoToRest) is RUNNING
    assert play.blackboard.decision.angle is None
    play.blackboard.resting_since_ns = play.blackboard.now_ns
    play.hear(yaw=0.5, zoom=3.0)
    assert play.do(stand_by.GoToRest) is RUNNING
    assert (play.blackboard.decision.angle.yaw_rad, play.blackboard.decision.zoom) == (0.0, 1.0)
    play.hear(yaw=0.0, pitch=0.0, zoom=1.0)
    assert play.do(stand_by.GoToRest) is RUNNING
    assert play.blackboard.decision.reason == "no goal"
    assert not play.blackboard.resting_since_ns


def test_rest_that_is_not_reached_ends_all_the_same():
    play = Play(has_mission=False)
    play.blackboard.resting_since_ns = play.blackboard.now_ns - 60 * S
    play.hear(yaw=1.0)
    play.do(stand_by.GoToRest)
    assert play.blackboard.decision.reason == "no goal; the rest position was not reached"


# ------------------------------------------------------------------------------------- sweep


def test_prepare_tells_the_words_again_where_no_answer_comes():
    play = Play(is_planned=False)
    assert play.do(sweep.PrepareSearch) is RUNNING
    first = play.blackboard.decision.vocabulary
    assert first.words == ("person",)
    play.hear()
    assert play.do(sweep.PrepareSearch) is RUNNING
    assert play.blackboard.decision.vocabulary is None
    play.blackboard.now_ns += 10 * S
    assert play.do(sweep.PrepareSearch) is RUNNING
    assert play.blackboard.decision.vocabulary.request_id > first.request_id


def test_prepare_ends_a_goal_that_the_gimbal_cannot_do():
    play = Play(is_planned=False, zoom=9.0)
    play.mission.vocabulary = ("person",)
    assert play.do(sweep.PrepareSearch) is FAILURE
    assert play.blackboard.mission is None
    assert play.blackboard.decision.result.outcome == "aborted"
    assert "allowed is 1..6" in play.blackboard.decision.result.message


def test_sweep_turns_until_all_is_seen():
    play = Play()
    assert play.do(sweep.SweepArea) is RUNNING
    assert play.blackboard.decision.rate is not None
    play.search.coverage._view_counts[:] = 99
    assert play.do(sweep.SweepArea) is AGAIN
    assert play.search.is_swept
    assert play.do(sweep.SweepArea) is SUCCESS


@pytest.mark.parametrize("is_repeating", [False, True])
def test_finish_ends_or_begins_again(is_repeating):
    play = Play(is_repeating=is_repeating)
    play.search.is_swept = True
    play.search.coverage._view_counts[:] = 99
    if is_repeating:
        assert play.do(sweep.FinishSearch) is RUNNING
        assert not play.search.is_swept
        assert play.mission.share_seen == 0.0
    else:
        assert play.do(sweep.FinishSearch) is AGAIN
        assert play.blackboard.decision.result.outcome == "succeeded"


def test_finish_says_what_could_not_be_seen():
    play = Play()
    play.search.planner._futile_passes = 99
    assert play.do(sweep.FinishSearch) is AGAIN
    assert play.blackboard.decision.result.message == "100.0 % of the area could not be seen"


# -------------------------------------------------------------------------------- close look


def test_candidates_are_evaluated_without_ever_having_the_gimbal():
    play = Play()
    play.see_person(side_px=200.0)
    evaluate_candidates(play.blackboard)
    assert play.blackboard.decision.leaf == ""
    (request,) = play.blackboard.decision.inspect
    assert request.frame_ns == play.mission.frame_ns
    (candidate,) = play.search.candidates.all
    candidate.add_inspection(said(request.request_id, 0.97))
    for _ in range(6):
        play.see_person(side_px=200.0)
        evaluate_candidates(play.blackboard)
        if not len(play.search.candidates):
            break
        for request in play.blackboard.decision.inspect:
            candidate.add_inspection(said(request.request_id, 0.97))
    assert [f.state.name for f in play.blackboard.decision.findings] == ["CONFIRMED"]


def said(request_id: int, share: float) -> InspectionResult:
    return InspectionResult(request_id, 1, "", "net", ("person", "scarecrow"), (share, 1.0 - share))


def test_choose_view_waits_for_the_end_of_the_sweep_or_for_too_long_a_wait():
    play = Play()
    assert play.do(close_look.ChooseView) is SUCCESS
    play.see_person()
    assert play.do(close_look.ChooseView) is SUCCESS
    assert play.search.visit is None
    play.search.is_swept = True
    assert play.do(close_look.ChooseView) is SUCCESS
    assert play.search.visit.view.zoom > 1.0
    other = Play()
    other.see_person()
    other.blackboard.now_ns += 3600 * S
    assert other.do(close_look.ChooseView) is SUCCESS
    assert other.search.visit is not None


def test_approach_turns_and_zooms_at_once_and_notes_the_arrival():
    play = Play()
    play.see_person()
    play.search.is_swept = True
    play.hear(yaw=1.0)
    play.do(close_look.ChooseView)
    assert play.do(close_look.ApproachView) is RUNNING
    assert play.blackboard.decision.rate.yaw_rad_s < 0.0
    assert play.blackboard.decision.zoom == play.search.visit.view.zoom
    view = play.search.visit.view
    play.hear(view.yaw_rad, view.pitch_rad, view.zoom)
    assert play.do(close_look.ApproachView) is SUCCESS
    assert play.search.visit.arrived_ns == play.blackboard.now_ns


@pytest.mark.parametrize(
    ("behaviour", "tier"), [(close_look.WatchCandidates, 1), (close_look.AwaitClassifier, 2)]
)
def test_tiers_have_the_gimbal_while_candidates_in_view_want_them(behaviour, tier):
    play = Play()
    play.see_person()
    play.search.is_swept = True
    play.do(close_look.ChooseView)
    assert play.do(behaviour) is RUNNING
    assert play.blackboard.decision.tier == tier
    (candidate,) = play.search.candidates.all
    for state in (CandidateState.CLASSIFYING, CandidateState.DECIDED)[:tier]:
        candidate.state = state
    assert play.do(behaviour) is (SUCCESS if tier == 1 else AGAIN)


def unsure(play: Play):
    play.see_person()
    (candidate,) = play.search.candidates.all
    candidate.give_up(play.blackboard.now_ns, "no more views")
    assert candidate.state is CandidateState.AWAITING_VLM
    return candidate


def with_picture(candidate, picture_id: int = 17) -> None:
    candidate.evidence = dataclasses.replace(candidate.evidence, picture_id=picture_id)


def test_ask_puts_a_question_about_a_picture_and_waits():
    play = Play()
    assert play.do(question.AskVlm) is SUCCESS
    candidate = unsure(play)
    with_picture(candidate)
    assert play.do(question.AskVlm) is RUNNING
    (ask,) = play.blackboard.decision.ask
    assert (ask.inspection_id, ask.class_name) == (17, "person")
    play.hear()
    assert play.do(question.AskVlm) is RUNNING
    assert play.blackboard.decision.ask == []
    play.blackboard.now_ns += 3600 * S
    assert play.do(question.AskVlm) is AGAIN
    assert play.blackboard.decision.cancel_asks == [ask.request_id]
    assert candidate.evidence.by_tier[3].verdict is Verdict.NOT_RUN
    assert candidate.state is CandidateState.DECIDED


@pytest.mark.parametrize(
    ("picture", "gpu", "reason"),
    [
        (0, GpuStatus(False, False), "there is no picture to ask about"),
        (17, GpuStatus(False, True, "no lock"), "the model is off: no lock"),
    ],
)
def test_ask_skips_what_cannot_be_asked_and_says_why(picture, gpu, reason):
    play = Play()
    candidate = unsure(play)
    with_picture(candidate, picture)
    play.blackboard.watchdog.note_input(play.blackboard.now_ns, gpu)
    assert play.do(question.AskVlm) is AGAIN
    assert candidate.evidence.by_tier[3].reason == reason


def test_follow_path_has_nothing_to_do_without_paths():
    assert Play().do(path.FollowPath) is SUCCESS


# -------------------------------------------------------------------------------------- tree


def test_every_behaviour_of_the_tree_is_tested_here():
    def leaves(node):
        return (
            [node] if not node.children else [x for child in node.children for x in leaves(child)]
        )

    kinds = {type(leaf).__name__ for leaf in leaves(build_tree(Blackboard(ScanSettings())))}
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert {kind for kind in kinds if f".{kind}" not in text} == set()

"""Each behaviour of the scan's tree alone: when it has the gimbal, and what it decides.

One file for all: the last test says that none of the tree is missing here.
"""

import dataclasses
import math

import pytest
from behaviour_harness import AGAIN, BehaviourHarness, S
from py_trees.common import Status

from ros_support_pkg.core.words import Level, Verdict
from semantic_detection_pkg.scan.core.behaviours import close_look, path, question, stand_by, sweep
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.candidate_states import CandidateState
from semantic_detection_pkg.scan.core.evaluate_candidates import evaluate_candidates
from semantic_detection_pkg.scan.core.inputs import (
    GimbalReading,
    Goal,
    GpuStatus,
    InspectionResult,
    PointHere,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tree import build_tree
from simulation_pkg.harness.exact_scan import AREA

RUNNING, SUCCESS, FAILURE = Status.RUNNING, Status.SUCCESS, Status.FAILURE

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
    harness = BehaviourHarness(has_mission)
    harness.add_inputs(link=link)
    harness.blackboard.now_ns += round(silent_s * S)
    harness.blackboard.set_rates((1.0, 0.0))
    assert harness.tick(stand_by.HoldStill) is status
    if status is RUNNING:
        assert harness.blackboard.decision.level is Level.SAFE
        assert harness.blackboard.decision.reason
        assert harness.blackboard.decision.rate is None


def test_operator_has_the_gimbal_until_the_hold_is_over():
    harness = BehaviourHarness()
    assert harness.tick(stand_by.PointForOperator) is SUCCESS
    harness.blackboard.operator = (PointHere(0.5, 9.0), harness.blackboard.now_ns + S)
    assert harness.tick(stand_by.PointForOperator) is RUNNING
    assert (
        harness.blackboard.decision.angle.yaw_rad,
        harness.blackboard.decision.angle.pitch_rad,
    ) == (
        0.5,
        pytest.approx(math.pi / 2),
    )
    assert harness.blackboard.decision.reason == "an operator has the camera for 1 s more"
    harness.blackboard.now_ns += S
    assert harness.tick(stand_by.PointForOperator) is SUCCESS
    assert harness.blackboard.operator is None


def test_paused_gives_no_commands():
    harness = BehaviourHarness()
    assert harness.tick(stand_by.StayPaused) is SUCCESS
    harness.blackboard.is_paused = True
    assert harness.tick(stand_by.StayPaused) is RUNNING
    assert harness.blackboard.decision.rate is None


@pytest.mark.parametrize("obstacle", ["loss", "operator", "pause", "words"])
def test_candidates_are_not_evaluated_while_something_comes_before_the_search(obstacle):
    harness = BehaviourHarness()
    harness.add_person(side_px=200.0)
    if obstacle == "loss":
        harness.add_inputs(link="stale")
    elif obstacle == "operator":
        harness.blackboard.operator = (PointHere(0.0, 0.0), harness.blackboard.now_ns + S)
    elif obstacle == "pause":
        harness.blackboard.is_paused = True
    else:
        harness.mission.words.vocabulary = ()
    assert harness.blackboard.active_search() is None
    evaluate_candidates(harness.blackboard)
    assert harness.blackboard.decision.inspect == []


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
    assert BehaviourHarness(is_planned=False).tick(behaviour) is SUCCESS
    assert BehaviourHarness(has_mission=False).tick(behaviour) is SUCCESS


def test_rest_goes_there_once_and_leaves_the_gimbal_alone():
    assert BehaviourHarness().tick(stand_by.GoToRest) is SUCCESS
    harness = BehaviourHarness(has_mission=False)
    assert harness.tick(stand_by.GoToRest) is RUNNING
    assert harness.blackboard.decision.angle is None
    harness.blackboard.resting_since_ns = harness.blackboard.now_ns
    harness.add_inputs(yaw=0.5, zoom=3.0)
    assert harness.tick(stand_by.GoToRest) is RUNNING
    assert (harness.blackboard.decision.angle.yaw_rad, harness.blackboard.decision.zoom) == (
        0.0,
        1.0,
    )
    harness.add_inputs(yaw=0.0, pitch=0.0, zoom=1.0)
    assert harness.tick(stand_by.GoToRest) is RUNNING
    assert harness.blackboard.decision.reason == "no goal"
    assert not harness.blackboard.resting_since_ns


def test_rest_that_is_not_reached_ends_all_the_same():
    harness = BehaviourHarness(has_mission=False)
    harness.blackboard.resting_since_ns = harness.blackboard.now_ns - 60 * S
    harness.add_inputs(yaw=1.0)
    harness.tick(stand_by.GoToRest)
    assert harness.blackboard.decision.reason == "no goal; the rest position was not reached"


# ------------------------------------------------------------------------------------- sweep


def test_prepare_tells_the_words_again_where_no_answer_comes():
    harness = BehaviourHarness(is_planned=False)
    assert harness.tick(sweep.PrepareSearch) is RUNNING
    first = harness.blackboard.decision.vocabulary
    assert first.words == ("person",)
    harness.add_inputs()
    assert harness.tick(sweep.PrepareSearch) is RUNNING
    assert harness.blackboard.decision.vocabulary is None
    harness.blackboard.now_ns += 10 * S
    assert harness.tick(sweep.PrepareSearch) is RUNNING
    assert harness.blackboard.decision.vocabulary.request_id > first.request_id


def test_prepare_ends_a_goal_that_the_gimbal_cannot_do():
    harness = BehaviourHarness(is_planned=False, zoom=9.0)
    harness.mission.words.vocabulary = ("person",)
    assert harness.tick(sweep.PrepareSearch) is FAILURE
    assert harness.blackboard.mission is None
    assert harness.blackboard.decision.result.outcome == "aborted"
    assert "allowed is 1..6" in harness.blackboard.decision.result.message


def test_sweep_turns_until_all_is_seen():
    harness = BehaviourHarness()
    assert harness.tick(sweep.SweepArea) is RUNNING
    assert harness.blackboard.decision.rate is not None
    harness.search.coverage._view_counts[:] = 99
    assert harness.tick(sweep.SweepArea) is AGAIN
    assert harness.search.is_swept
    assert harness.tick(sweep.SweepArea) is SUCCESS


@pytest.mark.parametrize("is_repeating", [False, True])
def test_finish_ends_or_begins_again(is_repeating):
    harness = BehaviourHarness(is_repeating=is_repeating)
    harness.search.is_swept = True
    harness.search.coverage._view_counts[:] = 99
    if is_repeating:
        assert harness.tick(sweep.FinishSearch) is RUNNING
        assert not harness.search.is_swept
        assert harness.mission.share_seen == 0.0
    else:
        assert harness.tick(sweep.FinishSearch) is AGAIN
        assert harness.blackboard.decision.result.outcome == "succeeded"


def test_finish_says_what_could_not_be_seen():
    harness = BehaviourHarness()
    harness.search.planner._futile_passes = 99
    assert harness.tick(sweep.FinishSearch) is AGAIN
    assert harness.blackboard.decision.result.message == "100.0 % of the area could not be seen"


# -------------------------------------------------------------------------------- close look


def test_candidates_are_evaluated_without_ever_having_the_gimbal():
    harness = BehaviourHarness()
    harness.add_person(side_px=200.0)
    evaluate_candidates(harness.blackboard)
    assert harness.blackboard.decision.leaf == ""
    (request,) = harness.blackboard.decision.inspect
    assert request.frame_ns == harness.mission.frame_ns
    (candidate,) = harness.search.candidates.all
    candidate.add_inspection(said(request.request_id, 0.97))
    for _ in range(6):
        harness.add_person(side_px=200.0)
        evaluate_candidates(harness.blackboard)
        if not len(harness.search.candidates):
            break
        for request in harness.blackboard.decision.inspect:
            candidate.add_inspection(said(request.request_id, 0.97))
    assert [f.state.name for f in harness.blackboard.decision.findings] == ["CONFIRMED"]


def said(request_id: int, share: float) -> InspectionResult:
    return InspectionResult(request_id, 1, "", "net", ("person", "scarecrow"), (share, 1.0 - share))


def test_choose_view_waits_for_the_end_of_the_sweep_or_for_too_long_a_wait():
    harness = BehaviourHarness()
    assert harness.tick(close_look.ChooseView) is SUCCESS
    harness.add_person()
    assert harness.tick(close_look.ChooseView) is SUCCESS
    assert harness.search.visit is None
    harness.search.is_swept = True
    assert harness.tick(close_look.ChooseView) is SUCCESS
    assert harness.search.visit.view.zoom > 1.0
    other = BehaviourHarness()
    other.add_person()
    other.blackboard.now_ns += 3600 * S
    assert other.tick(close_look.ChooseView) is SUCCESS
    assert other.search.visit is not None


def test_approach_turns_and_zooms_at_once_and_notes_the_arrival():
    harness = BehaviourHarness()
    harness.add_person()
    harness.search.is_swept = True
    harness.add_inputs(yaw=1.0)
    harness.tick(close_look.ChooseView)
    assert harness.tick(close_look.ApproachView) is RUNNING
    assert harness.blackboard.decision.rate.yaw_rad_s < 0.0
    assert harness.blackboard.decision.zoom == harness.search.visit.view.zoom
    view = harness.search.visit.view
    harness.add_inputs(view.yaw_rad, view.pitch_rad, view.zoom)
    assert harness.tick(close_look.ApproachView) is SUCCESS
    assert harness.search.visit.arrived_ns == harness.blackboard.now_ns


@pytest.mark.parametrize(
    ("behaviour", "tier"), [(close_look.WatchCandidates, 1), (close_look.AwaitClassifier, 2)]
)
def test_tiers_have_the_gimbal_while_candidates_in_view_want_them(behaviour, tier):
    harness = BehaviourHarness()
    harness.add_person()
    harness.search.is_swept = True
    harness.tick(close_look.ChooseView)
    assert harness.tick(behaviour) is RUNNING
    assert harness.blackboard.decision.tier == tier
    (candidate,) = harness.search.candidates.all
    for state in (CandidateState.CLASSIFYING, CandidateState.DECIDED)[:tier]:
        candidate.state = state
    assert harness.tick(behaviour) is (SUCCESS if tier == 1 else AGAIN)


@pytest.mark.parametrize(("views", "told"), [(1, "after 1 close view"), (3, "after 3 close views")])
def test_what_is_given_up_says_after_how_many_views_and_judges_nothing(views, told):
    harness = BehaviourHarness()
    settings = harness.blackboard.settings
    close = dataclasses.replace(settings.close, max_views=views)
    harness.blackboard.settings = dataclasses.replace(settings, close=close)
    harness.add_person()
    harness.search.is_swept = True
    (candidate,) = harness.search.candidates.all
    candidate.evidence = dataclasses.replace(candidate.evidence, views=views)
    harness.tick(close_look.ChooseView)
    assert candidate.evidence.by_tier[2].reason == f"there is no classifier; {told}"


def unsure(harness: BehaviourHarness):
    harness.add_person()
    (candidate,) = harness.search.candidates.all
    candidate.give_up(harness.blackboard.now_ns, "no more views")
    assert candidate.state is CandidateState.AWAITING_VLM
    return candidate


def with_picture(candidate, picture_id: int = 17) -> None:
    candidate.evidence = dataclasses.replace(candidate.evidence, picture_id=picture_id)


def test_ask_puts_a_question_about_a_picture_and_waits():
    harness = BehaviourHarness()
    assert harness.tick(question.AskVlm) is SUCCESS
    candidate = unsure(harness)
    with_picture(candidate)
    assert harness.tick(question.AskVlm) is RUNNING
    (ask,) = harness.blackboard.decision.ask
    assert (ask.inspection_id, ask.class_name) == (17, "person")
    harness.add_inputs()
    assert harness.tick(question.AskVlm) is RUNNING
    assert harness.blackboard.decision.ask == []
    harness.blackboard.now_ns += 3600 * S
    assert harness.tick(question.AskVlm) is AGAIN
    assert harness.blackboard.decision.cancel_asks == [ask.request_id]
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
    harness = BehaviourHarness()
    candidate = unsure(harness)
    with_picture(candidate, picture)
    harness.blackboard.watchdog.note_input(harness.blackboard.now_ns, gpu)
    assert harness.tick(question.AskVlm) is AGAIN
    assert candidate.evidence.by_tier[3].reason == reason


def test_follow_path_has_nothing_to_do_without_paths():
    assert BehaviourHarness().tick(path.FollowPath) is SUCCESS


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

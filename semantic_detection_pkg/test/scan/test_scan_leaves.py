"""Each leaf of the scan controller's tree alone: when it has the gimbal, and what it wishes."""

import math

import numpy as np
import pytest
from py_trees.common import Status

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.behaviours import close_look as closer
from semantic_detection_pkg.scan.core.behaviours import search, standing, walking
from semantic_detection_pkg.scan.core.blackboard import Scene
from semantic_detection_pkg.scan.core.decision_builder import Wish
from semantic_detection_pkg.scan.core.evidence import TierResult, Verdict
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    InspectionResult,
    Level,
    PointHere,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tree import build_tree
from simulation_pkg.harness.exact_scan import AREA

S = 1_000_000_000
RUNNING, SUCCESS, FAILURE = Status.RUNNING, Status.SUCCESS, Status.FAILURE
PIXELS = (1280, 720)


class Play:
    """A scene with a mission, moved by hand."""

    def __init__(self, has_mission=True, is_planned=True, **goal) -> None:
        self.scene = Scene(ScanSettings())
        self.now_s = 100.0
        self.hear()
        if has_mission:
            asked = {"goal_id": "g", "area": AREA, "words": ("person",), **goal}
            self.scene.mission = Mission(self.scene.now_ns, Goal(**asked), self.scene.settings)
        if has_mission and is_planned:
            self.scene.mission.vocabulary = ("person",)
            assert search.Prepare("prepare", self.scene).update() is FAILURE

    def hear(self, yaw=0.0, pitch=0.3, zoom=1.0, link="up", boxes=()) -> None:
        """A reading and a frame; the boxes hold persons."""
        scene = self.scene
        self.now_s += 0.1
        scene.now_ns = round(self.now_s * S)
        hfov = 2 * math.atan(math.tan(math.radians(31.0)) / zoom)
        reading = GimbalReading(
            scene.now_ns, yaw, pitch, zoom=zoom, zoom_max=6.0, hfov_rad=hfov, link=link
        )
        picture = Detections(
            *PIXELS,
            np.zeros(len(boxes), np.uint16),
            np.full(len(boxes), 0.8, np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
        )
        frame = FrameDetections(scene.now_ns, picture, ("person",), "net")
        scene.picture_size = PIXELS
        scene.losses.hear(scene.now_ns, reading)
        scene.losses.hear(scene.now_ns, frame)
        scene.poses.add(reading)
        if scene.mission is not None:
            scene.mission.observe(frame, scene.poses)
        scene.wish = Wish()

    def see_person(self, side_px=30.0, **pose) -> None:
        """Frames with a person in the middle, until it is a candidate."""
        half = side_px / 2
        box = (640 - half, 360 - half, 640 + half, 360 + half)
        for _ in range(4):
            self.hear(boxes=[box], **pose)

    @property
    def mission(self) -> Mission:
        assert self.scene.mission is not None
        return self.scene.mission

    def do(self, leaf: type) -> Status:
        return leaf("leaf", self.scene).update()


# -------------------------------------------------------------------------------- safe & co


@pytest.mark.parametrize(
    ("has_mission", "link", "silent_s", "status"),
    [
        (True, "up", 0.0, FAILURE),
        (True, "stale", 0.0, RUNNING),
        (True, "up", 5.0, RUNNING),
        (False, "down", 0.0, FAILURE),  # nothing is to be done: nothing is missing
    ],
)
def test_safe(has_mission, link, silent_s, status):
    play = Play(has_mission)
    play.hear(link=link)
    play.scene.now_ns += round(silent_s * S)
    play.scene.turn((1.0, 0.0))
    assert play.do(standing.Safe) is status
    if status is RUNNING:
        assert play.scene.wish.level is Level.SAFE
        assert play.scene.wish.reason
        assert play.scene.wish.rate is None


def test_operator_has_the_gimbal_until_the_hold_is_over():
    play = Play()
    assert play.do(standing.Operator) is FAILURE
    play.scene.operator = (PointHere(0.5, 9.0), play.scene.now_ns + S)
    assert play.do(standing.Operator) is RUNNING
    assert (play.scene.wish.angle.yaw_rad, play.scene.wish.angle.pitch_rad) == (
        0.5,
        pytest.approx(math.pi / 2),
    )
    assert play.scene.wish.reason == "an operator looks here for 1 s more"
    play.scene.now_ns += S
    assert play.do(standing.Operator) is FAILURE
    assert play.scene.operator is None


def test_paused_gives_no_commands():
    play = Play()
    assert play.do(standing.Paused) is FAILURE
    play.scene.is_paused = True
    assert play.do(standing.Paused) is RUNNING
    assert play.scene.wish.rate is None


def test_rest_goes_there_once_and_leaves_the_gimbal_alone():
    assert Play().do(standing.Rest) is FAILURE
    play = Play(has_mission=False)
    assert play.do(standing.Rest) is RUNNING
    assert play.scene.wish.angle is None
    play.scene.resting_since_ns = play.scene.now_ns
    play.hear(yaw=0.5, zoom=3.0)
    assert play.do(standing.Rest) is RUNNING
    assert (play.scene.wish.angle.yaw_rad, play.scene.wish.zoom) == (0.0, 1.0)
    play.hear(yaw=0.0, pitch=0.0, zoom=1.0)
    assert play.do(standing.Rest) is RUNNING
    assert play.scene.wish.reason == "no goal"
    assert not play.scene.resting_since_ns


def test_rest_that_is_not_reached_ends_all_the_same():
    play = Play(has_mission=False)
    play.scene.resting_since_ns = play.scene.now_ns - 60 * S
    play.hear(yaw=1.0)
    play.do(standing.Rest)
    assert play.scene.wish.reason == "no goal; rest was not reached"


# ------------------------------------------------------------------------------------ search


def test_prepare_tells_the_words_again_where_no_answer_comes():
    play = Play(is_planned=False)
    assert play.do(search.Prepare) is RUNNING
    first = play.scene.wish.vocabulary
    assert first.words == ("person",)
    play.hear()
    assert play.do(search.Prepare) is RUNNING
    assert play.scene.wish.vocabulary is None
    play.scene.now_ns += 10 * S
    assert play.do(search.Prepare) is RUNNING
    assert play.scene.wish.vocabulary.request_id > first.request_id


def test_prepare_ends_a_goal_that_the_gimbal_cannot_do():
    play = Play(is_planned=False, zoom=9.0)
    play.mission.vocabulary = ("person",)
    assert play.do(search.Prepare) is SUCCESS
    assert play.scene.mission is None
    assert play.scene.wish.result.outcome == "aborted"
    assert "allowed is 1..6" in play.scene.wish.result.message


def test_sweep_turns_until_all_is_seen():
    play = Play()
    assert play.do(search.Sweep) is RUNNING
    assert play.scene.wish.rate is not None
    play.mission.coverage._looks[:] = 99
    assert play.do(search.Sweep) is SUCCESS
    assert play.mission.is_swept
    assert play.do(search.Sweep) is FAILURE


@pytest.mark.parametrize("is_repeating", [False, True])
def test_finish_ends_or_begins_again(is_repeating):
    play = Play(is_repeating=is_repeating)
    play.mission.is_swept = True
    play.mission.coverage._looks[:] = 99
    if is_repeating:
        assert play.do(search.Finish) is RUNNING
        assert not play.mission.is_swept
        assert play.mission.share_seen == 0.0
    else:
        assert play.do(search.Finish) is SUCCESS
        assert play.scene.wish.result.outcome == "succeeded"


def test_finish_says_what_could_not_be_seen():
    play = Play()
    play.mission.planner._vain_passes = 99
    assert play.do(search.Finish) is SUCCESS
    assert play.scene.wish.result.message == "100.0 % of the area could not be seen"


# ------------------------------------------------------------------------------------ closer


def test_weigh_orders_crops_and_concludes_without_ever_having_the_gimbal():
    play = Play()
    play.see_person(side_px=200.0)
    assert play.do(closer.Weigh) is FAILURE
    (request,) = play.scene.wish.inspect
    assert request.frame_ns == play.mission.frame_ns
    (dossier,) = play.mission.candidates.all
    dossier.take(said(request.request_id, 0.97))
    for _ in range(6):
        play.see_person(side_px=200.0)
        play.do(closer.Weigh)
        if not len(play.mission.candidates):
            break
        for request in play.scene.wish.inspect:
            dossier.take(said(request.request_id, 0.97))
    assert [f.state.name for f in play.scene.wish.findings] == ["CONFIRMED"]


def said(request_id: int, share: float) -> InspectionResult:
    return InspectionResult(request_id, 1, "", "net", ("person", "scarecrow"), (share, 1.0 - share))


def test_choose_view_waits_for_the_end_of_the_sweep_or_for_too_long_a_wait():
    play = Play()
    assert play.do(closer.ChooseView) is FAILURE
    play.see_person()
    assert play.do(closer.ChooseView) is FAILURE
    play.mission.is_swept = True
    assert play.do(closer.ChooseView) is SUCCESS
    assert play.mission.visit.view.zoom > 1.0
    other = Play()
    other.see_person()
    other.scene.now_ns += 3600 * S
    assert other.do(closer.ChooseView) is SUCCESS


def test_approach_turns_and_zooms_at_once_and_notes_the_arrival():
    play = Play()
    play.see_person()
    play.mission.is_swept = True
    play.hear(yaw=1.0)
    play.do(closer.ChooseView)
    assert play.do(closer.Approach) is RUNNING
    assert play.scene.wish.rate.yaw_rad_s < 0.0
    assert play.scene.wish.zoom == play.mission.visit.view.zoom
    view = play.mission.visit.view
    play.hear(view.yaw_rad, view.pitch_rad, view.zoom)
    assert play.do(closer.Approach) is SUCCESS
    assert play.mission.visit.arrived_ns == play.scene.now_ns


@pytest.mark.parametrize(("leaf", "tier"), [(closer.Detector, 1), (closer.Classifier, 2)])
def test_tiers_have_the_gimbal_while_candidates_in_view_want_them(leaf, tier):
    play = Play()
    play.see_person()
    play.mission.is_swept = True
    play.do(closer.ChooseView)
    assert play.do(leaf) is RUNNING
    assert play.scene.wish.tier == 0 or leaf.tier == tier
    (dossier,) = play.mission.candidates.all
    for done in range(1, tier + 1):
        dossier.tiers[done] = TierResult(done, Verdict.YES, 1.0, "")
    assert play.do(leaf) is SUCCESS


def unsure(play: Play):
    play.see_person()
    (dossier,) = play.mission.candidates.all
    dossier.tiers[1] = TierResult(1, Verdict.YES, 1.0, "")
    dossier.tiers[2] = TierResult(2, Verdict.UNSURE, 0.5, "")
    return dossier


def test_ask_puts_a_question_about_a_picture_and_waits():
    play = Play()
    assert play.do(closer.Ask) is FAILURE
    dossier = unsure(play)
    dossier.picture = 17
    assert play.do(closer.Ask) is RUNNING
    (ask,) = play.scene.wish.ask
    assert (ask.inspection_id, ask.class_name) == (17, "person")
    play.hear()
    assert play.do(closer.Ask) is RUNNING
    assert play.scene.wish.ask == []
    play.scene.now_ns += 3600 * S
    assert play.do(closer.Ask) is SUCCESS
    assert play.scene.wish.cancel_asks == [ask.request_id]
    assert dossier.tiers[3].verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("picture", "gpu", "reason"),
    [
        (0, GpuStatus(False, False), "there is no picture to ask about"),
        (17, GpuStatus(False, True, "no lock"), "the model is off: no lock"),
    ],
)
def test_ask_skips_what_cannot_be_asked_and_says_why(picture, gpu, reason):
    play = Play()
    dossier = unsure(play)
    dossier.picture = picture
    play.scene.losses.hear(play.scene.now_ns, gpu)
    assert play.do(closer.Ask) is SUCCESS
    assert dossier.tiers[3].reason == reason


def test_follow_path_has_nothing_to_do_without_paths():
    assert Play().do(walking.FollowPath) is FAILURE


# -------------------------------------------------------------------------------------- tree


def test_every_leaf_of_the_tree_is_tested_here():
    def leaves(node):
        return (
            [node] if not node.children else [x for child in node.children for x in leaves(child)]
        )

    kinds = {type(leaf).__name__ for leaf in leaves(build_tree(Scene(ScanSettings())))}
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert {kind for kind in kinds if f".{kind}" not in text} == set()

"""A candidate's states: the table itself, and the ways through it."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import FindingState, TrackState, Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import TrackedFrame
from semantic_detection_pkg.scan.core.candidate_states import (
    ALLOWED,
    TRANSITIONS,
    CandidateAction,
    CandidateCause,
    CandidateState,
)
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs_and_decisions import InspectionResult
from semantic_detection_pkg.scan.core.settings import CloseSettings, ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track

S = 1_000_000_000
WIDTH, HEIGHT = 1280, 720
VIEW = CameraView(0.0, 0.0, 0.0, math.radians(10.0), WIDTH, HEIGHT)
FINAL = {CandidateState.CONFIRMED, CandidateState.REJECTED, CandidateState.UNCERTAIN}


def track(yaw_rad=0.0, side_px=300.0, track_id=1, **changes) -> Track:
    """A person in the picture's middle, or where its yaw says."""
    side_rad = side_px / VIEW.pixels_per_rad
    x, y = VIEW.project([(yaw_rad, 0.0)])[0]
    fields = {
        "id": track_id,
        "state": TrackState.CONFIRMED,
        "class_name": "person",
        "score": 0.8,
        "score_mean": 0.8,
        "yaw_rad": yaw_rad,
        "pitch_rad": 0.0,
        "covariance": (1e-6, 0.0, 1e-6),
        "yaw_rate_rad_s": 0.0,
        "pitch_rate_rad_s": 0.0,
        "width_rad": side_rad,
        "height_rad": side_rad,
        "is_whole": True,
        "is_seen": True,
        "hits": 3,
        "first_seen_ns": 1,
        "last_seen_ns": 2,
        "box_xyxy": (x - side_px / 2, y - side_px / 2, x + side_px / 2, y + side_px / 2),
        "detection": 0,
        "history": (),
    }
    return Track(**{**fields, **changes})


class Life:
    """A candidate that is shown frames and results one by one."""

    def __init__(self, settings: ScanSettings | None = None) -> None:
        self.now_ns = S
        self.requests = 0
        self.candidate = Candidate(self.now_ns, track(), "person", settings or ScanSettings())

    @property
    def state(self) -> CandidateState:
        return self.candidate.state

    def show(self, *tracks: Track, frames=2, blur_px=0.0) -> None:
        """Frames that show these tracks; none: it is not there."""
        for _ in range(frames):
            self.now_ns += S // 10
            boxes = np.array([one.box_xyxy for one in tracks], np.float32).reshape(-1, 4)
            picture = Detections(
                WIDTH,
                HEIGHT,
                np.zeros(len(tracks), np.uint16),
                np.full(len(tracks), 0.8, np.float32),
                boxes,
            )
            by_id = {one.id: one for one in tracks}
            frame = TrackedFrame(self.now_ns, VIEW, blur_px, by_id, False, picture)
            self.candidate.add_frame(frame, "net")
            self.candidate.evaluate(self.now_ns)

    def classify(self, share: float, side_px=300.0, error="") -> None:
        """A frame, the crop of it that is ordered, and the classifier's answer."""
        self.show(track(side_px=side_px), frames=1)
        request = self.candidate.order_crop(self.now_ns, self.next_id)
        assert request is not None
        labels = ("person", "scarecrow") if not error else ()
        result = InspectionResult(
            request.request_id, 1, error, "net", labels, (share, 1.0 - share)[: len(labels)]
        )
        self.candidate.add_inspection(result)
        self.candidate.evaluate(self.now_ns)

    def answer_newest(self, what: str) -> None:
        """The classifier's answer about the newest sighting, where there is one to inspect."""
        request = self.candidate.order_crop(self.now_ns, self.next_id)
        if request is None or what == "silent":
            self.now_ns += 2 * S
            return
        share = {"sure": 0.97, "vague": 0.5}.get(what, 0.0)
        labels = () if what == "failed" else ("person", "scarecrow")
        shares = (share, 1.0 - share)[: len(labels)]
        error = "no crop" if what == "failed" else ""
        result = InspectionResult(request.request_id, 1, error, "net", labels, shares)
        self.candidate.add_inspection(result)
        self.candidate.evaluate(self.now_ns)

    def next_id(self) -> int:
        self.requests += 1
        return self.requests


# ------------------------------------------------------------------------------------- table


def test_every_state_is_reached_and_only_verdicts_are_final():
    states = set(CandidateState)
    assert {state for state, _ in TRANSITIONS} == states - FINAL
    assert set(TRANSITIONS.values()) == states
    assert {cause for _, cause in TRANSITIONS} == set(CandidateCause)
    reached = {CandidateState.DETECTING}
    for _ in states:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == states


def test_every_state_says_what_may_be_done_in_it():
    assert set(ALLOWED) == set(CandidateState)
    assert set().union(*ALLOWED.values()) == set(CandidateAction)
    for state in FINAL:
        assert not ALLOWED[state]


def test_a_cause_that_the_state_does_not_know_is_a_fault_of_the_program():
    life = Life()
    with pytest.raises(KeyError):
        life.candidate.begin_question()


# -------------------------------------------------------------------------------------- ways


def test_seen_and_classified_it_is_confirmed():
    life = Life()
    assert life.state is CandidateState.DETECTING
    life.show(track())
    assert life.state is CandidateState.CLASSIFYING
    life.classify(0.97)
    life.classify(0.97)
    assert life.state is CandidateState.DECIDED
    assert life.candidate.conclude()[0] is FindingState.CONFIRMED
    assert life.state is CandidateState.CONFIRMED


def test_unsure_at_one_size_it_gets_larger_crops_once_and_then_the_vlm():
    life = Life()
    life.show(track())
    before_px = life.candidate.needs_px
    life.classify(0.5)
    life.classify(0.5)
    assert life.state is CandidateState.REFINING
    assert life.candidate.needs_px > before_px
    assert life.candidate.evidence.inspections == ()
    life.classify(0.5)
    life.classify(0.5)
    assert life.state is CandidateState.AWAITING_VLM
    life.candidate.begin_question()
    assert life.state is CandidateState.ASKING_VLM
    life.candidate.add_answer(VlmReply(1, Verdict.NO))
    assert life.candidate.conclude()[0] is FindingState.REJECTED
    assert life.state is CandidateState.REJECTED


def test_gone_it_is_looked_for_once_in_a_wider_view_and_rejected():
    life = Life()
    near_px = life.candidate.needs_px
    life.show()
    assert life.state is CandidateState.SEARCHING
    assert life.candidate.needs_px < near_px
    life.show()
    assert life.state is CandidateState.DECIDED
    assert life.candidate.conclude()[0] is FindingState.REJECTED


def test_found_again_beside_its_place_it_is_followed_there():
    life = Life()
    beside = track(yaw_rad=math.radians(3.0), track_id=2)
    life.show(beside)
    assert life.state is CandidateState.SEARCHING  # too far to be it, without a search
    life.show(beside, frames=1)
    assert life.state is CandidateState.DETECTING
    assert life.candidate.track.id == 2
    life.show(beside, frames=1)
    assert life.state is CandidateState.CLASSIFYING


def test_found_again_it_is_not_looked_for_a_second_time():
    life = Life()
    life.show()
    life.show(track(), frames=1)
    assert life.state is CandidateState.DETECTING
    life.show(frames=3)
    assert life.state is CandidateState.DECIDED


def test_without_a_wider_view_it_is_rejected_at_once():
    life = Life(ScanSettings(close=CloseSettings(refind_zoom=0.0)))
    life.show()
    assert life.state is CandidateState.DECIDED


def test_a_thing_that_vanishes_while_it_is_classified_is_looked_for_too():
    life = Life()
    life.show(track())
    life.show(frames=4)
    assert life.state is CandidateState.SEARCHING


@pytest.mark.parametrize("vlm", ["unsure", "never"])
def test_given_up_it_is_open_or_for_the_vlm(vlm):
    settings = ScanSettings()
    tiers = dataclasses.replace(settings.tiers, vlm_policy=vlm)
    settings = dataclasses.replace(settings, tiers=tiers)
    life = Life(settings)
    life.candidate.give_up(life.now_ns, "not decided in 3 views")
    if vlm == "unsure":
        assert life.state is CandidateState.AWAITING_VLM
        life.candidate.skip_vlm("the model is off")
    assert life.state is CandidateState.DECIDED
    assert life.candidate.conclude()[0] is FindingState.UNCERTAIN
    assert life.state is CandidateState.UNCERTAIN


@pytest.mark.parametrize(
    ("shown", "blur_px"),
    [
        ((track(side_px=300.0),), 9.0),  # smeared
        ((track(side_px=40.0),), 0.0),  # too small
        ((track(is_whole=False),), 0.0),  # cut off
    ],
)
def test_frames_that_show_it_badly_do_not_count(shown, blur_px):
    life = Life()
    life.show(*shown, frames=5, blur_px=blur_px)
    assert life.state is CandidateState.DETECTING
    assert life.candidate.evidence.frames_ns == ()


def test_a_classifier_that_fails_leaves_it_to_the_vlm():
    life = Life()
    life.show(track())
    for _ in range(4):
        life.classify(0.0, error="no crop")
    assert life.state is CandidateState.AWAITING_VLM


def test_a_request_without_an_answer_makes_room_for_the_next():
    life = Life()
    life.show(track())
    first = life.candidate.order_crop(life.now_ns, life.next_id)
    life.show(track(), frames=1)
    assert life.candidate.order_crop(life.now_ns, life.next_id) is None
    life.now_ns += 60 * S
    second = life.candidate.order_crop(life.now_ns, life.next_id)
    assert second.request_id > first.request_id
    assert [one.error for one in life.candidate.evidence.inspections] == [
        "the classifier did not answer"
    ]


STEPS = ("seen", "missed", "beside", "smeared", "sure", "vague", "failed", "silent", "last view")


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_comes_in_whatever_order_leads_on_through_the_table(steps):
    life = Life()
    for step in steps:
        if not life.candidate.may(CandidateAction.OBSERVE):
            break
        if step == "last view":
            life.candidate.give_up(life.now_ns, "no more views")
        elif step in ("seen", "missed", "beside", "smeared"):
            shown = {"missed": (), "beside": (track(yaw_rad=math.radians(3.0), track_id=2),)}
            life.show(*shown.get(step, (track(),)), frames=1, blur_px=9.0 * (step == "smeared"))
        else:
            life.answer_newest(step)
    assert life.candidate.evidence.searches <= 1
    assert life.candidate.evidence.refinements <= 1
    if not life.candidate.may(CandidateAction.OBSERVE):
        assert {1, 2} <= set(life.candidate.evidence.by_tier)
        if life.candidate.may(CandidateAction.ASK):
            life.candidate.skip_vlm("off")
        life.candidate.conclude()
        assert life.state in FINAL

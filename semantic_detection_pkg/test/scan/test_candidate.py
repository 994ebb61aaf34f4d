"""A candidate's states: the table itself, and the ways through it."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import FindingState, TrackState, Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.association import is_within_gate
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import TrackedFrame
from semantic_detection_pkg.scan.core.candidate_list import CandidateList
from semantic_detection_pkg.scan.core.candidate_states import (
    ALLOWED,
    TRANSITIONS,
    CandidateAction,
    CandidateCause,
    CandidateState,
)
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.settings import CloseSettings, ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track, TrackPoint

S = 1_000_000_000
WIDTH, HEIGHT = 1280, 720
VIEW = CameraView(0.0, 0.0, 0.0, math.radians(10.0), WIDTH, HEIGHT)
FINAL = {CandidateState.CONFIRMED, CandidateState.REJECTED, CandidateState.UNCERTAIN}


def track(yaw_rad=0.0, side_px=300.0, track_id=1, **changes) -> Track:
    """Return a track of a person in the centre of the picture, or at a yaw."""
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


class CandidateHarness:
    """Feeds one candidate with frames and results, one by one."""

    def __init__(self, settings: ScanSettings | None = None) -> None:
        self.now_ns = S
        self.requests = 0
        self.candidate = Candidate(self.now_ns, track(), "person", settings or ScanSettings())

    @property
    def state(self) -> CandidateState:
        return self.candidate.state

    def show(self, *tracks: Track, frames=2, blur_px=0.0) -> None:
        """Add frames that show these tracks; none: the candidate is not there."""
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
        """Add a frame, and the classifier's answer about the crop that is ordered of it."""
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
        """Add the classifier's answer about the newest sighting, if there is one to inspect."""
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
    harness = CandidateHarness()
    with pytest.raises(KeyError):
        harness.candidate.begin_question()


# -------------------------------------------------------------------------------------- ways


def test_seen_and_classified_it_is_confirmed():
    harness = CandidateHarness()
    assert harness.state is CandidateState.DETECTING
    harness.show(track())
    assert harness.state is CandidateState.CLASSIFYING
    harness.classify(0.97)
    harness.classify(0.97)
    assert harness.state is CandidateState.DECIDED
    assert harness.candidate.conclude()[0] is FindingState.CONFIRMED
    assert harness.state is CandidateState.CONFIRMED


def test_unsure_at_one_size_it_gets_larger_crops_once_and_then_the_vlm():
    harness = CandidateHarness()
    harness.show(track())
    before_px = harness.candidate.needs_px
    harness.classify(0.5)
    harness.classify(0.5)
    assert harness.state is CandidateState.REFINING
    assert harness.candidate.needs_px > before_px
    assert harness.candidate.evidence.inspections == ()
    harness.classify(0.5)
    harness.classify(0.5)
    assert harness.state is CandidateState.AWAITING_VLM
    harness.candidate.begin_question()
    assert harness.state is CandidateState.ASKING_VLM
    harness.candidate.add_answer(VlmReply(1, Verdict.NO))
    assert harness.candidate.conclude()[0] is FindingState.REJECTED
    assert harness.state is CandidateState.REJECTED


def test_gone_it_is_looked_for_once_in_a_wider_view_and_rejected():
    harness = CandidateHarness()
    near_px = harness.candidate.needs_px
    harness.show()
    assert harness.state is CandidateState.SEARCHING
    assert harness.candidate.needs_px < near_px
    harness.show()
    assert harness.state is CandidateState.DECIDED
    assert harness.candidate.conclude()[0] is FindingState.REJECTED


def test_found_again_beside_its_place_it_is_followed_there():
    harness = CandidateHarness()
    beside = track(yaw_rad=math.radians(3.0), track_id=2)
    harness.show(beside)
    assert harness.state is CandidateState.SEARCHING  # too far to be it, without a search
    harness.show(beside, frames=1)
    assert harness.state is CandidateState.DETECTING
    assert harness.candidate.track.id == 2
    harness.show(beside, frames=1)
    assert harness.state is CandidateState.CLASSIFYING


def test_found_again_it_is_not_looked_for_a_second_time():
    harness = CandidateHarness()
    harness.show()
    harness.show(track(), frames=1)
    assert harness.state is CandidateState.DETECTING
    harness.show(frames=3)
    assert harness.state is CandidateState.DECIDED


def test_without_a_wider_view_it_is_rejected_at_once():
    harness = CandidateHarness(ScanSettings(close=CloseSettings(refind_zoom=0.0)))
    harness.show()
    assert harness.state is CandidateState.DECIDED


def test_a_thing_that_vanishes_while_it_is_classified_is_looked_for_too():
    harness = CandidateHarness()
    harness.show(track())
    harness.show(frames=4)
    assert harness.state is CandidateState.SEARCHING


@pytest.mark.parametrize("vlm", ["unsure", "never"])
def test_given_up_it_is_open_or_for_the_vlm(vlm):
    settings = ScanSettings()
    tiers = dataclasses.replace(settings.tiers, vlm_policy=vlm)
    settings = dataclasses.replace(settings, tiers=tiers)
    harness = CandidateHarness(settings)
    harness.candidate.give_up(harness.now_ns, "after 3 close views")
    if vlm == "unsure":
        assert harness.state is CandidateState.AWAITING_VLM
        harness.candidate.skip_vlm("the model is off")
    assert harness.state is CandidateState.DECIDED
    assert harness.candidate.conclude()[0] is FindingState.UNCERTAIN
    assert harness.state is CandidateState.UNCERTAIN


@pytest.mark.parametrize(
    ("shown", "blur_px"),
    [
        ((track(side_px=300.0),), 9.0),  # smeared
        ((track(side_px=40.0),), 0.0),  # too small
        ((track(is_whole=False),), 0.0),  # cut off
    ],
)
def test_frames_that_show_it_badly_do_not_count(shown, blur_px):
    harness = CandidateHarness()
    harness.show(*shown, frames=5, blur_px=blur_px)
    assert harness.state is CandidateState.DETECTING
    assert harness.candidate.evidence.frames_ns == ()


def test_a_classifier_that_fails_leaves_it_to_the_vlm():
    harness = CandidateHarness()
    harness.show(track())
    for _ in range(4):
        harness.classify(0.0, error="no crop")
    assert harness.state is CandidateState.AWAITING_VLM


def test_a_request_without_an_answer_makes_room_for_the_next():
    harness = CandidateHarness()
    harness.show(track())
    first = harness.candidate.order_crop(harness.now_ns, harness.next_id)
    harness.show(track(), frames=1)
    assert harness.candidate.order_crop(harness.now_ns, harness.next_id) is None
    harness.now_ns += 60 * S
    second = harness.candidate.order_crop(harness.now_ns, harness.next_id)
    assert second.request_id > first.request_id
    assert [one.error for one in harness.candidate.evidence.inspections] == [
        "the classifier did not answer"
    ]


STEPS = ("seen", "missed", "beside", "smeared", "sure", "vague", "failed", "silent", "last view")


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_comes_in_whatever_order_leads_on_through_the_table(steps):
    harness = CandidateHarness()
    for step in steps:
        if not harness.candidate.may(CandidateAction.OBSERVE):
            break
        if step == "last view":
            harness.candidate.give_up(harness.now_ns, "no more views")
        elif step in ("seen", "missed", "beside", "smeared"):
            shown = {"missed": (), "beside": (track(yaw_rad=math.radians(3.0), track_id=2),)}
            harness.show(*shown.get(step, (track(),)), frames=1, blur_px=9.0 * (step == "smeared"))
        else:
            harness.answer_newest(step)
    assert harness.candidate.evidence.searches <= 1
    assert harness.candidate.evidence.refinements <= 1
    if not harness.candidate.may(CandidateAction.OBSERVE):
        assert {1, 2} <= set(harness.candidate.evidence.by_tier)
        if harness.candidate.may(CandidateAction.ASK):
            harness.candidate.skip_vlm("off")
        harness.candidate.conclude()
        assert harness.state in FINAL


def test_a_finding_is_where_its_thing_was_seen_and_not_where_it_may_have_drifted():
    seen = track(0.1, history=(TrackPoint(1, 0.05, 0.4), TrackPoint(2, 0.1, 0.4)))
    drifted = dataclasses.replace(seen, yaw_rad=0.9, is_seen=False)

    def place(one: Track, **changes) -> float:
        candidates = dataclasses.replace(ScanSettings().candidates, **changes)
        settings = dataclasses.replace(ScanSettings(), candidates=candidates)
        return Candidate(0, one, "person", settings).track_as_seen.yaw_rad

    assert place(seen) == 0.1
    assert place(drifted) == 0.1
    assert place(dataclasses.replace(drifted, history=())) == 0.9
    assert place(drifted, findings_as_seen=False) == 0.9  # as recordings of before have it


def test_what_stood_beside_a_known_one_when_that_was_seen_is_something_else():
    settings = ScanSettings().candidates
    known = track(first_seen_ns=S, last_seen_ns=10 * S, side_px=20.0)
    beside = {"yaw_rad": math.radians(1.5), "side_px": 20.0, "last_seen_ns": 20 * S}
    later = track(first_seen_ns=11 * S, **beside)
    there_before = track(first_seen_ns=5 * S, **beside)
    of_before = dataclasses.replace(settings, known_by_sight=False)

    assert is_within_gate(settings, known, later)  # it may have walked there
    assert not is_within_gate(settings, known, there_before)
    assert is_within_gate(of_before, known, there_before)
    assert is_within_gate(settings, known, track(first_seen_ns=5 * S, side_px=20.0))  # a double


def decided_then_predicted_away(settings: ScanSettings) -> CandidateList:
    """Return candidates after one was decided, drifted away unseen, and came up again."""
    candidates = CandidateList(settings, {"person": "person"})

    def show(now_s: int, *tracks: Track) -> tuple[Track, ...]:
        picture = Detections.none(WIDTH, HEIGHT)
        by_id = {one.id: one for one in tracks}
        frame = TrackedFrame(now_s * S, VIEW, 0.0, by_id, False, picture)
        return candidates.add_frame(now_s * S, frame, "net")

    seen = track(side_px=20.0, first_seen_ns=S, last_seen_ns=2 * S)
    show(2, seen)
    candidates.retire(2 * S, candidates.all[0])
    away = {"yaw_rad": math.radians(4.0), "is_seen": False, "detection": -1}
    show(3, dataclasses.replace(seen, **away))
    show(4, track(side_px=20.0, track_id=2, first_seen_ns=4 * S, last_seen_ns=4 * S))
    return candidates


def test_what_was_decided_rests_where_it_was_seen():
    of_before = ScanSettings()
    of_before = dataclasses.replace(
        of_before, candidates=dataclasses.replace(of_before.candidates, known_by_sight=False)
    )

    assert len(decided_then_predicted_away(ScanSettings())) == 0
    assert len(decided_then_predicted_away(of_before)) == 1


@pytest.mark.parametrize(
    ("tile", "misses"),
    [
        (Look(440, 160, 840, 560, 1.6), 2),  # shows where it would be
        (Look(0, 0, 400, 400, 1.6), 0),  # shows another place; the whole picture is too coarse
        (Look(0, 0, 200, 200, 3.2), 2),  # too small for it, which is large enough for the whole
        (None, 2),  # nobody looks at tiles
    ],
)
def test_a_frame_speaks_against_a_candidate_only_where_a_tile_showed_it(tile, misses):
    harness = CandidateHarness()
    whole = Look(0, 0, WIDTH, HEIGHT, 0.5)
    for _ in range(2):
        harness.now_ns += S // 10
        looks = (whole,) if tile is None else (whole, tile)
        nothing = Detections.none(WIDTH, HEIGHT)
        frame = TrackedFrame(harness.now_ns, VIEW, 0.0, {}, False, nothing, looks)
        harness.candidate.add_frame(frame, "net")

    assert harness.candidate.evidence.presence.misses == misses

"""What is proposed without a word as a candidate: when it is one, how many, what is asked of it."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from ros_support_pkg.core.words import TrackState, Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import FrameError
from semantic_detection_pkg.scan.core.candidate_evidence import TrackedFrame
from semantic_detection_pkg.scan.core.candidate_list import CandidateList
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction, CandidateState
from semantic_detection_pkg.scan.core.from_messages import from_detections
from semantic_detection_pkg.scan.core.inputs import FrameDetections
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track

S = 1_000_000_000
WIDTH, HEIGHT = 1280, 720
VIEW = CameraView(0.0, 0.0, 0.0, math.radians(10.0), WIDTH, HEIGHT)
PROPOSED = frozenset({"anomaly", "yellow"})


def track(track_id: int, class_name: str, yaw_deg: float = 0.0, **changes) -> Track:
    side_rad = 200.0 / VIEW.pixels_per_rad
    x, y = VIEW.project([(math.radians(yaw_deg), 0.0)])[0]
    made = Track(
        id=track_id,
        state=TrackState.CONFIRMED,
        class_name=class_name,
        score=0.8,
        score_mean=0.8,
        yaw_rad=math.radians(yaw_deg),
        pitch_rad=0.0,
        covariance=(1e-6, 0.0, 1e-6),
        yaw_rate_rad_s=0.0,
        pitch_rate_rad_s=0.0,
        width_rad=side_rad,
        height_rad=side_rad,
        is_whole=True,
        is_seen=True,
        hits=3,
        first_seen_ns=1,
        last_seen_ns=2,
        box_xyxy=(x - 100.0, y - 100.0, x + 100.0, y + 100.0),
        detection=0,
        history=(),
    )
    return dataclasses.replace(made, **changes)


def shown(candidates: CandidateList, now_ns: int, *tracks: Track, proposed=PROPOSED):
    """Show a frame with these tracks; return the classes of the new candidates."""
    boxes = np.array([one.box_xyxy for one in tracks], np.float32).reshape(-1, 4)
    count = len(tracks)
    found = Detections(WIDTH, HEIGHT, np.zeros(count), np.full(count, 0.8), boxes)
    frame = TrackedFrame(
        now_ns, VIEW, 0.0, {one.id: one for one in tracks}, False, found, proposed=proposed
    )
    return [one.class_name for one in candidates.add_frame(now_ns, frame, "net")]


def searched(**changed) -> CandidateList:
    settings = ScanSettings()
    limits = dataclasses.replace(settings.candidates, **changed)
    return CandidateList(
        dataclasses.replace(settings, candidates=limits), {"person": "human being"}
    )


def decided(candidates: CandidateList, state: CandidateState, now_ns: int) -> None:
    one = candidates.all[0]
    one.state = state
    candidates.retire(now_ns, one)


def test_a_proposal_is_a_candidate_though_no_word_of_the_goal_names_it():
    candidates = searched()

    assert shown(candidates, S, track(1, "anomaly"), track(2, "yellow", 3.0)) == [
        "anomaly",
        "yellow",
    ]
    assert [one.label for one in candidates.all] == ["anomaly", "yellow"]


def test_a_class_that_nobody_proposed_is_none():
    assert shown(searched(), S, track(1, "anomaly"), proposed=frozenset()) == []
    assert shown(searched(), S, track(1, "tent")) == []


def test_where_a_word_has_its_candidate_a_proposal_is_no_second_one():
    candidates = searched()
    person, anomaly = track(1, "person"), track(2, "anomaly", 0.2)

    assert shown(candidates, S, person) == ["person"]
    assert shown(candidates, 2 * S, person, anomaly) == []
    assert shown(candidates, 3 * S, person, anomaly, track(3, "anomaly", 4.0)) == ["anomaly"]


@pytest.mark.parametrize("state", [CandidateState.CONFIRMED, CandidateState.UNCERTAIN])
def test_what_is_a_person_is_not_proposed_afterwards(state):
    candidates = searched()
    shown(candidates, S, track(1, "person"))
    decided(candidates, state, 2 * S)

    assert shown(candidates, 3 * S, track(2, "anomaly")) == []


def test_what_is_no_person_may_still_be_something():
    candidates = searched()
    shown(candidates, S, track(1, "person"))
    decided(candidates, CandidateState.REJECTED, 2 * S)

    assert shown(candidates, 3 * S, track(2, "anomaly")) == ["anomaly"]


def test_a_proposal_that_was_decided_rests_like_others():
    candidates = searched()
    shown(candidates, S, track(1, "anomaly"))
    decided(candidates, CandidateState.REJECTED, 2 * S)

    assert shown(candidates, 3 * S, track(2, "anomaly")) == []
    assert shown(candidates, 4 * S, track(3, "person")) == ["person"]  # a word comes first


def test_a_person_that_is_confirmed_ends_the_proposal_of_the_same_place():
    candidates = searched()
    shown(candidates, S, track(1, "anomaly"), track(2, "yellow", 4.0))
    anomaly, yellow = candidates.all
    shown(candidates, 2 * S, track(1, "anomaly"), track(2, "yellow", 4.0), track(3, "person"))
    person = candidates.all[-1]
    person.state = CandidateState.CONFIRMED

    candidates.retire(3 * S, person)

    assert candidates.all == (yellow,)
    assert anomaly not in candidates.all


def test_no_more_proposals_are_open_than_allowed_and_words_are_not_counted():
    candidates = searched(max_open_proposals=2)
    many = [track(1 + index, "anomaly", 1.5 * index - 3.0) for index in range(4)]
    people = [track(11 + index, "person", 1.5 * index - 3.75) for index in range(3)]

    assert shown(candidates, S, *many).count("anomaly") == 2
    assert shown(candidates, 2 * S, *many, *people).count("person") == 3
    assert shown(candidates, 3 * S, *many) == []
    decided(candidates, CandidateState.REJECTED, 4 * S)
    assert shown(candidates, 5 * S, *many) == ["anomaly"]


def test_it_goes_through_the_tiers_and_is_asked_about_as_it_has_no_class_of_a_classifier():
    candidates = searched()
    thing = track(1, "anomaly")
    shown(candidates, S, thing)
    candidate = candidates.all[0]
    for step in range(2, 60):
        now_ns = step * S // 10 + S
        shown(candidates, now_ns, thing)
        request = candidate.order_crop(now_ns, lambda: 7)
        if request is not None:
            candidate.add_inspection(
                SimpleNamespace(
                    request_id=request.request_id,
                    frame_ns=request.frame_ns,
                    error="",
                    model="net",
                    labels=("person", "scarecrow"),
                    probabilities=(0.7, 0.3),
                    has_crop=True,
                )
            )
        candidate.evaluate(now_ns)
        if candidate.may(CandidateAction.ASK):
            break

    assert candidate.may(CandidateAction.ASK)
    assert candidate.evidence.by_tier[1].verdict is Verdict.YES


def message(**changes):
    fields = {
        "header": SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0)),
        "image_width": 64,
        "image_height": 48,
        "model": "net",
        "vocabulary": ["person", "yellow", "anomaly"],
        "class_ids": [2],
        "scores": [0.5],
        "boxes_xyxy": [1.0, 2.0, 3.0, 4.0],
        "ring_counts": [0],
        "ring_sizes": [],
        "points_xy": [],
        "looks_xyxy": [],
        "look_gains": [],
        "pose": None,
    }
    return SimpleNamespace(**{**fields, **changes})


def test_a_message_tells_words_from_proposals():
    frame = from_detections(message(proposed_classes=2, proposer="{}"))

    assert frame.words == ("person",)
    assert frame.proposed_names == {"yellow", "anomaly"}
    assert frame.proposer == "{}"


def test_recordings_of_before_have_words_only():
    frame = from_detections(message())

    assert frame.words == ("person", "yellow", "anomaly")
    assert frame.proposed_names == frozenset()
    assert FrameDetections(1, Detections.none(4, 4), ()).words == ()


def test_more_proposals_than_classes_are_refused_in_one_line():
    with pytest.raises(FrameError, match="4 classes of the vocabulary are said to be proposed"):
        from_detections(message(proposed_classes=4))

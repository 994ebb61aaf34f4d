"""The parts of the scan controller: evidence, verdicts, poses, losses, goals, journal texts."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import FindingState, Level, TrackState, Verdict
from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.labels import NO_WORD
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.core.serialization import canonical, from_plain, to_plain
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.association import is_same_object
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.evidence import TierResult, VlmReply
from semantic_detection_pkg.scan.core.findings import Conclusion, FindingList, position_of
from semantic_detection_pkg.scan.core.goals import gimbal_limits, parse_words
from semantic_detection_pkg.scan.core.input_watchdog import InputWatchdog
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    BaseAttitude,
    CameraBeat,
    Decision,
    Fix,
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    InspectionResult,
    RateCommand,
    ScanStatus,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.journal import (
    _RENAMED_BEHAVIOURS,
    RecordedStep,
    with_present_words,
)
from semantic_detection_pkg.scan.core.mask_descriptors import describe_mask
from semantic_detection_pkg.scan.core.settings import (
    CandidateSettings,
    GimbalSettings,
    InputTimeouts,
    ScanSettings,
    TierSettings,
)
from semantic_detection_pkg.scan.core.sprt import Sprt
from semantic_detection_pkg.scan.core.tiers import (
    classifier_result,
    combine_tiers,
    needs_vlm,
    pool_probabilities,
    vlm_result,
)
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tree import build_tree

S = 1_000_000_000
TIERS = TierSettings(classifier_accept_threshold=0.75, classifier_reject_threshold=0.25)


def track(yaw_rad=0.1, pitch_rad=0.2, name="person", size_rad=0.02, track_id=1) -> Track:
    return Track(
        id=track_id,
        state=TrackState.CONFIRMED,
        class_name=name,
        score=0.8,
        score_mean=0.8,
        yaw_rad=yaw_rad,
        pitch_rad=pitch_rad,
        covariance=(1e-6, 0.0, 1e-6),
        yaw_rate_rad_s=0.0,
        pitch_rate_rad_s=0.0,
        width_rad=size_rad,
        height_rad=size_rad,
        is_whole=True,
        is_seen=True,
        hits=3,
        first_seen_ns=1,
        last_seen_ns=2,
        box_xyxy=(0.0, 0.0, 100.0, 100.0),
        detection=0,
        history=(),
    )


# ------------------------------------------------------------------------------ journal texts


@given(
    yaw=st.floats(-4, 4),
    zoom=st.floats(1, 30) | st.just(math.nan),
    words=st.lists(st.text(max_size=8), max_size=3),
)
def test_inputs_come_back_from_json_bit_for_bit(yaw, zoom, words):
    for item in (
        GimbalReading(7, yaw, -yaw, zoom=zoom),
        Goal("g", Area(yaw, 1.0, 0.0, 1.0, ((yaw, 0.1),)), tuple(words), yaw, True),
        VlmReply(3, Verdict.UNSURE, yaw, cause="timeout"),
        InspectionResult(1, 2, labels=tuple(words), probabilities=(yaw,) * len(words)),
        BaseAttitude(1, (0.0, 0.0, yaw, 1.0)),
    ):
        text = canonical(input_to_plain(item))
        assert repr(input_from_plain(json.loads(text))) == repr(item)


def test_settings_come_back_from_json():
    settings = ScanSettings(tiers=TierSettings(path_classes=("road",)))
    text = canonical(to_plain(settings))
    assert repr(from_plain(ScanSettings, json.loads(text))) == repr(settings)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"type": "Joke"}, "input of type 'Joke' is unknown, known are GimbalReading, Goal"),
        ({"type": "Pause"}, "Pause: fields is_paused are missing or unknown"),
        ({"type": "Pause", "is_paused": 3}, "3 is given, bool is needed"),
        ({"type": "Pause", "is_paused": True, "x": 1}, "fields x are missing or unknown"),
        ({"type": "Cancel", "goal_id": ["g"]}, "is given, str is needed"),
    ],
)
def test_a_journal_that_is_none_is_refused(plain, message):
    with pytest.raises(ValueError, match=message):
        input_from_plain(plain)


def test_detections_are_named_by_their_stamp_and_not_written():
    with pytest.raises(ValueError, match="FrameDetections is not journalled"):
        input_to_plain(FrameDetections(1, Detections.none(8, 8), ("person",)))


def test_a_decision_is_one_text_whatever_the_last_bits():
    first, second = (Decision(rate=RateCommand(0.1 + extra, -0.0)) for extra in (0.0, 1e-12))
    assert first.to_json() == second.to_json()
    assert '"rate":{"pitch_rad_s":0.0,"yaw_rad_s":0.1}' in first.to_json()
    assert first.to_json() != Decision(rate=RateCommand(0.10001, 0.0)).to_json()


def recorded(status: ScanStatus) -> RecordedStep:
    return RecordedStep(0, 1, (), (), "[]", Decision(status).to_json())


@pytest.mark.parametrize(
    ("leaf", "reason", "leaf_now", "reason_now"),
    [
        ("safe", "gimbal: link down", "hold still", "gimbal: link down"),
        ("approach", "approaches person 3", "approach view", "approaching person 3"),
        ("tier 3 model", "asks the model about a 1", "ask vlm", "asking the VLM about a 1"),
        ("rest", "no goal", "go to rest", "no goal"),
        ("follow path", "follows footpath 2", "follow path", "following footpath 2"),
    ],
)
def test_decisions_recorded_with_old_words_are_compared_in_the_present_ones(
    leaf, reason, leaf_now, reason_now
):
    old = recorded(ScanStatus(Level.SWEEP, 1, leaf, reason))
    now = recorded(ScanStatus(Level.SWEEP, 1, leaf_now, reason_now))
    assert with_present_words(old) == now
    assert with_present_words(now) == now


def test_words_of_a_message_are_no_old_names():
    """A text that looks like a status is none: its quotes are escaped."""
    text = '"leaf":"safe","level":3,"reason":"sweeps'
    step = recorded(ScanStatus(Level.IDLE, 0, "go to rest", text))
    assert with_present_words(step) == step


def test_no_behaviour_has_an_old_name_again():
    tree = build_tree(Blackboard(ScanSettings()))
    names = {one.name for one in tree.iterate() if not one.children}
    for old, (now, reasons) in _RENAMED_BEHAVIOURS.items():
        assert now in names
        assert old == now or old not in names
        assert not any(new.startswith(tuple(reasons)) for new in reasons.values())


def test_arrays_and_numpy_numbers_are_plain():
    assert to_plain((np.float32(0.5), np.int64(3), np.array([1.25]))) == [0.5, 3, [1.25]]


# ------------------------------------------------------------------------------------ tier 1


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ("1", Verdict.UNSURE),
        ("11", Verdict.YES),
        ("0", Verdict.UNSURE),
        ("00", Verdict.NO),
        ("10", Verdict.UNSURE),
        ("1011", Verdict.YES),
        ("0100", Verdict.NO),
    ],
)
def test_close_frames_convince_after_a_few(row, verdict):
    sprt = Sprt()
    for frame in row:
        sprt = sprt.update(frame == "1", 0.92, 0.08)
    assert sprt.verdict(0.02) is verdict
    assert (sprt.hits, sprt.misses) == (row.count("1"), row.count("0"))
    assert 0.0 < sprt.probability < 1.0


@given(st.lists(st.booleans(), max_size=40))
def test_the_order_of_frames_does_not_change_what_is_known(row):
    def test_of(frames):
        sprt = Sprt()
        for frame in frames:
            sprt = sprt.update(frame, 0.9, 0.2)
        return sprt

    assert test_of(row).log_likelihood_ratio == pytest.approx(
        test_of(sorted(row)).log_likelihood_ratio
    )


# ------------------------------------------------------------------------------------ tier 2


def said(number=1, error="", **shares) -> InspectionResult:
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return InspectionResult(
        number, number, error, "net", tuple(n for n, _ in ranked), tuple(p for _, p in ranked)
    )


@pytest.mark.parametrize(
    ("inspections", "verdict", "reason"),
    [
        ([said(person=0.9, scarecrow=0.1)], Verdict.YES, "person 0.90 over 1 crop"),
        ([said(person=0.1, scarecrow=0.9)], Verdict.NO, "person 0.10, scarecrow 0.90 over 1 crop"),
        ([said(person=0.5, scarecrow=0.5)], Verdict.UNSURE, "person 0.50"),
        ([said(person=0.9, scarecrow=0.1), said(person=0.1, scarecrow=0.9)], Verdict.UNSURE, "0.5"),
        ([said(tent=0.9, boulder=0.1)], Verdict.NOT_RUN, "no opinion: the classifier does"),
        ([said(**{"person": 0.1, NO_WORD: 0.9})], Verdict.NOT_RUN, "no opinion: person 0.10"),
        ([said(**{"person": 0.1, "dog": 0.8, NO_WORD: 0.1})], Verdict.NO, "dog 0.80"),
        ([said(**{"person": 0.9, NO_WORD: 0.1})], Verdict.YES, "person 0.90"),
        ([said()], Verdict.NOT_RUN, "no opinion: the crops are smaller"),
        ([dataclasses.replace(said(), model="")], Verdict.NOT_RUN, "there is no classifier"),
        ([], Verdict.NOT_RUN, "there is no classifier"),
        ([said(error="frame 1 is not held")], Verdict.NOT_RUN, "frame 1 is not held"),
        ([said(error="late"), said(person=0.9, log=0.1)], Verdict.YES, "over 1 crop"),
    ],
)
def test_the_classifier_says_yes_no_or_is_not_sure(inspections, verdict, reason):
    result = classifier_result("person", inspections, TIERS)
    assert result.verdict is verdict
    assert reason in result.reason


def test_crops_that_agree_do_not_make_it_surer_than_one():
    one, three = (
        pool_probabilities([said(a=0.8, b=0.2)]),
        pool_probabilities([said(i, a=0.8, b=0.2) for i in range(3)]),
    )
    assert three == pytest.approx(one)
    assert sum(
        pool_probabilities([said(a=1.0, b=0.0), said(a=0.0, b=1.0)]).values()
    ) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rings", "fill"),
    [
        ([[[0, 0], [10, 0], [10, 20], [0, 20]]], 1.0),
        ([[[0, 0], [10, 0], [0, 20]]], 0.5),
        ([[[0, 0], [10, 0], [10, 20], [0, 20]], [[2, 2], [2, 12], [7, 12], [7, 2]]], 0.75),
    ],
)
def test_the_shape_of_a_mask_supports_the_verdict(rings, fill):
    picture = Detections(40, 40, [0], [0.9], [[0, 0, 10, 20]], MaskRings.from_rings([rings]))
    view = CameraView(0.0, 0.0, 0.0, 1.0, 40, 40)
    mask = describe_mask(picture, 0, view, is_path=False)
    assert (mask.fill_ratio, mask.aspect_ratio) == (pytest.approx(fill), 2.0)
    assert mask.summary == f"mask fills {fill:.2f} of a box 2.0 times as tall as wide"
    assert mask.to_path_course() is None
    assert describe_mask(Detections(8, 8, [0], [1], [[0, 0, 1, 1]]), 0, view, is_path=True) is None


# ------------------------------------------------------------------------------------ verdict

YES, NO, UNSURE, NOT_RUN = Verdict.YES, Verdict.NO, Verdict.UNSURE, Verdict.NOT_RUN
CONFIRMED, REJECTED, UNCERTAIN = (
    FindingState.CONFIRMED,
    FindingState.REJECTED,
    FindingState.UNCERTAIN,
)


@pytest.mark.parametrize(
    ("verdicts", "state", "by_lower"),
    [
        ((NO, NOT_RUN), REJECTED, REJECTED),
        ((YES, YES), CONFIRMED, CONFIRMED),
        ((YES, NO), REJECTED, REJECTED),
        ((YES, UNSURE, YES), CONFIRMED, CONFIRMED),
        ((YES, UNSURE, NO), REJECTED, REJECTED),
        ((YES, UNSURE, UNSURE), UNCERTAIN, CONFIRMED),
        ((YES, UNSURE, NOT_RUN), UNCERTAIN, CONFIRMED),
        ((YES, NOT_RUN, NOT_RUN), UNCERTAIN, CONFIRMED),
        ((YES, YES, NO), REJECTED, REJECTED),
        ((YES, YES, UNSURE), CONFIRMED, CONFIRMED),
        ((UNSURE, UNSURE), UNCERTAIN, CONFIRMED),
    ],
)
def test_the_verdict_of_all_tiers(verdicts, state, by_lower):
    tiers = {n: TierResult(n, v, 0.6, "so") for n, v in enumerate(verdicts, start=1)}
    assert combine_tiers(tiers, TIERS)[0] is state
    assert combine_tiers(tiers, TierSettings(vlm_unavailable_policy="lower"))[0] is by_lower


@pytest.mark.parametrize(
    ("second", "close_score", "state"),
    [
        (Verdict.NOT_RUN, 0.6, CONFIRMED),
        (Verdict.NOT_RUN, 0.4, UNCERTAIN),  # again and again, but never likely
        (Verdict.UNSURE, 0.4, CONFIRMED),  # the classifier holds it likelier than not
        (Verdict.YES, 0.1, CONFIRMED),
    ],
)
def test_where_nobody_else_has_an_opinion_the_detector_must_be_rather_sure(
    second, close_score, state
):
    tiers = {1: TierResult(1, Verdict.YES, 0.99, ""), 2: TierResult(2, second, 0.7, "")}
    lower = TierSettings(vlm_unavailable_policy="lower")
    assert combine_tiers(tiers, lower, close_score)[0] is state
    before = dataclasses.replace(lower, detector_accept_score=0.0)  # as in older recordings
    assert combine_tiers(tiers, before, close_score)[0] is CONFIRMED


@pytest.mark.parametrize(
    ("first", "second", "asked"),
    [
        (YES, UNSURE, {"unsure", "always"}),
        (YES, NOT_RUN, {"unsure", "always"}),
        (YES, YES, {"always"}),
        (YES, NO, set()),
        (NO, NOT_RUN, set()),
    ],
)
def test_when_the_model_is_asked(first, second, asked):
    tiers = {1: TierResult(1, first, 0.5, ""), 2: TierResult(2, second, 0.5, "")}
    for vlm in ("unsure", "always", "never"):
        assert needs_vlm(tiers, TierSettings(vlm_policy=vlm)) is (vlm in asked)


def test_an_answer_without_words_is_still_a_result():
    assert vlm_result(VlmReply(1, UNSURE, cause="timeout")).reason == "timeout"
    assert vlm_result(VlmReply(1, YES)).reason == "no reason given"


# -------------------------------------------------------------------------------------- poses


def reading(stamp_s: float, yaw=0.0, **changes) -> GimbalReading:
    return GimbalReading(round(stamp_s * S), yaw, 0.1, **{"hfov_rad": 1.0, **changes})


@pytest.mark.parametrize("bad", [{"link": "stale"}, {"yaw": math.nan}, {"roll_rad": math.inf}])
def test_readings_that_say_nothing_are_no_poses(bad):
    poses = CameraPoses(1.0)
    poses.add(reading(1.0, **bad))
    assert poses.newest is None


def test_a_field_of_view_that_is_not_told_comes_from_the_lens():
    poses = CameraPoses(math.radians(60.0))
    poses.add(reading(1.0, hfov_rad=math.nan, zoom=2.0))
    view = poses.view_at(S, 640, 360)
    assert math.tan(view.hfov_rad / 2) == pytest.approx(math.tan(math.radians(30.0)) / 2)
    poses.add(reading(1.1, hfov_rad=0.5, zoom=2.0))
    assert poses.hfov_rad(2.0) == pytest.approx(0.5)


# ------------------------------------------------------------------------------------- losses


def watchdog_after(**heard_s: float) -> InputWatchdog:
    """Return a watchdog that got each input at a time. [s]"""
    made = InputWatchdog(
        InputTimeouts(gimbal_timeout_s=0.5, detections_timeout_s=2.0, camera_timeout_s=1.5)
    )
    items = {
        "gimbal": GimbalReading(0, 0.0, 0.0),
        "stale": GimbalReading(0, 0.0, 0.0, link="stale"),
        "frame": FrameDetections(0, Detections.none(8, 8), ()),
        "beat": CameraBeat(0),
        "lent": GpuStatus(True, False),
        "back": GpuStatus(False, False),
    }
    for name, when_s in heard_s.items():
        made.note_input(round(when_s * S), items[name])
    return made


@pytest.mark.parametrize(
    ("heard", "now_s", "gimbal", "pictures"),
    [
        ({}, 1, "gimbal: nothing heard yet", "detector or camera: no detections yet"),
        ({"gimbal": 0.8, "frame": 0.5}, 1, "", ""),
        ({"gimbal": 0.2, "frame": 0.5}, 1, "gimbal: nothing heard for 0 s", ""),
        ({"stale": 0.8, "frame": 0.5}, 1, "gimbal: link stale", ""),
        ({"gimbal": 4, "frame": 1}, 4, "", "detector or camera: no detections for 3 s"),
        ({"gimbal": 4, "frame": 1, "beat": 3.9}, 4, "", "detector: no detections for 3 s"),
        ({"gimbal": 4, "frame": 1, "beat": 1}, 4, "", "camera: no frame for 3 s"),
        ({"gimbal": 4, "frame": 1, "lent": 2}, 4, "", ""),
        ({"gimbal": 9, "frame": 1, "lent": 2}, 9, "", "detector or camera: no detections for 8 s"),
        ({"gimbal": 4, "frame": 1, "lent": 2, "back": 3}, 4, "", ""),
        ({"gimbal": 6, "frame": 1, "lent": 2, "back": 3}, 6, "", "detector or camera: no"),
    ],
)
def test_what_is_lost_is_said(heard, now_s, gimbal, pictures):
    made = watchdog_after(**heard)
    assert made.gimbal_problem(now_s * S) == gimbal
    told = made.detections_problem(now_s * S)
    assert told.startswith(pictures)
    assert bool(told) == bool(pictures)


# -------------------------------------------------------------------------- goals, same things


def test_words_have_names_and_labels():
    assert [(w.name, w.label) for w in parse_words(("person", " shelter = tent "))] == [
        ("person", "person"),
        ("shelter", "tent"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "is_endless"), [(-2.3, 2.3, False), (-math.tau, math.tau, True), (-1, 9, True)]
)
def test_an_axis_that_goes_round_has_no_limits(low, high, is_endless):
    limits = gimbal_limits(reading(1.0, yaw_min_rad=low, yaw_max_rad=high), GimbalSettings())
    assert limits.is_endless is is_endless


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (track(0.1 + 0.011), True),
        (track(0.1 + 0.013), False),
        (track(0.1, name="tent"), False),
        (track(0.1 + math.tau), True),
        (track(0.13, size_rad=0.2), True),
    ],
)
def test_what_is_one_thing(other, is_same):
    assert is_same_object(CandidateSettings(), track(), other) is is_same


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tiers": TierSettings(vlm_policy="maybe")},
            "'vlm_policy' is 'maybe', allowed is one of unsure, always",
        ),
        (
            {
                "tiers": TierSettings(
                    classifier_reject_threshold=0.8, classifier_accept_threshold=0.75
                )
            },
            "classifier_reject_threshold, classifier_accept_threshold 0.8, 0.75",
        ),
        (
            {"input_timeouts": InputTimeouts(gimbal_timeout_s=0.0)},
            "gimbal_timeout_s: 0.0, allowed is more than 0",
        ),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        ScanSettings(**changes)


# ------------------------------------------------------------------------------------ findings


def conclusion(seen: Track, state=CONFIRMED) -> Conclusion:
    return Conclusion(state, 0.9, (), (), seen, 5, (0.0, 0.0, 9.0, 9.0))


def test_one_thing_is_one_finding_however_often_it_is_concluded():
    findings = FindingList(77, CandidateSettings())
    first = findings.record(100, conclusion(track()))
    again = findings.record(200, conclusion(track(track_id=9, yaw_rad=0.105), UNCERTAIN))
    other = findings.record(300, conclusion(track(track_id=2, yaw_rad=0.5)))
    assert [(f.finding_id, f.revision) for f in (first, again, other)] == [
        ("77-1", 1),
        ("77-1", 2),
        ("77-2", 1),
    ]
    assert [f.stamp_ns for f in findings.all] == [200, 300]
    assert findings.confirmed == 1


def test_a_thing_that_walked_on_is_the_same_finding_where_it_went():
    findings = FindingList(77, CandidateSettings())
    findings.record(100, conclusion(track()))
    findings.update_tracks({1: track(yaw_rad=0.2)})
    findings.update_tracks(
        {1: dataclasses.replace(track(yaw_rad=0.9), is_seen=False)}
    )  # only guessed
    again = findings.record(200, conclusion(track(yaw_rad=0.205, track_id=9)))
    assert (again.finding_id, again.revision) == ("77-1", 2)


BASE = (Fix(1, 47.0, 8.0, 500.0), BaseAttitude(1, (0.0, 0.0, 0.0, 1.0)))


def test_a_position_needs_fix_attitude_and_ground():
    fix, attitude = BASE
    down = track(0.0, math.radians(45.0))
    found = position_of(down, fix, attitude, 474.0, is_flat=True)
    # The base looks east (REP 103): 26 m below at 45 degrees is 26 m to the east.
    assert found.latitude_deg == pytest.approx(47.0, abs=1e-6)
    assert (found.longitude_deg - 8.0) * 111_320 * math.cos(math.radians(47)) == pytest.approx(
        26.0, abs=0.3
    )
    assert found.ellipse_major_m >= found.ellipse_minor_m > 0.0
    upright = position_of(down, fix, attitude, 474.0, is_flat=False)
    assert upright.range_m < found.range_m
    beyond = dataclasses.replace(fix, latitude_deg=95.0)
    assert position_of(down, beyond, attitude, 474.0, is_flat=True) is None
    assert position_of(down, None, attitude, 474.0, is_flat=True) is None
    assert position_of(down, fix, None, 474.0, is_flat=True) is None
    assert position_of(down, fix, attitude, math.nan, is_flat=True) is None
    assert position_of(track(0.0, -0.3), fix, attitude, 474.0, is_flat=True) is None

"""What each tier says of a candidate, when the model is asked, and the verdict of all."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.labels import NO_WORD
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.evidence import TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.mask_descriptors import describe_mask
from semantic_detection_pkg.scan.core.settings import TierSettings
from semantic_detection_pkg.scan.core.sprt import Sprt
from semantic_detection_pkg.scan.core.tiers import (
    classifier_result,
    combine_tiers,
    needs_vlm,
    pool_probabilities,
    vlm_result,
)

TIERS = TierSettings(classifier_accept_threshold=0.75, classifier_reject_threshold=0.25)

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

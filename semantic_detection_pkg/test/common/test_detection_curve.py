"""The detection curve: by size and blur, exposure and POD, dependence, what is assumed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.detection_curve import (
    ASSUMED,
    EXPOSURE_MAX,
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
    assumed_curves,
)
from semantic_detection_pkg.common.core.serialization import from_plain, to_plain

CURVE = DetectionCurve(p_max=0.9, size_50_px=20.0, width=0.3, ceiling=0.95, blur_px=4.0)


def test_half_of_the_most_at_its_size_and_the_logistic_beside_it():
    assert CURVE.probability(20.0) == pytest.approx(0.45)
    # A size e^0.3 times as large is one width up: 1 / (1 + e^-1).
    assert CURVE.probability(20.0 * math.exp(0.3)) == pytest.approx(0.9 * 0.7310586, rel=1e-6)
    assert CURVE.probability(1e4) == pytest.approx(0.9, abs=1e-6)
    assert CURVE.probability(0.0) == 0.0


def test_smear_of_the_blur_takes_as_much_as_a_size_of_0_71():
    smeared = CURVE.probability(40.0, smear_px=4.0)
    assert smeared == pytest.approx(CURVE.probability(40.0 / math.sqrt(2.0)))
    assert CURVE.probability(40.0, 1e-9) == pytest.approx(CURVE.probability(40.0))


@given(st.floats(0.5, 3000.0), st.floats(1.0, 3.0), st.floats(0.0, 50.0))
def test_larger_is_never_less_likely_and_blur_never_helps(size, factor, smear):
    assert CURVE.probability(size * factor, smear) >= CURVE.probability(size, smear)
    assert CURVE.probability(size, smear) <= CURVE.probability(size)


@given(st.floats(0.0, 0.9))
def test_the_exposure_of_one_look_is_its_probability(p):
    assert CURVE.pod(CURVE.exposure(p)) == pytest.approx(p, abs=1e-6)


def test_independent_looks_multiply_what_is_missed_up_to_the_ceiling():
    curve = DetectionCurve(1.0, 20.0, 0.3, ceiling=1.0)
    assert curve.pod(2 * curve.exposure(0.5)) == pytest.approx(0.75)
    assert CURVE.pod(EXPOSURE_MAX) == pytest.approx(0.95, abs=1e-6)
    assert DetectionCurve(0.9, 20.0, 0.3, ceiling=0.9).exposure(0.9) == EXPOSURE_MAX
    assert DetectionCurve(0.0, 20.0, 0.3, ceiling=0.0).exposure(0.0) == 0.0


def test_a_group_is_its_best_look_and_a_share_of_the_rest():
    dependence = Dependence(within=0.25, between=0.5, group_s=5.0)
    assert dependence.group_exposure(2.0, 6.0) == 3.0
    assert dependence.group_exposure(2.0, 600.0) == 3.0, "no more than three looks count"
    assert dependence.exposure(3.0, 5.0) == 4.0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((1.2, 20.0, 0.3), "p_max"),
        ((0.9, 0.0, 0.3), "size_50_px"),
        ((0.9, math.inf, 0.3), "size_50_px"),
        ((0.9, 20.0, 0.0), "width"),
        ((0.9, 20.0, 0.3, 0.5), "ceiling"),
        ((0.9, 20.0, 0.3, 0.95, math.nan), "blur_px"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(values, named):
    with pytest.raises(ValueError, match=named):
        DetectionCurve(*values)
    with pytest.raises(ValueError, match="between"):
        Dependence(between=1.1)


def test_a_class_that_nobody_has_measured_is_assumed_and_says_so():
    curves = DetectionCurves("m.onnx", 0.25, classes=(ClassCurve("tent", CURVE, True, 90),))
    assert curves.of("tent").is_measured
    assert curves.of("person") == ClassCurve("person", ASSUMED, False)
    both = curves.with_classes(["person", "tent", "person"])
    assert [one.class_name for one in both.classes] == ["person", "tent"]
    assert assumed_curves().of("anything").curve == ASSUMED
    # Cautious: nearly nothing of what is smaller than 25 px.
    assert ASSUMED.probability(25.0) < 0.06


def test_curves_go_through_a_journal_bit_for_bit():
    curve = DetectionCurve(0.1 + 0.2, 1 / 3, 0.3, 0.95)
    alarms = ClassCurve("tent", curve, True, 90, 0.0123)
    curves = DetectionCurves("m.onnx", 0.25, Dependence(1 / 7, 0.5), True, (alarms,))
    assert from_plain(DetectionCurves, to_plain(curves)) == curves

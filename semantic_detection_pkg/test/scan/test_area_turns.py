"""An area counts modulo a turn: what was asked for is found in the turns that the gimbal has."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import (
    Area,
    GimbalLimits,
    check_area,
    cut_to_limits,
    is_within,
)
from semantic_detection_pkg.scan.core.goals import gimbal_limits
from semantic_detection_pkg.scan.core.inputs import GimbalReading
from semantic_detection_pkg.scan.core.settings import GimbalSettings


def limits_of(low_deg: float, high_deg: float) -> GimbalLimits:
    reading = GimbalReading(
        0, 0.0, 0.0, yaw_min_rad=math.radians(low_deg), yaw_max_rad=math.radians(high_deg)
    )
    return gimbal_limits(reading, GimbalSettings())


def area_of(low_deg: float, high_deg: float) -> Area:
    return Area(math.radians(low_deg), math.radians(high_deg), 0.0, 0.5)


def yaw_deg(area: Area) -> tuple[float, float]:
    return math.degrees(area.yaw_min_rad), math.degrees(area.yaw_max_rad)


@pytest.mark.parametrize(
    ("asked", "limits", "expected", "is_cut"),
    [
        ((300, 360), (-133, 133), (-60, 0), False),
        ((-360, -300), (-133, 133), (0, 60), False),
        ((180, 360), (-133, 133), (-133, 0), True),
        ((0, 360), (-133, 133), (-133, 133), True),
        ((-360, 0), (-133, 133), (-133, 133), True),
        ((-180, 180), (-133, 133), (-133, 133), True),
        ((90, 450), (-133, 133), (-133, 133), True),
        ((660, 720), (-133, 133), (-60, 0), False),
        ((-60, 60), (-133, 133), (-60, 60), False),
        ((100, 200), (-133, 133), (100, 133), True),
        ((160, 260), (-133, 133), (-133, -100), True),
        # Two parts are in reach: little lies between them, or more than the lesser is worth.
        ((0, 350), (-133, 133), (-133, 133), True),
        ((100, 270), (-133, 133), (-133, -90), True),
        ((-270, -100), (-133, 133), (90, 133), True),
        # More than a turn: none of it is swept twice.
        ((0, 360), (-268, 268), (-180, 180), False),
        ((200, 260), (-268, 268), (200, 260), False),
        ((300, 360), (-268, 268), (-60, 0), False),
        ((-10, 340), (-268, 268), (-180, 180), False),
        # Endless: in the turn next to the middle.
        ((300, 360), (-180, 180), (-60, 0), False),
        ((150, 210), (-180, 180), (150, 210), False),
        ((0, 360), (-180, 180), (0, 360), False),
    ],
)
def test_yaw_counts_modulo_a_turn(asked, limits, expected, is_cut):
    area, told = cut_to_limits(area_of(*asked), limits_of(*limits))
    assert yaw_deg(area) == pytest.approx(expected)
    assert bool(told) is is_cut
    check_area(area)


def test_a_part_that_lies_apart_is_named():
    _, told = cut_to_limits(area_of(100, 270), limits_of(-133, 133))
    assert told == (
        "area cut to the gimbal's limits: yaw 100..270 deg to -133..-90 deg; "
        "yaw 100..133 deg is in reach, too, but apart: it needs its own goal"
    )


@pytest.mark.parametrize(
    ("asked_deg", "expected_deg"),
    [(350.0, -10.0), (-350.0, 10.0), (720.0, 0.0), (100.0, 100.0), (-240.0, 120.0), (180.0, None)],
)
def test_bearings_count_modulo_a_turn(asked_deg, expected_deg):
    area = Area(bearings=((math.radians(asked_deg), 0.1), (0.0, 0.0)))
    cut, told = cut_to_limits(area, limits_of(-133, 133))
    if expected_deg is None:
        assert cut.bearings == ((0.0, 0.0),)
        assert "1 of 2 bearings left out, the first at yaw 180" in told
    else:
        assert math.degrees(cut.bearings[0][0]) == pytest.approx(expected_deg, abs=1e-9)
        assert told == ""


YAW = st.floats(-700.0, 700.0)
LIMIT = st.tuples(st.floats(-300.0, 0.0), st.floats(0.0, 300.0))


@given(low=YAW, span=st.floats(1.0, 360.0), limits=LIMIT, turns=st.integers(-2, 2))
def test_an_area_and_the_same_one_a_turn_on_are_cut_alike(low, span, limits, turns):
    assume(limits[1] - limits[0] > 10.0)
    gimbal = limits_of(*limits)
    assume(not gimbal.is_endless)
    asked = area_of(low, low + span)
    try:
        area, told = cut_to_limits(asked, gimbal)
    except ConfigurationError:
        area = None
    # Whatever is in reach at all is found, and what was found is in reach.
    inside = [
        yaw
        for step in range(201)
        if limits[0] + 0.1 <= (yaw := limits[0] + step * (limits[1] - limits[0]) / 200)
        and yaw <= limits[1] - 0.1
        and is_within(asked, (math.radians(yaw), 0.1), -math.radians(0.1))
    ]
    if area is None:
        assert not inside
        return
    assert gimbal.nearest((area.yaw_min_rad, 0.0))[0] == area.yaw_min_rad
    assert gimbal.nearest((area.yaw_max_rad, 0.0))[0] == area.yaw_max_rad
    assert area.yaw_max_rad - area.yaw_min_rad <= math.tau + 1e-9
    found = [yaw for yaw in inside if is_within(area, (math.radians(yaw), 0.1), 1e-6)]
    assert len(found) == len(inside) or "apart" in told
    moved, _ = cut_to_limits(area_of(low + 360.0 * turns, low + 360.0 * turns + span), gimbal)
    width = moved.yaw_max_rad - moved.yaw_min_rad
    assert width == pytest.approx(area.yaw_max_rad - area.yaw_min_rad, abs=1e-6)


@given(yaw=YAW, limits=LIMIT)
def test_a_bearing_in_reach_is_the_same_direction(yaw, limits):
    gimbal = limits_of(*limits)
    assume(not gimbal.is_endless)
    try:
        area, told = cut_to_limits(Area(bearings=((math.radians(yaw), 0.1),)), gimbal)
    except ConfigurationError:
        return
    assert told == ""
    (found,) = area.bearings
    assert math.remainder(found[0] - math.radians(yaw), math.tau) == pytest.approx(0.0, abs=1e-9)
    assert gimbal.nearest(found) == found

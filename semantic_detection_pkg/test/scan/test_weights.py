"""Weights of a goal: what is refused and how, which cells they are of, messages, old journals."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import ScanArea
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.from_messages import from_scan_goal
from semantic_detection_pkg.scan.core.goals import check_goal
from semantic_detection_pkg.scan.core.inputs import Goal, input_from_plain, input_to_plain
from semantic_detection_pkg.scan.core.weights import (
    WeightedArea,
    _inside,
    _placed,
    cell_weights,
    check_weights,
)
from semantic_detection_pkg.scan.ros.outputs import to_scan_goal

AREA = Area(-0.5, 0.5, 0.1, 0.6)
BESIDE = ((-3.0, 0.2), (-2.0, 0.2), (-2.0, 0.4))


def box(low_yaw=-0.2, high_yaw=0.1, low_pitch=0.2, high_pitch=0.4, weight=4.0) -> WeightedArea:
    corners = ((low_yaw, low_pitch), (high_yaw, low_pitch), (high_yaw, high_pitch))
    return WeightedArea((*corners, (low_yaw, high_pitch)), weight)


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ((box(weight=-1.0),), "part 1 has weight -1, allowed is 0..1000"),
        ((box(weight=math.nan),), "part 1 has weight nan"),
        ((box(weight=1001.0),), "part 1 has weight 1001"),
        ((box(), box(1.0, 1.2)), "part 2, around yaw 63.0, pitch 17.2 deg, lies outside"),
        # Behind the robot: the middle of 172 and -172 is not ahead.
        (
            (WeightedArea(((3.0, 0.2), (-3.0, 0.2), (-3.0, 0.4), (3.0, 0.4)), 2.0),),
            "part 1, around yaw -?180.0, pitch 17.2 deg, lies outside",
        ),
        ((box(low_pitch=0.7, high_pitch=0.9),), "lies outside the area"),
        ((WeightedArea(BESIDE, 2.0),), "lies outside the area"),
        ((WeightedArea(((0.0, 0.2), (0.1, 0.2)), 2.0),), "part 1 has 2 vertices, allowed are 3"),
        ((WeightedArea(((0.0, 0.2),) * 201, 2.0),), "part 1 has 201 vertices"),
        ((WeightedArea(((0.0, 0.2), (math.inf, 0.2), (0.1, 0.3)), 2.0),), "yaw inf"),
        ((box(),) * 101, "101 parts are too many, at most 100"),
        ((box(-1.0, 1.0, 0.0, 1.0, 0.0),), "all of the area has weight 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused_in_one_line(weights, line):
    with pytest.raises(ConfigurationError, match=line) as caught:
        check_goal(Goal("g", AREA, ("person",), weights=weights))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pod", [-0.1, 1.01, math.nan])
def test_a_wanted_pod_out_of_its_range_is_refused(pod):
    with pytest.raises(ConfigurationError, match="wanted_pod .* allowed is 0..1"):
        check_goal(Goal("g", AREA, ("person",), wanted_pod=pod))


def test_parts_that_reach_beyond_the_area_are_allowed():
    check_weights((box(-2.0, 0.0), box(0.4, 0.9), box(weight=0.0)), AREA)


def test_a_part_may_be_told_a_turn_away():
    check_weights((box(-0.2 + math.tau, 0.1 + math.tau),), AREA)
    behind = Area(math.radians(150), math.radians(210), 0.1, 0.6)
    part = box(math.radians(-175), math.radians(-170))
    check_weights((part,), behind)
    yaw = np.radians(np.arange(150.5, 210.0))
    weights = cell_weights((part,), yaw, np.array([0.1, 0.3]))
    assert weights[0].tolist() == [1.0] * 60
    assert np.flatnonzero(weights[1] > 1.0).tolist() == [35, 36, 37, 38, 39]  # 185.5 .. 189.5


def test_a_part_across_straight_behind_goes_the_short_way():
    part = box(math.radians(170), math.radians(-170))
    yaw = np.radians(np.arange(150.5, 210.0))
    found = cell_weights((part,), yaw, np.array([0.3]))[0]
    assert np.flatnonzero(found > 1.0).tolist() == list(range(20, 40))


def test_the_last_part_counts_and_the_rest_has_one():
    yaw, pitch = np.linspace(-0.45, 0.45, 10), np.linspace(0.15, 0.55, 5)
    found = cell_weights((box(-1, 1, 0, 1, 3.0), box(-0.1, 0.1, 0.2, 0.4, 0.0)), yaw, pitch)
    assert set(found.ravel().tolist()) == {3.0, 0.0}
    assert found[2, 4] == 0.0
    triangle = WeightedArea(((-0.5, 0.1), (0.5, 0.1), (-0.5, 0.6)), 5.0)
    found = cell_weights((triangle,), yaw, pitch)
    assert found[0, 0] == 5.0
    assert found[-1, -1] == 1.0
    assert abs(float((found > 1).mean()) - 0.5) < 0.1


def test_an_area_of_bearings_has_weights_where_its_bearings_are():
    area = Area(bearings=((0.1, 0.2), (3.0, 0.3)))
    check_weights((box(0.0, 0.2, 0.1, 0.3), box(2.9, 3.3, 0.2, 0.4, 0.0)), area)
    with pytest.raises(ConfigurationError, match="lies outside"):
        check_weights((box(0.5, 0.7),), area)
    with pytest.raises(ConfigurationError, match="all of the area has weight 0"):
        check_weights((box(0.0, 3.1, 0.1, 0.5, 0.0),), area)


def test_a_goal_goes_through_its_message_and_the_journal():
    goal = Goal(
        "g", AREA, ("person",), 0.0, False, (box(), box(0.2, 0.3, weight=0.5)), 0.75, "sweep"
    )
    again = from_scan_goal("g", to_scan_goal(goal))
    assert again == goal
    assert input_from_plain(input_to_plain(goal)) == goal
    plain = from_scan_goal("g", Scan.Goal(area=ScanArea(), words=["x"]))
    assert (plain.weights, plain.wanted_pod, plain.planner) == ((), 0.0, "")


def test_journals_of_before_have_neither_weights_nor_a_wanted_pod():
    plain = input_to_plain(Goal("g", AREA, ("person",)))
    del plain["weights"], plain["wanted_pod"], plain["planner"]
    assert input_from_plain(plain) == Goal("g", AREA, ("person",))
    del plain["words"]
    with pytest.raises(ValueError, match="words"):
        input_from_plain(plain)


CROSSING = {
    "a bow tie": [(0, 0), (1, 1), (1, 0), (0, 1)],
    "a star": [(0, 1), (0.6, -0.8), (-0.95, 0.3), (0.95, 0.3), (-0.6, -0.8)],
    "a loop at the end": [(0, 0), (1, 0), (1, 1), (0.5, 0.3), (0.9, 0.3), (0.4, 1)],
    "across straight behind": [(math.pi - 0.2, 0), (0.2 - math.pi, 0.3), (0.2 - math.pi, 0),
                               (math.pi - 0.2, 0.3)],
}  # fmt: skip
SIMPLE = {
    "a bay": [(0, 0), (1, 0), (1, 1), (0.5, 0.1), (0, 1)],
    "a corner twice": [(0, 0), (1, 0), (1, 0), (1, 1)],
    "a spike": [(0, 0), (1, 0), (2, 0), (1, 0), (0.5, 1)],
    "far and flat": [(0, 0.01), (0.1, 0.01001), (0.2, 0.01), (0.2, 0.01001), (0, 0.01001)],
    "across straight behind": [(math.pi - 0.2, 0), (0.2 - math.pi, 0), (0.2 - math.pi, 0.3),
                               (math.pi - 0.2, 0.3)],
}  # fmt: skip
ALL_ROUND = Area(-math.pi, math.pi, -1.5, 1.5)


@pytest.mark.parametrize("vertices", CROSSING.values(), ids=CROSSING)
@pytest.mark.parametrize("turned", [0, 1, 2])
def test_a_polygon_that_crosses_itself_is_refused_in_one_line(vertices, turned):
    part = WeightedArea(tuple(vertices[turned:] + vertices[:turned]), 3.0)
    with pytest.raises(ConfigurationError, match="weights: part 2 crosses itself: its") as caught:
        check_goal(Goal("g", ALL_ROUND, ("person",), weights=(box(), part)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("vertices", SIMPLE.values(), ids=SIMPLE)
def test_a_polygon_that_does_not_cross_itself_is_taken(vertices):
    check_goal(Goal("g", ALL_ROUND, ("person",), weights=(WeightedArea(tuple(vertices), 3.0),)))


def test_a_planner_of_the_goal_that_is_unknown_is_refused_in_one_line():
    with pytest.raises(ConfigurationError, match="planner") as caught:
        check_goal(Goal("g", AREA, ("person",), planner="lawnmower"))
    assert "sweep" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_and_single_bearings_agree():
    rng = np.random.default_rng(3)
    yaw, pitch = np.linspace(-2.0, 2.0, 57), np.linspace(-0.4, 1.2, 31)
    for count in (3, 5, 9, 40):
        polygon = np.column_stack([rng.uniform(-1.9, 1.9, count), rng.uniform(-0.3, 1.1, count)])
        part = WeightedArea(tuple(map(tuple, polygon.tolist())), 3.0)
        grid = cell_weights((part,), yaw, pitch) > 1.0
        # Where a polygon goes round the other way at pi, both go the short way.
        points = np.meshgrid(yaw, pitch)
        alone = [
            _inside(one, points[0].ravel(), points[1].ravel()) for one in _placed(polygon, 0.0)
        ]
        assert np.array_equal(grid.ravel(), np.logical_or.reduce(alone))
        assert 0 < grid.sum() < grid.size


@pytest.mark.parametrize("size_rad", [0.0002, 0.003, 0.01, 0.03, 0.1])
@pytest.mark.parametrize("at", [(0.1234, 0.3123), (3.141, 0.2), (-3.13, 0.25)])
def test_a_place_that_is_small_as_seen_from_here_counts_for_what_it_is(size_rad, at):
    """A field 500 m away is a quarter of a degree high: between the middles of all cells."""
    yaw0 = at[0] - 0.3
    yaw, pitch = (start + math.radians(1.0) * (np.arange(40) + 0.5) for start in (yaw0, 0.0))
    low, high = (tuple(round(one + turn * size_rad / 2.0, 9) for one in at) for turn in (-1, 1))
    part = WeightedArea((low, (high[0], low[1]), high, (low[0], high[1])), 11.0)
    weights = cell_weights((part,), yaw, pitch)
    assert weights.max() <= 11.0
    cells = (weights - 1.0).sum() / 10.0
    assert cells == pytest.approx((size_rad / math.radians(1.0)) ** 2, rel=0.25)
    assert np.isin(cell_weights((replace(part, weight=0.0),), yaw, pitch), (0.0, 1.0)).mean() > 0.9


def test_the_largest_weights_take_little_time():
    angles = np.linspace(0.0, math.tau, 200, endpoint=False)
    circle = tuple((0.45 * math.cos(a), 0.35 + 0.2 * math.sin(a)) for a in angles)
    parts = tuple(WeightedArea(circle, 2.0) for _ in range(100))
    began_s = time.process_time()
    check_goal(Goal("g", AREA, ("person",), weights=parts))
    yaw, pitch = np.linspace(-0.5, 0.5, 200), np.linspace(0.1, 0.6, 100)
    assert cell_weights(parts, yaw, pitch).max() == 2.0
    assert time.process_time() - began_s < 5.0  # a second on a core of its own

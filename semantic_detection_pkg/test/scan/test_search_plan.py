"""The plan of a search by probability: what it reaches, at which zooms and paces, in what order."""

import math
from dataclasses import replace

import numpy as np
import pytest

from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
)
from semantic_detection_pkg.common.core.looks import Look, WayOfLooking
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core import pod_map
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.planning.closer_looks import (
    CloserLookRules,
    Shown,
    closer_looks,
    shares_shown,
)
from semantic_detection_pkg.scan.core.planning.pass_choices import zooms_to_choose
from semantic_detection_pkg.scan.core.planning.pass_planning import PassPlan
from semantic_detection_pkg.scan.core.planning.probability import (
    PassTask,
    ProbabilityPlanner,
)
from semantic_detection_pkg.scan.core.planning.search_problem import ProbabilityRules, search_order
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.thing_sizes import CellRanges, Ground, cell_ranges
from semantic_detection_pkg.scan.core.weights import WeightedArea, cell_weights

WIDE = CameraView(0.0, 0.0, 0.0, math.radians(62.0), 1280, 720)
WHOLE = (Look(0, 0, 1280, 720, 0.5),)
AREA = Area(math.radians(-70), math.radians(70), math.radians(4.0), math.radians(45.0))
HEIGHT_M = 30.0
FRAME_S = 0.1
CLASSES = (
    ClassCurve("person", DetectionCurve(0.97, 10.0, 0.1, 0.99, 6.0), True, 100, 0.1),
    ClassCurve("tent", DetectionCurve(0.97, 15.0, 0.1, 0.99, 6.0), True, 100, 0.05),
)
CURVES = DetectionCurves(
    "m",
    0.25,
    Dependence(0.2, 0.2, 10.0),
    True,
    CLASSES,
)


def planner(
    wanted: float = 0.85,
    weights: tuple[WeightedArea, ...] = (),
    cell_deg: float = 1.0,
    looks: tuple[Look, ...] = WHOLE,
    interval_s: float = FRAME_S,
    area: Area = AREA,
    **changes: float,
) -> tuple[ProbabilityPlanner, CoverageMap, PodMap]:
    grid = CoverageMap(area, math.radians(cell_deg))
    cells = cell_weights(weights, grid.yaw_rad, grid.pitch_rad) if weights else None
    pod = PodMap(grid, ("person", "tent"), hits=3, weights=cells)
    pod.use(CURVES, Ground(HEIGHT_M))
    closer = CloserLookRules(0.6, 0.25, 2, (110.0, 110.0))
    limits = GimbalLimits()
    rules = ProbabilityRules(WIDE, limits, 0.0, 12.0, 7.0, wanted, bool(weights), 3, closer)
    made = ProbabilityPlanner(grid, pod, replace(rules, **changes))
    for _ in range(4):
        made.note_frame(looks, interval_s)
    return made, grid, pod


def plan_of(made: ProbabilityPlanner) -> PassPlan:
    """Have the plan made that a planner wants first."""
    assert made.rates(0.0, BearingState(0.0, 0.0, 0.3)) == (0.0, 0.0)
    task = made.task
    assert isinstance(task, PassTask)
    return task.plan


def fly(plan: PassPlan, pod: PodMap) -> float:
    """Look along the passes as they are planned; return the time that it takes."""
    now_s = 0.0
    for one in plan.passes:
        hfov = 2.0 * math.atan(math.tan(WIDE.hfov_rad / 2.0) / one.zoom)
        rate = math.copysign(one.rate_rad_s, one.end_rad - one.start_rad)
        count = math.ceil(one.duration_s / FRAME_S)
        for index in range(count + 1):
            yaw = one.start_rad + (rate * index * FRAME_S if one.start_rad != one.end_rad else 0.0)
            view = CameraView(yaw, one.pitch_rad, 0.0, hfov, 1280, 720)
            pod.update(view, now_s, (rate, 0.0), WHOLE)
            now_s += FRAME_S
        now_s += 11.0  # another group of looks
    return now_s


@pytest.mark.parametrize("wanted", [0.4, 0.7, 0.85, 0.95])
def test_the_map_confirms_what_the_plan_promises(wanted):
    made, _, pod = planner(wanted)
    plan = plan_of(made)
    assert plan.is_enough
    assert plan.after.pod >= wanted
    fly(plan, pod)
    assert pod.area_pod() == pytest.approx(plan.after.pod, abs=0.05)


def test_more_takes_longer_and_far_ground_needs_more_zoom():
    durations = [plan_of(planner(wanted)[0]).duration_s for wanted in (0.3, 0.6, 0.85, 0.95)]
    assert durations == sorted(durations)
    assert durations[-1] > 1.5 * durations[0]
    passes = sorted(plan_of(planner(0.9)[0]).passes, key=lambda one: one.pitch_rad)
    assert passes[0].zoom > 2.0 * passes[-1].zoom


def test_what_cannot_be_reached_is_said_with_the_best():
    made, _, pod = planner(0.9, zoom_max=1.5)
    plan = plan_of(made)
    assert not plan.is_enough
    assert 0.1 < plan.after.pod < 0.9
    made.add_plan(1)
    made.rates(0.1, BearingState(0.1, 0.0, 0.3))
    assert made.forecast is not None
    assert "POD 0.90 cannot be reached from here" in made.forecast.text
    assert f"POD {plan.after.pod:.2f}" in made.forecast.text
    fly(plan, pod)
    assert made.area_pod() == pytest.approx(plan.after.pod, abs=0.06)
    assert f"detection of {made.area_pod():.2f} (person 0." in made.outcome()
    assert "is the best from here, not 0.90" in made.outcome()


def test_a_goal_may_fix_the_zoom():
    plan = plan_of(planner(0.6, zoom=3.0)[0])
    assert {one.zoom for one in plan.passes} == {3.0}
    assert zooms_to_choose(0.0, 1.0) == (1.0,)
    zooms = zooms_to_choose(0.0, 10.0)
    assert (zooms[0], zooms[-1]) == pytest.approx((1.0, 10.0))


def test_no_pass_is_faster_than_pictures_are_sharp_or_looks_are_many():
    for interval_s in (0.1, 0.5):
        made, grid, _ = planner(0.9, interval_s=interval_s)
        for one in plan_of(made).passes:
            hfov = 2.0 * math.atan(math.tan(WIDE.hfov_rad / 2.0) / one.zoom)
            view = CameraView(0.0, one.pitch_rad, 0.0, hfov, 1280, 720)
            smear_px = grid.criteria.motion_blur_px(view, (one.rate_rad_s, 0.0))
            assert smear_px <= grid.criteria.max_motion_blur_px * 1.001
            if one.start_rad != one.end_rad:
                across = hfov / math.cos(one.pitch_rad)
                assert across / one.rate_rad_s / interval_s >= 3.0


def test_where_it_is_likelier_comes_first():
    part = WeightedArea(((0.6, 0.05), (1.0, 0.05), (1.0, 0.8), (0.6, 0.8)), 30.0)
    plan = plan_of(planner(0.9, (part,))[0])
    assert 0 < plan.stages[0] < len(plan.passes)
    for one in plan.passes[: plan.stages[0]]:
        hfov = WIDE.hfov_rad / one.zoom
        assert min(one.start_rad, one.end_rad) > 0.6 - hfov
    even = plan_of(planner(0.9)[0])
    first_s = sum(one.duration_s for one in plan.passes[: plan.stages[0]])
    assert first_s < 0.5 * sum(one.duration_s for one in even.passes)


def test_the_rest_comes_after_what_is_likelier_until_as_much_is_reached_without_the_weights():
    part = WeightedArea(((0.6, 0.05), (1.0, 0.05), (1.0, 0.8), (0.6, 0.8)), 300.0)
    made, _, pod = planner(0.9, (part,))
    plan = plan_of(made)
    assert plan.is_enough
    assert min(plan.after) >= 0.9
    assert len(plan.stages) == 2
    likely = plan.passes[: plan.stages[1]]
    assert plan.likely_s < plan.duration_s
    made.add_plan(1)
    made.rates(0.1, BearingState(0.1, 0.0, 0.3))
    assert made.forecast is not None
    assert f"POD 0.90 by the weights in about {plan.likely_s:.0f} s, 0.9" in made.forecast.text
    assert f"without them in about {plan.duration_s:.0f} s" in made.forecast.text
    assert made.forecast.end_s == pytest.approx(0.1 + plan.duration_s)
    fly(replace(plan, passes=likely), pod)
    assert pod.area_pod() > 0.88 > pod.even_pod()
    fly(plan, pod)
    assert pod.even_pod() == pytest.approx(plan.after.even, abs=0.05)


def test_where_nothing_can_be_is_no_part_of_the_rest():
    part = WeightedArea(((-1.3, 0.0), (0.0, 0.0), (0.0, 0.9), (-1.3, 0.9)), 0.0)
    plan = plan_of(planner(0.9, (part,))[0])
    assert plan.is_enough
    assert plan.after.even == pytest.approx(plan.after.pod)


def test_closer_looks_come_before_the_last_few_per_cent():
    much, little = plan_of(planner(0.95)[0]), plan_of(planner(0.8)[0])
    assert 0 < much.stages[0] < len(much.passes)
    first = much.passes[: much.stages[0]]
    assert much.before.pod + sum(one.gain for one in first) == pytest.approx(0.9, abs=0.05)
    assert not little.stages


def test_closer_looks_at_false_alarms_take_time_and_show_what_is_around_them():
    quiet = replace(CURVES, classes=tuple(replace(o, false_alarms_per_look=0.0) for o in CLASSES))
    unknown = replace(
        CURVES, classes=tuple(replace(o, false_alarms_per_look=math.nan) for o in CLASSES)
    )
    plans = []
    for curves in (quiet, unknown, CURVES):
        made, _, pod = planner(0.95)
        pod.use(curves, Ground(HEIGHT_M))
        plans.append(plan_of(made))
    assert plans[0] == plans[1]
    assert plans[0].closer_looks == 0.0
    plan = plans[2]
    first = plan.passes[: plan.stages[0]]
    looks = sum(one.duration_s for one in first) / FRAME_S
    assert plan.closer_looks == pytest.approx(0.15 * looks / 4.0, rel=0.01)
    assert plan.closer_s == pytest.approx(0.35 + 0.6 * plan.closer_looks, rel=0.01)
    assert plan.duration_s > plan.closer_s + sum(one.duration_s for one in first)
    gained = plan.before.pod + sum(one.gain for one in plan.passes)
    assert plan.after.pod > gained + 1e-4  # the views show something besides
    assert plans[0].after.pod == pytest.approx(
        plans[0].before.pod + sum(one.gain for one in plans[0].passes), abs=1e-6
    )


def test_views_show_a_cell_enough_where_one_has_the_looks_or_two_overlap():
    rules = CloserLookRules(0.6, 0.25, 2, (110.0, 110.0))
    sizes = np.full((2, 3, 1), math.log(0.01))
    solid = np.full((3, 4), 0.02)
    shown = [Shown(slice(0, 2), slice(0, 4), 80.0)]
    chances = []
    for rate_hz in (20.0, 10.0, 4.0):  # 5, 2.5 and at least 2 looks in a view, of which 3 find
        looks = closer_looks(rules, CLASSES, WIDE, 12.0, sizes, 0.5, rate_hz, (3, 0.2))
        chance, count = shares_shown(looks, shown, 3, solid)
        assert count == pytest.approx(0.15 * 80.0 / 4.0)
        assert not chance[2].any()  # nothing was seen there
        views = count / (8 * 0.02) * looks.shown_rad2[0]
        several = 1.0 - math.exp(-views) * (1.0 + views)
        in_one = {20.0: 1.0, 10.0: 0.5, 4.0: 0.0}[rate_hz]
        assert chance[0, 0] == pytest.approx(several + in_one * views * math.exp(-views))
        chances.append(chance[0, 0])
    assert chances == sorted(chances, reverse=True)


def test_nobody_looks_where_the_weight_is_0():
    part = WeightedArea(((-1.3, 0.0), (0.0, 0.0), (0.0, 0.9), (-1.3, 0.9)), 0.0)
    for one in plan_of(planner(0.9, (part,))[0]).passes:
        half_rad = WIDE.hfov_rad / one.zoom / 2.0
        assert max(one.start_rad, one.end_rad) > -half_rad


def test_what_was_looked_at_is_not_looked_at_again():
    made, _, pod = planner(0.9)
    fly(plan_of(made), pod)
    made.interrupt()
    assert made.rates(300.0, BearingState(300.0, 0.0, 0.3)) is None
    half, _, pod = planner(0.9)
    plan = plan_of(half)
    fly(replace(plan, passes=plan.passes[:1]), pod)
    half.interrupt()
    left = plan_of(half)
    assert left.before.pod > 0.2
    assert left.duration_s < plan.duration_s


def test_tiles_do_with_less_zoom():
    tiles = tuple(Look(x, y, x + 640, y + 360, 1.0) for x in (0, 640) for y in (0, 360))
    coarse = plan_of(planner(0.85)[0])
    fine = plan_of(planner(0.85, looks=tiles)[0])
    assert max(one.zoom for one in fine.passes) < max(one.zoom for one in coarse.passes)
    assert fine.duration_s < coarse.duration_s


def offering(look_s: float, **changes: float) -> ProbabilityPlanner:
    """Return a planner whose detector offers all ways of looking, at so much for one look."""
    made, _, pod = planner(0.85, **changes)
    ways = (
        WayOfLooking("full", 0.5, 0.5, 1.0, look_s),
        WayOfLooking("rotating", 1.0, 0.5, 0.5, 3.0 * look_s),
        WayOfLooking("tiles", 1.0, 0.0, 1.0, 4.0 * look_s),
    )
    pod.use(replace(CURVES, ways=ways), Ground(HEIGHT_M))
    made.note_frame(WHOLE, max(FRAME_S, look_s))
    return made


@pytest.mark.parametrize(
    ("look_s", "changes", "looking"),
    [
        (0.01, {}, "tiles"),  # they cost nothing: the camera is slower
        (0.3, {}, "full"),  # a pass at more zoom is quicker
        (0.3, {"zoom_max": 1.0}, "tiles"),  # what is far cannot be seen without
    ],
)
def test_the_way_of_looking_is_chosen_with_which_it_is_reached_soonest(look_s, changes, looking):
    made = offering(look_s, **changes)
    plan = plan_of(made)
    made.add_plan(1)
    assert made.looking == looking
    made.rates(0.1, BearingState(0.1, 0.0, 0.3))
    words = {"full": "each picture as a whole", "tiles": "in all tiles of each picture"}
    assert words[looking] in made.forecast.text
    for only in offering(look_s)._pod.curves.ways:
        one = offering(look_s, **changes)
        one._pod.use(replace(CURVES, ways=(only,)), Ground(HEIGHT_M))
        other = plan_of(one)
        if only.name == looking:
            assert other == plan
        else:
            assert (not other.is_enough and other.after.pod < plan.after.pod) or (
                other.duration_s >= plan.duration_s
            )


def test_a_detector_that_offers_nothing_is_asked_for_nothing():
    made = planner(0.85)[0]
    plan_of(made)
    made.add_plan(1)
    assert made.looking == ""


def test_equal_inputs_give_equal_plans():
    assert plan_of(planner(0.9)[0]) == plan_of(planner(0.9)[0])


def under_sky(monkeypatch: pytest.MonkeyPatch, pod: PodMap, rows: int) -> None:
    """Have the rays of the uppermost rows meet no ground, as over a terrain model."""

    def with_sky(*args) -> CellRanges:
        found = cell_ranges(*args)
        is_sky = np.arange(len(found.range_m))[:, None] < rows
        return replace(
            found,
            range_m=np.where(is_sky, np.inf, found.range_m),
            weights=np.where(is_sky, 0.0, found.weights),
        )

    monkeypatch.setattr(pod_map, "cell_ranges", with_sky)
    pod.use(None, Ground(1.2 * HEIGHT_M))


def test_sky_and_holes_of_a_terrain_count_for_nothing(monkeypatch):
    made, _, pod = planner(0.8)
    under_sky(monkeypatch, pod, 5)
    for one in (pod.area_weights, search_order(pod)):
        assert one[:5].sum() == 0.0
        assert one.sum() == pytest.approx(1.0)
    plan = plan_of(made)
    assert plan.is_enough
    assert all(math.isfinite(one.start_rad + one.rate_rad_s + one.gain) for one in plan.passes)
    made, _, pod = planner(0.8)
    under_sky(monkeypatch, pod, 1000)
    assert search_order(pod).sum() == pytest.approx(1.0)


def test_near_ground_is_not_left_out_where_the_area_reaches_to_the_horizon():
    """By the area alone the ground of the lower half is a ten thousandth."""
    area = Area(math.radians(-70), math.radians(70), 0.0, math.radians(45.0))
    made, grid, pod = planner(0.95, area=area)
    plan = plan_of(made)
    assert not plan.is_enough
    fly(plan, pod)
    near = grid.pitch_rad > math.radians(15.0)
    assert pod.area_weights[near].sum() < 0.01
    assert min(float(pod.pod(name)[near].mean()) for name in pod.class_names) > 0.8

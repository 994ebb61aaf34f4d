"""Close views: what they show, in which order they come."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.planning.view_planning import (
    CloseView,
    ViewPlanningSettings,
    ViewTarget,
    plan_views,
)
from semantic_detection_pkg.scan.core.pointing import BearingState

WIDE = CameraView(0.0, 0.0, 0.0, math.radians(62.0), 1280, 720)
LIMITS = GimbalLimits((-2.3, 2.3), (-0.4, 1.5))
AHEAD = BearingState(0.0, 0.0, 0.4)


def sought(track_id: int, yaw_deg: float, pitch_deg: float, size_px: float = 30.0) -> ViewTarget:
    """Return an upright target whose longer side is this many pixels at zoom 1."""
    side = size_px / WIDE.pixels_per_rad
    return ViewTarget(
        track_id, math.radians(yaw_deg), math.radians(pitch_deg), 0.5 * side, side, needs_px=100.0
    )


def lens_of(view: CloseView) -> CameraView:
    hfov = 2.0 * math.atan(math.tan(WIDE.hfov_rad / 2.0) / view.zoom)
    return CameraView(view.yaw_rad, view.pitch_rad, 0.0, hfov, WIDE.width, WIDE.height)


def tour(things: list[ViewTarget]) -> tuple[CloseView, ...]:
    return plan_views(things, AHEAD, 1.0, WIDE, LIMITS)


def test_nothing_sought_is_nothing_to_see():
    assert tour([]) == ()


def test_one_candidate_is_shown_as_large_as_it_must_be():
    (view,) = tour([sought(7, 20, 25)])
    assert view.track_ids == (7,)
    assert view.zoom == pytest.approx(ViewPlanningSettings().size_margin * 100.0 / 30.0)
    assert (view.yaw_rad, view.pitch_rad) == pytest.approx((math.radians(20), math.radians(25)))


def test_neighbours_share_a_view():
    views = tour([sought(1, 0, 20), sought(2, 7, 22), sought(3, 4, 24), sought(4, 60, 20)])
    assert [view.track_ids for view in views] == [(1, 2, 3), (4,)]


def test_the_way_is_short():
    yaws_deg = (60, -20, 40, -60, 20, -40)
    views = tour([sought(index, yaw, 20) for index, yaw in enumerate(yaws_deg)])
    way_deg = [0, *(yaws_deg[view.track_ids[0]] for view in views)]
    assert sum(abs(b - a) for a, b in zip(way_deg, way_deg[1:], strict=False)) == 180


def test_a_tie_goes_to_the_first_given():
    both = [sought(1, 30, 20), sought(2, -30, 20)]
    assert [view.track_ids for view in tour(both)] == [(1,), (2,)]


def test_what_fills_the_picture_is_not_cut():
    large = ViewTarget(1, 0.0, 0.5, 0.5, 0.2, needs_px=5000.0)
    assert 1.0 <= tour([large])[0].zoom < 1.7
    assert tour([sought(1, 0, 20, 1.0)])[0].zoom == ViewPlanningSettings().zoom_max


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(-10, 70), st.floats(10, 120)),
        min_size=1,
        max_size=25,
    )
)
def test_a_tour_shows_every_candidate_whole_and_large_enough(places):
    things = [sought(index, *place) for index, place in enumerate(places)]
    views = tour(things)
    assert sorted(index for view in views for index in view.track_ids) == list(range(len(things)))
    for view in views:
        lens = lens_of(view)
        for index in view.track_ids:
            one = things[index]
            assert lens.pixels_per_rad * one.height_rad >= min(one.needs_px, 99.9) * 0.999
            half_yaw = one.width_rad / 2.0 / math.cos(one.pitch_rad)
            corners = [
                (one.yaw_rad + x * half_yaw, one.pitch_rad + y * one.height_rad / 2.0)
                for x in (-1, 1)
                for y in (-1, 1)
            ]
            assert lens.contains(corners).all()


@pytest.mark.parametrize("costs", [{"zoom_max": 0.0}, {"edge_margin": 0.6}, {"extent_margin": 0.5}])
def test_senseless_costs_are_refused(costs):
    ((name, value),) = costs.items()
    with pytest.raises(ConfigurationError, match=f"{name}: {value}, allowed is"):
        ViewPlanningSettings(**costs)

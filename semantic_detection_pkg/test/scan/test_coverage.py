"""Areas, their cut to the gimbal's limits, and the map of what has been seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import CellResult
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import (
    Area,
    GimbalLimits,
    check_area,
    cut_to_limits,
    is_within,
)
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria, CoverageMap

CELL = math.radians(0.5)
LIMITS = GimbalLimits((-2.0, 2.0), (-0.4, 1.5))


def rad(*degrees: float) -> tuple[float, ...]:
    return tuple(math.radians(value) for value in degrees)


def wide_area() -> Area:
    return Area(*rad(-75, 75, -10, 50))


def view_at(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0, hfov_deg: float = 62.0):
    return CameraView(*rad(yaw_deg, pitch_deg, roll_deg, hfov_deg), 1280, 720)


def once(**changes: float) -> CoverageCriteria:
    return CoverageCriteria(**{"min_views": 1, "edge_margin": 0.0, **changes})


# --------------------------------------------------------------------------------- areas


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (Area(*rad(10, -10, 0, 20)), "yaw 10..-10 deg: the first must be the lesser"),
        (Area(*rad(-10, 10, 20, 20)), "pitch 20..20 deg: the first must be the lesser"),
        (Area(*rad(-200, 200, 0, 20)), "spans more than 360 deg"),
        (Area(*rad(-10, 10, 0, 100)), r"must lie in -90..90 deg"),
        (Area(math.nan, 1.0, 0.0, 1.0), "must be finite"),
        (Area(bearings=((0.0, 2.0),)), "pitch in -90..90"),
        (Area(bearings=((math.inf, 0.0),)), "must be finite"),
        (Area(*rad(120, 140, 0, 20)), "yaw 120..140 deg lies outside the gimbal's limits"),
        (Area(bearings=((2.5, 0.0), (-2.5, 0.0))), "none of 2 bearings"),
    ],
)
def test_contradictory_or_unreachable_areas_are_refused_in_one_line(area, reason):
    with pytest.raises(ConfigurationError, match=reason) as caught:
        cut_to_limits(area, LIMITS)
    assert "\n" not in str(caught.value)


def test_an_area_within_the_limits_stays_as_it_is():
    assert cut_to_limits(wide_area(), LIMITS) == (wide_area(), "")


def test_what_is_cut_from_an_area_is_said():
    area, told = cut_to_limits(Area(-3.0, 1.0, -1.0, 1.0), LIMITS)
    assert area == Area(-2.0, 1.0, -0.4, 1.0)
    assert told == (
        "area cut to the gimbal's limits: yaw -171.9..57.3 deg to -114.6..57.3 deg "
        "and pitch -57.3..57.3 deg to -22.92..57.3 deg"
    )


def test_an_endless_yaw_cuts_nothing_from_behind():
    behind = Area(*rad(150, 210, 0, 20))
    assert cut_to_limits(behind, GimbalLimits(is_endless=True)) == (behind, "")


def test_bearings_beyond_the_limits_are_left_out_and_said():
    area, told = cut_to_limits(Area(bearings=((0.5, 0.2), (2.5, 0.0))), LIMITS)
    assert area.bearings == ((0.5, 0.2),)
    assert "1 of 2 bearings left out, the first at yaw 143.2, pitch 0 deg" in told


@given(st.tuples(*[st.floats(-4, 4)] * 4))
def test_a_cut_area_lies_within_both_or_is_refused(values):
    asked = Area(*values)
    try:
        area, told = cut_to_limits(asked, LIMITS)
    except ConfigurationError:
        return
    check_area(area)
    assert LIMITS.nearest((area.yaw_min_rad, area.pitch_min_rad)) == (
        area.yaw_min_rad,
        area.pitch_min_rad,
    )
    assert area.yaw_min_rad < area.yaw_max_rad


@pytest.mark.parametrize(
    ("area", "bearing", "is_in"),
    [
        (Area(*rad(-10, 20, 0, 30)), rad(19, 29), True),
        (Area(*rad(-10, 20, 0, 30)), rad(20.5, 30.5), True),
        (Area(*rad(-10, 20, 0, 30)), rad(22, 10), False),
        (Area(*rad(-10, 20, 0, 30)), rad(0, -2), False),
        (Area(*rad(150, 210, 0, 30)), rad(-170, 10), True),
        (Area(*rad(150, 210, 0, 30)), rad(-140, 10), False),
        (Area(bearings=(rad(0, 0),)), rad(90, 0), True),
    ],
)
def test_what_lies_in_an_area(area, bearing, is_in):
    assert is_within(area, bearing, math.radians(1.0)) is is_in


@pytest.mark.parametrize("limits", [{"yaw_rad": (1.0, -1.0)}, {"rate_rad_s": 0.0}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(ConfigurationError, match="gimbal limits: yaw|rate_rad_s: 0.0, allowed is"):
        GimbalLimits(**limits)


# --------------------------------------------------------------------------------- the map


@given(
    yaw=st.floats(-200, 200),
    pitch=st.floats(-30, 90),
    roll=st.floats(-40, 40),
    hfov=st.floats(4, 100),
)
def test_a_picture_marks_the_cells_that_its_optics_show(yaw, pitch, roll, hfov):
    coverage = CoverageMap(wide_area(), math.radians(3.0), once())
    view = view_at(yaw, pitch, roll, hfov)
    coverage.add_view(view, 5.0)
    grid = np.meshgrid(coverage.yaw_rad, coverage.pitch_rad)
    share = view.project(np.stack([axis.ravel() for axis in grid], 1)) / (view.width, view.height)
    depth = np.abs(share - 0.5).max(axis=1)  # NaN behind the camera
    expected = (depth <= 0.5).reshape(grid[0].shape)
    undecided = (np.abs(depth - 0.5) < 1e-9).reshape(expected.shape)
    assert np.array_equal(~coverage.unseen() | undecided, expected | undecided)
    assert np.array_equal(np.isfinite(coverage.last_seen_s), ~coverage.unseen())


def test_a_cell_needs_enough_looks():
    coverage = CoverageMap(wide_area(), CELL, once(min_views=3))
    for look in range(3):
        assert coverage.share_seen() == 0.0
        coverage.add_view(view_at(0, 20), float(look))
    assert 0.1 < coverage.share_seen() < 0.5


def test_smeared_or_coarse_pictures_do_not_count():
    criteria = once(exposure_time_s=0.004, max_motion_blur_px=2.0, pixels_per_rad=1000.0)
    coverage = CoverageMap(wide_area(), CELL, criteria)
    view = view_at(0, 20)
    fast = 1.2 * criteria.max_sharp_yaw_rate_rad_s(view)
    assert not coverage.add_view(view, 0.0, (fast, 0.0))
    assert not coverage.add_view(view, 0.0, (0.0, fast))
    assert not coverage.add_view(view_at(0, 20, hfov_deg=70), 0.0)
    assert coverage.share_seen() == 0.0
    assert coverage.add_view(view, 0.0, (0.9 * criteria.max_sharp_yaw_rate_rad_s(view), 0.0))
    assert coverage.share_seen() > 0.1
    assert coverage.share_seen(pixels_per_rad=2000.0) == 0.0


def test_yaw_smears_less_the_farther_the_camera_looks_down():
    criteria = CoverageCriteria()
    assert criteria.motion_blur_px(view_at(0, 60), (1.0, 0.0)) == pytest.approx(
        criteria.motion_blur_px(view_at(0, 0), (1.0, 0.0)) / 2
    )


def test_the_edge_of_a_picture_does_not_count():
    whole, inner = (CoverageMap(wide_area(), CELL, once(edge_margin=edge)) for edge in (0.0, 0.1))
    for coverage in (whole, inner):
        coverage.add_view(view_at(0, 20), 0.0)
    assert inner.share_seen() < 0.75 * whole.share_seen()
    assert not (whole.unseen() & ~inner.unseen()).any()


def test_what_is_kept_of_a_view_is_that_of_no_other_and_stays_as_it_is():
    made = CoverageMap(wide_area(), CELL)
    looks = (Look(0, 0, 1280, 720, 0.5), Look(0, 0, 640, 720, 1.0))
    views = view_at(0, 20), view_at(30, 10, hfov_deg=30.0), view_at(0, 20, roll_deg=9.0)
    for view in (*views, *views):
        made.add_view(view, 1.0, looks=looks)
        for _ in range(2):
            fresh = CoverageMap(wide_area(), CELL).gains_in(view, looks)
            for found, expected in zip(made.gains_in(view, looks), fresh, strict=True):
                assert found[:2] == expected[:2]
                assert np.array_equal(found[2], expected[2])
                found[2][:] = 9.0  # the caller's own


def test_ages_and_revisits():
    coverage = CoverageMap(wide_area(), CELL, once())
    coverage.add_view(view_at(-40, 20), 10.0)
    coverage.add_view(view_at(40, 20), 50.0)
    ages = coverage.ages_s(60.0)
    assert set(np.unique(ages)) == {10.0, 50.0, math.inf}
    before = int(coverage.unseen().sum())
    assert coverage.forget_older(60.0, 30.0) == before + int((ages == 50.0).sum())
    assert np.isfinite(coverage.last_seen_s).sum() == (ages < math.inf).sum()


def test_results_are_kept_where_they_were_marked():
    coverage = CoverageMap(wide_area(), CELL, once())
    coverage.mark(rad(10, 20), rad(2, 1), CellResult.CANDIDATE)
    coverage.add_view(view_at(0, 20), 0.0)
    candidates = coverage.results == CellResult.CANDIDATE
    assert 8 <= candidates.sum() <= 18
    assert np.all(np.abs(coverage.yaw_rad[candidates.any(axis=0)] - math.radians(10)) < 0.03)
    assert (coverage.results == CellResult.EMPTY).sum() > 1000
    coverage.mark(rad(10, 20), (0.0, 0.0), CellResult.FINDING)
    assert (coverage.results == CellResult.FINDING).sum() == 1
    coverage.mark(rad(170, 20), rad(2, 1), CellResult.FINDING)  # beyond the map: nothing
    assert (coverage.results == CellResult.FINDING).sum() == 1


def test_an_area_behind_the_gimbal_is_one_piece():
    coverage = CoverageMap(Area(*rad(150, 210, 0, 20)), CELL, once())
    coverage.add_view(view_at(-180, 10, hfov_deg=30), 0.0)
    columns = np.nonzero(~coverage.unseen().all(axis=0))[0]
    assert np.all(np.diff(columns) == 1)
    assert coverage.yaw_rad[columns].mean() == pytest.approx(math.pi, abs=CELL)


def test_bearings_are_cells_of_their_own():
    coverage = CoverageMap(Area(bearings=(rad(0, 0), rad(30, 10))), CELL, once())
    assert coverage.is_wanted.sum() == 2
    coverage.add_view(view_at(0, 0, hfov_deg=10), 0.0)
    assert coverage.share_seen() == 0.5


@pytest.mark.parametrize("cell_deg", [0.0, -1.0, math.nan, 0.001])
def test_senseless_cells_are_refused(cell_deg):
    with pytest.raises(ConfigurationError, match="cell_rad: .*, allowed is|cells .* are too many"):
        CoverageMap(wide_area(), math.radians(cell_deg))


@pytest.mark.parametrize(
    "criteria", [{"max_motion_blur_px": 0.0}, {"min_views": 0}, {"edge_margin": 0.5}]
)
def test_senseless_criteria_are_refused(criteria):
    ((name, value),) = criteria.items()
    with pytest.raises(ConfigurationError, match=f"{name}: {value}, allowed is"):
        CoverageCriteria(**criteria)

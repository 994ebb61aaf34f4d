"""Pixels to bearings and back, against the simulated world's exact projection and differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.optics import CameraView, bearing, direction, wrapped
from simulation_pkg.core.world.geometry import CameraPose, Lens, projection

LENS = Lens(1280, 720)
views = st.builds(
    CameraView,
    yaw_rad=st.floats(-3.1, 3.1),
    pitch_rad=st.floats(-0.9, 0.9),  # so that no pixel shows the pole
    roll_rad=st.floats(-0.5, 0.5),
    hfov_rad=st.floats(0.05, 1.3),
    width=st.just(1280),
    height=st.just(720),
)
pixels = st.tuples(st.floats(0, 1280), st.floats(0, 720))


@given(yaw=st.floats(-3.1, 3.1), pitch=st.floats(-1.4, 1.4))
def test_bearing_is_the_inverse_of_direction(yaw, pitch):
    assert bearing(direction(yaw, pitch)) == pytest.approx((yaw, pitch), abs=1e-9)


@given(view=views, point=pixels)
def test_project_is_the_inverse_of_bearings_of(view, point):
    assert view.project(view.bearings_of([point]))[0] == pytest.approx(point, abs=1e-5)


@given(
    view=views,
    off=st.tuples(st.floats(-4, 4), st.floats(-2.5, 2.5)),
    margin=st.sampled_from((0.0, 0.06, -0.1)),
)
def test_whether_it_shows_one_bearing_is_whether_it_contains_it(view, off, margin):
    there = (view.yaw_rad + off[0], view.pitch_rad + off[1])
    assert view.shows(there, margin) is bool(view.contains([there], margin)[0])


@given(view=views, share=st.floats(0, 1), margin=st.sampled_from((0.0, 0.06)))
def test_at_the_very_edge_one_bearing_is_judged_as_many_are(view, share, margin):
    x, y = margin * view.width, share * view.height
    (there,) = view.bearings_of([(x, y)]).tolist()
    for nudge in (-1e-12, 0.0, 1e-12):
        near = (there[0] + nudge, there[1])
        assert view.shows(near, margin) is bool(view.contains([near], margin)[0])


@given(view=views, zoom=st.floats(1, 20), off=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)))
def test_it_agrees_with_the_simulated_camera(view, zoom, off):
    there = (view.yaw_rad + off[0], view.pitch_rad + off[1])
    same = CameraView(
        view.yaw_rad, view.pitch_rad, view.roll_rad, LENS.hfov_rad(zoom), LENS.width, LENS.height
    )
    pose = CameraPose(view.yaw_rad, view.pitch_rad, view.roll_rad, zoom)
    homogeneous = projection(LENS, pose) @ direction(*there)
    assert same.project([there])[0] == pytest.approx(homogeneous[:2] / homogeneous[2], abs=1e-5)


def test_what_is_behind_has_no_pixels_and_is_not_contained():
    view = CameraView(3.0, 0.2, 0.0, 1.0, 640, 360)
    bearings = [(3.0, 0.2), (-3.1, 0.2), (0.0, 0.2)]
    assert np.isnan(view.project(bearings)).any(axis=1).tolist() == [False, False, True]
    assert view.contains(bearings).tolist() == [True, True, False]


def test_margins_count_as_shares_of_the_picture():
    view = CameraView(0.0, 0.0, 0.0, 1.0, 640, 360)
    bearings = view.bearings_of([(10.0, 180.0), (40.0, 180.0), (-20.0, 180.0)])
    assert view.contains(bearings).tolist() == [True, True, False]
    assert view.contains(bearings, margin=0.05).tolist() == [False, True, False]
    assert view.contains(bearings, margin=-0.05).tolist() == [True, True, True]


def test_sizes_add_up_to_the_field_of_view():
    view = CameraView(0.3, 0.4, 0.0, 1.1, 1280, 720)
    boxes = [(0, 0, 1280, 720), (0, 300, 640, 420), (640, 300, 1280, 420)]
    widths, heights = view.sizes_of(boxes).T
    assert widths == pytest.approx([1.1, 0.55, 0.55])
    assert heights[0] == pytest.approx(view.vfov_rad)
    assert view.vfov_rad == pytest.approx(2 * math.atan(math.tan(0.55) * 720 / 1280))


@given(view=views, first=pixels, second=pixels)
def test_boxes_of_is_the_inverse_of_sizes_of(view, first, second):
    corners = np.sort([first, second], axis=0)
    box = np.concatenate([corners[0], corners[1] + 1.0])
    middle = (box[:2] + box[2:]) / 2
    found = view.boxes_of(view.bearings_of([middle]), view.sizes_of([box]))[0]
    assert found == pytest.approx(box, abs=1e-4)


@given(view=views, point=pixels)
def test_covariance_against_differences(view, point):
    steps = np.array(point) + [(0, 0), (0.01, 0), (0, 0.01)]
    middle, right, down = view.bearings_of(steps)
    moves = wrapped(np.stack([right - middle, down - middle], 1)) / 0.01
    expected = moves @ np.diag([4.0, 9.0]) @ moves.T + 1e-6 * np.eye(2)
    found = view.bearing_covariance([point], [(2.0, 3.0)], pose_sigma_rad=1e-3)[0]
    assert found == pytest.approx(expected, rel=2e-2, abs=1e-9)


@given(view=views, point=pixels, rates=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_rates_against_differences(view, point, rates):
    step_s = 1e-5
    later = CameraView(
        view.yaw_rad + rates[0] * step_s,
        view.pitch_rad + rates[1] * step_s,
        view.roll_rad,
        view.hfov_rad,
        view.width,
        view.height,
    )
    before, after = view.bearings_of([point])[0], later.bearings_of([point])[0]
    expected = wrapped(after - before) / step_s
    assert view.bearing_rates([point], *rates)[0] == pytest.approx(expected, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((math.nan, 0, 0, 1.0, 64, 36), "yaw, pitch and roll must be finite"),
        ((0, 0, 0, 0.0, 64, 36), "hfov 0.0 rad must be above 0 and below pi"),
        ((0, 0, 0, 1.0, 0, 36), "picture 0x36 must be at least 1x1"),
    ],
)
def test_bad_views_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        CameraView(*values)

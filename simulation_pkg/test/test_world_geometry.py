"""The simulated camera's geometry against plain trigonometry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.optics import bearing, direction
from simulation_pkg.core.world.geometry import (
    CameraPose,
    Lens,
    ground_homography,
    project,
    projection,
)

LENS = Lens(1280, 720)
angles = st.floats(-1.4, 1.4)


def pixel_of(pose: CameraPose, yaw_rad: float, pitch_rad: float, lens: Lens = LENS) -> np.ndarray:
    homogeneous = projection(lens, pose) @ direction(yaw_rad, pitch_rad)
    assert homogeneous[2] > 0
    return homogeneous[:2] / homogeneous[2]


@given(yaw=st.floats(-3.1, 3.1), pitch=angles)
def test_bearing_is_the_inverse_of_direction(yaw, pitch):
    assert bearing(direction(yaw, pitch)) == pytest.approx((yaw, pitch), abs=1e-9)


@given(yaw=angles, pitch=angles, zoom=st.floats(1, 20))
def test_the_optical_axis_meets_the_middle_of_the_picture(yaw, pitch, zoom):
    assert pixel_of(CameraPose(yaw, pitch, 0.0, zoom), yaw, pitch) == pytest.approx(
        (640, 360), abs=1e-6
    )


@pytest.mark.parametrize("zoom", [1.0, 2.0, 10.0])
def test_the_field_of_view_ends_at_the_edges(zoom):
    half = LENS.hfov_rad(zoom) / 2
    pose = CameraPose(0.0, 0.0, 0.0, zoom)
    assert pixel_of(pose, half, 0.0)[0] == pytest.approx(0.0, abs=1e-6)
    assert pixel_of(pose, -half, 0.0)[0] == pytest.approx(1280.0, abs=1e-6)
    assert math.tan(half) * zoom == pytest.approx(math.tan(LENS.hfov_wide_rad / 2))


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll", "moves_x", "moves_y"),
    [
        (0.05, 0.0, 0.0, -1, 0),  # further left in the world is further left in the picture
        (0.0, 0.05, 0.0, 0, 1),  # further down is further down
        (0.05, 0.0, math.pi / 2, 0, 1),  # right side down: the world's left is the picture's bottom
    ],
)
def test_signs(yaw, pitch, roll, moves_x, moves_y):
    x, y = pixel_of(CameraPose(0.0, 0.0, roll), yaw, pitch) - (640, 360)
    assert (round(x / 40), round(y / 40)) == (moves_x, moves_y)


@given(yaw=st.floats(-0.4, 0.4), pitch=st.floats(-0.2, 0.2), base=st.floats(0.1, 1.0))
def test_a_bearing_off_the_axis_against_spherical_trigonometry(yaw, pitch, base):
    there = base + pitch
    forward = math.cos(there) * math.cos(yaw) * math.cos(base) + math.sin(there) * math.sin(base)
    right = -math.cos(there) * math.sin(yaw)
    down = math.sin(there) * math.cos(base) - math.cos(there) * math.cos(yaw) * math.sin(base)
    focal = 640 / math.tan(LENS.hfov_wide_rad / 2)
    expected = (640 + focal * right / forward, 360 + focal * down / forward)
    assert pixel_of(CameraPose(1.0, base), 1.0 + yaw, there) == pytest.approx(expected, abs=1e-6)


def test_the_rolling_shutter_shears_about_the_middle_row():
    pose = CameraPose(0.2, 0.0, yaw_rate_rad_s=0.5)
    still = CameraPose(0.2, 0.0)
    focal = LENS.focal_px(1.0)
    for yaw, pitch in ((0.2, 0.0), (0.3, 0.2), (0.1, -0.25)):
        plain = pixel_of(still, yaw, pitch)
        late_s = (plain[1] - 360) / 720 * LENS.readout_s
        # Turning left moves the scene right, more so for rows that are read later.
        moved = pixel_of(pose, yaw, pitch)
        assert moved - plain == pytest.approx((focal * 0.5 * late_s, 0.0), abs=1e-6)


def test_what_is_behind_the_camera_has_no_pixels():
    ground = ground_homography(projection(LENS, CameraPose(0.0, 0.4)), 20.0)
    assert project(ground, np.array([[50.0, 0.0]])) is not None
    assert project(ground, np.array([[50.0, 0.0], [-50.0, 0.0]])) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CameraPose(0.0, 0.0, zoom=0.5), "zoom: 0.5, allowed is 1 or more"),
        (lambda: CameraPose(math.nan, 0.0), "must be finite"),
        (lambda: Lens(width=8), "picture 8x720"),
        (lambda: Lens(hfov_wide_rad=3.0), "hfov_wide_rad: 3.0, allowed is 0.01..2.6"),
        (lambda: Lens(exposure_s=-1.0), "exposure_s: -1.0, allowed is 0 or more"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

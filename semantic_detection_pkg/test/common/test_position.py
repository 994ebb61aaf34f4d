"""Bearings to positions: against independent geometry, and ellipses against Monte Carlo."""

import math

import numpy as np
import pymap3d
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from semantic_detection_pkg.common.core.position import NoPosition, Place, Position, locate

LEVEL = (0.0, 0.0, 0.0, 1.0)  # x east
HERE = (47.3, 8.5, 520.0)


def place(quaternion=LEVEL, **changes) -> Place:
    return Place(*HERE, quaternion, **changes)


@pytest.mark.parametrize(("yaw_deg", "heading_deg"), [(0, 90), (90, 0), (180, 270), (-90, 180)])
def test_a_level_base_sees_the_four_winds(yaw_deg, heading_deg):
    found = locate(place(), math.radians(yaw_deg), math.atan2(20.0, 100.0), 500.0)
    assert isinstance(found, Position)
    azimuth, _, distance = pymap3d.geodetic2aer(
        found.latitude_deg, found.longitude_deg, found.altitude_m, *HERE
    )
    assert math.remainder(azimuth - heading_deg, 360.0) == pytest.approx(0.0, abs=1e-3)
    assert distance == pytest.approx(math.hypot(20.0, 100.0), rel=1e-3)
    assert found.range_m == pytest.approx(math.hypot(20.0, 100.0))


@given(
    yaw=st.floats(-3.1, 3.1),
    pitch=st.floats(0.15, 1.4),
    turn=st.tuples(st.floats(-3.1, 3.1), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
)
def test_looking_back_from_the_position_gives_the_bearing(yaw, pitch, turn):
    rotation = Rotation.from_euler("ZYX", turn)
    found = locate(place(tuple(rotation.as_quat())), yaw, pitch, 480.0)
    if isinstance(found, NoPosition):
        assert "below the horizon" in found.reason
        return
    enu = pymap3d.geodetic2enu(found.latitude_deg, found.longitude_deg, 480.0, *HERE)
    x, y, z = rotation.inv().apply(enu)
    # The ground of 480 m curves away from the level plane, by distance^2 / 2 R: 1 cm at 400 m.
    curved_rad = math.hypot(x, y) / 2.0 / 6.37e6
    assert math.atan2(-z, math.hypot(x, y)) == pytest.approx(pitch, abs=2e-4 + curved_rad)
    assert math.remainder(math.atan2(y, x) - yaw, math.tau) == pytest.approx(0.0, abs=2e-3)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.4, 0.5), (2.0, 0.3), (-1.2, 0.9)])
def test_the_ellipse_against_monte_carlo(yaw, pitch):
    rng = np.random.default_rng(5)
    count = 20000
    rotation = Rotation.from_euler("ZYX", (0.7, 0.03, -0.05))
    spread = np.array([[0.004**2, 0.3 * 0.004 * 0.003], [0.3 * 0.004 * 0.003, 0.003**2]])
    mean = place(
        tuple(rotation.as_quat()),
        sigma_horizontal_m=1.5,
        sigma_vertical_m=1.0,
        sigma_attitude_rad=0.01,
    )
    covariance = (spread[0, 0], spread[0, 1], spread[1, 1])
    found = locate(mean, yaw, pitch, 480.0, covariance, sigma_ground_m=0.5)
    assert isinstance(found, Position)

    bearings = rng.multivariate_normal((yaw, pitch), spread, count)
    rays = np.column_stack(
        [
            np.cos(bearings[:, 1]) * np.cos(bearings[:, 0]),
            np.cos(bearings[:, 1]) * np.sin(bearings[:, 0]),
            -np.sin(bearings[:, 1]),
        ]
    )
    rays = Rotation.from_rotvec(rng.normal(0, 0.01, (count, 3))).apply(rotation.apply(rays))
    heights = 40.0 + rng.normal(0, 1.0, count) + rng.normal(0, 0.5, count)
    ground = rays[:, :2] * (heights / -rays[:, 2])[:, None] + rng.normal(0, 1.5, (count, 2))
    values, vectors = np.linalg.eigh(np.cov(ground.T))
    assert found.ellipse_minor_m == pytest.approx(math.sqrt(values[0]), rel=0.06)
    assert found.ellipse_major_m == pytest.approx(math.sqrt(values[1]), rel=0.06)
    heading = math.atan2(vectors[0, 1], vectors[1, 1])
    off = math.remainder(found.ellipse_heading_rad - heading, math.pi)
    assert off == pytest.approx(0.0, abs=0.08)


@pytest.mark.parametrize(
    ("pitch", "ground_m", "reason"),
    [
        (-0.1, 500.0, "the bearing points -5.7 deg below the horizon, at least 0.5 deg"),
        (0.001, 500.0, "the bearing points 0.1 deg below the horizon"),
        (0.5, 530.0, "the camera at 520.0 m is not above the ground at 530.0 m"),
    ],
)
def test_no_position_says_why(pitch, ground_m, reason):
    found = locate(place(), 0.0, pitch, ground_m)
    assert isinstance(found, NoPosition)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Place(91.0, 0.0, 0.0, LEVEL), "latitude_deg: 91.0, allowed is -90..90"),
        (lambda: Place(0.0, 0.0, math.nan, LEVEL), "must be finite"),
        (lambda: Place(0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0)), "the quaternion is zero"),
        (lambda: Place(0.0, 0.0, 0.0, LEVEL, -1.0), "allowed is 0 or more"),
    ],
)
def test_bad_places_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""The delay between pictures and poses, from what tracks seem to do while the gimbal turns."""

import math

import numpy as np
import pytest

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.tracking.delay import (
    DelayEstimate,
    DelayEstimator,
    DelaySettings,
)
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker

WIDTH, HEIGHT, HFOV = 1280, 720, math.radians(62)


def turning(time_s: float) -> tuple[float, float]:
    """Return yaw and its rate of a gimbal that slews to and fro, up to 43 deg/s. [rad], [rad/s]"""
    return 0.3 * math.sin(2.5 * time_s), 0.75 * math.cos(2.5 * time_s)


def resting(time_s: float) -> tuple[float, float]:
    return 0.1, 0.0


def steady(time_s: float) -> tuple[float, float]:
    return -0.2 + 0.08 * time_s, 0.08


def view_at(yaw_rad: float) -> CameraView:
    return CameraView(yaw_rad, 0.3, 0.0, HFOV, WIDTH, HEIGHT)


def simulate(
    delay_s: float,
    motion=turning,
    seconds: float = 6.0,
    speeds=(0.0, 0.0, 0.0),
    outliers: float = 0.0,
    is_applied: bool = True,
    seed: int = 0,
) -> DelayEstimator:
    """Simulate objects, some moving; pictures show the pose of `delay_s` after their stamp."""
    rng = np.random.default_rng(seed)
    tracker, estimator = Tracker(), DelayEstimator()
    for frame in range(round(seconds * 10)):
        now_s = frame / 10
        truth = view_at(motion(now_s + delay_s)[0])
        bearings = [(-0.15 + 0.15 * n + v * now_s, 0.2 + 0.1 * n) for n, v in enumerate(speeds)]
        middles = truth.project(bearings) + rng.normal(0, 1.0, (len(speeds), 2))
        middles += (rng.random((len(speeds), 1)) < outliers) * rng.normal(0, 40, (len(speeds), 2))
        boxes = np.concatenate([middles - (10, 15), middles + (10, 15)], axis=1)
        inside = (middles > 20).all(axis=1) & (middles < (WIDTH - 20, HEIGHT - 20)).all(axis=1)
        count = int(inside.sum())
        found = Detections(WIDTH, HEIGHT, [0] * count, [0.8] * count, boxes[inside])
        applied_s = estimator.applied_s if is_applied else 0.0
        yaw, rate = motion(now_s + applied_s)
        view, stamp_ns = view_at(yaw), 1_700_000_000_000_000_000 + round(now_s * 1e9)
        tracks = tracker.update(stamp_ns, view, found, ["person"])
        estimator.update(stamp_ns, view, rate, 0.0, tracks, applied_s)
    return estimator


@pytest.mark.parametrize("delay_s", [0.04, -0.03, 0.06, 0.0])
@pytest.mark.parametrize("is_applied", [True, False])
def test_a_stamp_error_is_found_within_5_ms(delay_s, is_applied):
    estimate = simulate(delay_s, is_applied=is_applied).estimate
    assert estimate.delay_s == pytest.approx(delay_s, abs=0.005)
    assert estimate.sigma_s < 0.004


@pytest.mark.parametrize("seed", range(4))
def test_moving_things_and_outliers_do_not_matter(seed):
    found = simulate(0.04, speeds=(0.02, -0.03, 0.0, 0.01), outliers=0.1, seconds=10, seed=seed)
    assert found.estimate.delay_s == pytest.approx(0.04, abs=0.005)


@pytest.mark.parametrize("motion", [resting, steady])
def test_without_a_change_of_rate_it_is_unknown(motion):
    estimator = simulate(0.04, motion)
    assert not estimator.estimate.is_known
    assert math.isnan(estimator.estimate.delay_s)
    assert estimator.applied_s == 0.0


def test_its_own_doubt_is_honest():
    errors = [simulate(0.04, seconds=4, seed=seed).estimate for seed in range(12)]
    scaled = [(one.delay_s - 0.04) / one.sigma_s for one in errors if one.is_known]
    assert len(scaled) >= 10
    assert np.sqrt(np.mean(np.square(scaled))) < 2.0


def test_an_estimate_is_held_while_the_gimbal_rests():
    estimator = simulate(0.04)
    known = estimator.estimate
    estimator.update(1_800_000_000_000_000_000, view_at(0.0), 0.0, 0.0, (), known.delay_s)
    assert estimator.estimate.is_known
    assert estimator.applied_s == pytest.approx(known.delay_s, abs=1e-4)


def test_unknown_is_said_as_nan():
    assert not DelayEstimate().is_known
    with pytest.raises(ValueError, match="max_sigma_s: 0.0, allowed is more than 0"):
        DelaySettings(max_sigma_s=0.0)

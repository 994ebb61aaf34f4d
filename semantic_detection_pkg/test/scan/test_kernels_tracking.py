"""The compiled kernels of tracking against their twins: the same bits, whatever comes."""

import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan import kernels
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker
from semantic_detection_pkg.scan.kernels.rules import PairRules

NAMES = ("delay", "tracking")
WORDS = ("person", "tent", "footpath")
seeds = st.integers(0, 2**32 - 1)


def both(name):
    return twin(name, "scan"), compiled(name, "scan")


def assert_same(one, other):
    """Arrays of the same values, NaN included, and of the same types."""
    for first, second in zip(one, other, strict=True):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


@needs_compiled
@pytest.mark.parametrize("name", NAMES)
def test_what_is_compiled_runs(name):
    assert kernels.implementation(name) is compiled(name, "scan")


@pytest.mark.parametrize("name", NAMES)
def test_without_it_the_twins_run(name, monkeypatch):
    versions = import_module("semantic_detection_pkg.common.kernels.versions")
    monkeypatch.setattr(versions, "find_spec", lambda _: None)
    assert kernels.implementation.__wrapped__(name) is twin(name, "scan")


class Scene:
    """Detections and tracks of a picture: some cut off, some alike, some behind the camera."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        m, n = random.integers(0, 9, 2)
        self.view = CameraView(
            random.uniform(-3.2, 3.2),
            random.uniform(-0.4, 1.5),
            random.uniform(-0.3, 0.3),
            math.exp(random.uniform(-3.5, 0.3)),
            1280,
            720,
        )
        size = np.array([1280.0, 720.0])
        middles, sides = random.uniform(-0.1, 1.1, (m, 2)) * size, random.uniform(0, 0.4, (m, 2))
        sides *= size * random.choice([0.05, 0.3, 1.0, 3.0], (m, 1))
        boxes = np.concatenate([middles - sides / 2, middles + sides / 2], axis=1)
        self.boxes = np.clip(boxes, 0, np.tile(size, 2)).astype(np.float32).astype(np.float64)
        near = np.resize(self.boxes, (n, 4)) if m else np.tile([100.0, 100.0, 130.0, 160.0], (n, 1))
        self.expected = near + random.normal(0, random.choice([0.0, 2.0, 60.0]), (n, 1))
        self.positions = self.view.bearings_of((self.expected[:, :2] + self.expected[:, 2:]) / 2)
        if n:
            self.positions[0, 0] += math.pi * random.integers(0, 2)
        self.sizes_rad = self.view.sizes_of(self.expected) * random.uniform(0.5, 1.5, (n, 2))
        self.variances = np.exp(random.uniform(-16, -5, (n, 2)))
        self.labels, self.track_labels = random.integers(0, 3, m), random.integers(0, 3, n)
        self.is_known = random.random(n) < 0.7
        self.random = random

    @property
    def observed(self):
        noise, turning = (1.0, 0.04, 0.12, 0.0015), (2e-6, 1e-7)
        return self.view, self.boxes, (5.12, 2.88), noise, turning


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(seed=seeds)
def test_detections_and_expectations_have_the_same_bits(seed):
    scene, (one, other) = Scene(seed), both("tracking")
    assert_same(one.observe(*scene.observed), other.observe(*scene.observed))
    expected = (scene.view, scene.positions, scene.sizes_rad, scene.variances, 0.6, 9.0)
    assert_same(one.expect(*expected), other.expect(*expected))


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(seed=seeds, new_share=st.sampled_from([0.0, 0.1]))
def test_costs_have_the_same_bits_and_so_have_the_pairs_that_are_possible(seed, new_share):
    scene, (one, other) = Scene(seed), both("tracking")
    is_cut, variances = one.observe(*scene.observed)
    found, same = (
        version.pair_costs(
            scene.view,
            scene.boxes,
            is_cut,
            variances,
            scene.labels,
            scene.expected,
            scene.variances,
            scene.track_labels,
            scene.is_known,
            new_share,
            PairRules(),
        )
        for version in (one, other)
    )
    is_possible = found[1]
    assert_same(found[:2], same[:2])
    assert_same([part[is_possible] for part in found[2:]], [part[is_possible] for part in same[2:]])


@needs_compiled
@settings(max_examples=200, deadline=None)
@given(seed=seeds)
def test_states_have_the_same_bits(seed):
    random, (one, other) = np.random.default_rng(seed), both("tracking")
    n = int(random.integers(0, 12))
    position = random.uniform(-math.pi, math.pi, (n, 2))
    spreads = np.exp(random.uniform(-14, -3, (2, n, 2)))
    covariance = random.uniform(-1, 1, (n, 2)) * np.sqrt(spreads.prod(axis=0))
    states = np.array([position, random.normal(0, 0.3, (n, 2)), *spreads, covariance])
    terms = np.array([(0.9, 0.1, 1e-7, 1e-6, 1e-5), (0.99, 0.1, -1e-20, 1e-5, 1e-4)])
    predict = (random.random(n) < 0.5, terms, 4.0, 0.025**2)
    before, same = one.predict(states, *predict), other.predict(states, *predict)
    assert_same(before, same)
    rows = random.permutation(n)[: n // 2]
    k = len(rows)
    told = (
        rows,
        random.normal(0, 0.1, (k, 2)),
        np.exp(random.uniform(-14, -5, (k, 2))),
        random.random(k) < 0.5,
        random.random((k, 2)) < 0.3,
    )
    one.correct(before, *told)
    other.correct(same, *told)
    assert_same(before, same)


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(seed=seeds, yaw_rate=st.floats(-2, 2), pitch_rate=st.floats(-2, 2))
def test_bearings_and_their_rates_have_the_same_bits(seed, yaw_rate, pitch_rate):
    scene, (one, other) = Scene(seed), both("delay")
    turning = (scene.view, scene.boxes, yaw_rate, pitch_rate)
    assert_same(one.turn(*turning), other.turn(*turning))


@needs_compiled
@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_the_regression_has_the_same_bits(seed):
    random, (one, other) = np.random.default_rng(seed), both("delay")
    n = int(random.integers(1, 400))
    groups = np.sort(random.integers(0, 2 * n, n)) // 4
    groups -= groups.min()
    rates = random.normal(0, random.choice([0.0, 0.2]), (2, n))
    bearings = random.normal(0, 1e-3, (2, n)) - 0.04 * rates
    bearings[:, random.random(n) < 0.1] += 0.3
    samples = (groups, random.uniform(0, 4, n), bearings, rates, random.uniform(1, 1e6, n))
    assert one.regress(*samples, n // 3 + 1, 1.5, 4) == pytest.approx(
        other.regress(*samples, n // 3 + 1, 1.5, 4), rel=0.0, abs=0.0, nan_ok=True
    )


@needs_compiled
def test_a_tracker_on_twins_has_the_same_tracks(monkeypatch):
    """Over many frames of a turning, zooming camera, with misses, births and deletions."""

    def tracked():
        random, tracker, found = np.random.default_rng(3), Tracker(), []
        things = random.uniform((-0.6, 0.1), (0.6, 0.7), (25, 2))
        for frame in range(150):
            hfov = 1.0 / (1.0 + frame % 50 / 10.0)
            view = CameraView(0.5 * math.sin(frame / 20.0), 0.4, 0.02, hfov, 1280, 720)
            boxes = view.boxes_of(things, np.full((25, 2), 0.03))
            is_there = view.contains(things) & (random.random(25) < 0.8)
            boxes = np.clip(boxes[is_there], 0, [1280, 720, 1280, 720])
            scores = random.uniform(0.1, 1.0, len(boxes))
            ids = np.flatnonzero(is_there) % 3
            tracker.update(
                (frame + 1) * 100_000_000, view, Detections(1280, 720, ids, scores, boxes), WORDS
            )
            found.append(tuple(tracker.tracks))
        return found

    by_compiled = tracked()
    for module in ("association", "motion", "tracker"):
        path = f"semantic_detection_pkg.scan.core.tracking.{module}.implementation"
        monkeypatch.setattr(path, lambda name: twin(name, "scan"))
    assert tracked() == by_compiled
    assert max(len(tracks) for tracks in by_compiled) > 15

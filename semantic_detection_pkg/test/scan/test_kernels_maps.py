"""The compiled kernels of the maps against their twins: the same bits, whatever comes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin

from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria, CoverageMap
from semantic_detection_pkg.scan.core.planning.search_problem import class_pods
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.thing_sizes import Ground, PodSettings
from semantic_detection_pkg.scan.kernels.rules import GroupRules

seeds = st.integers(0, 2**32 - 1)
AREA = Area(-0.8, 0.8, 0.05, 0.6)
TILES = (Look(0, 0, 1280, 720, 0.5), Look(100, 50, 740, 690, 1.0), Look(600, 0, 1240, 640, 0.8))


def both():
    return twin("maps", "scan"), compiled("maps", "scan")


def a_view(random):
    return CameraView(
        random.uniform(-1.2, 1.2),
        random.uniform(-0.2, 1.2),
        random.choice([0.0, random.uniform(-0.3, 0.3)]),
        math.exp(random.uniform(-2.5, 0.3)),
        1280,
        720,
    )


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_the_cells_that_a_view_shows_have_the_same_bits(seed):
    random = np.random.default_rng(seed)
    view, yaw, pitch = a_view(random), np.linspace(-1, 1, 41), np.linspace(0, 0.7, 17)
    found = [one.shown_cells(view, yaw, np.cos(pitch), np.sin(pitch), 0.04) for one in both()]
    (rays, shown), (same, also) = found
    for first, second in zip((*rays, shown), (*same, also), strict=True):
        np.testing.assert_array_equal(first, second)


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_counts_have_the_same_bits_in_a_part_of_a_map(seed):
    random = np.random.default_rng(seed)
    shape, part = (9, 14), (slice(2, 8), slice(1, 13))
    shown = random.random((6, 12)) < 0.6
    state = (
        random.choice([-np.inf, 3.0], shape),
        random.choice([0.0, 700.0, 1500.0], shape).astype(np.float32),
        random.integers(0, 3, shape).astype(np.uint16),
        random.integers(0, 4, shape).astype(np.uint8),
    )
    is_wanted = random.random(shape) < 0.8
    after = []
    for version in both():
        arrays = [array.copy() for array in state]
        views = [array[part] for array in arrays]
        reached = version.count_view(shown, 5.0, 1234.5678, *views, is_wanted[part], 2, (0, 1))
        after.append((*arrays, np.array(reached)))
    for first, second in zip(*after, strict=True):
        np.testing.assert_array_equal(first, second)


@needs_compiled
@settings(max_examples=150, deadline=None)
@given(seed=seeds, hits=st.integers(1, 3), others=st.integers(0, 1))
def test_looks_have_the_same_bits_in_a_part_of_a_map(seed, hits, others):
    random = np.random.default_rng(seed)
    classes, shape, part = int(random.integers(0, 5)), (8, 11), (slice(1, 7), slice(2, 11))
    known = np.array(random.choice([0.5, 0.8, 1.0], random.integers(1, 4), replace=False), "f4")
    gains = random.choice(np.append(known, 0.0), (6, 9)).astype(np.float32)
    parts = random.exponential(0.5, (hits + others + 3, classes, *shape)).astype(np.float32)
    np.minimum(parts, np.float32(1.2), out=parts)  # as are all sums
    parts[: hits + others] = -np.sort(-parts[: hits + others], axis=0)
    state = (
        random.choice([-np.inf, 90.0, 99.0], shape),
        random.choice([-np.inf, 95.0], shape),
        random.integers(65530, 65536, shape).astype(np.uint16),
        random.uniform(0, 2000, shape).astype(np.float32),
    )
    steps = random.integers(-80, 300, (classes, *shape))
    tables = random.exponential(0.3, (classes, 200)).astype(np.float32)
    shifts = random.integers(-50, 50, (len(known), classes))
    rules = GroupRules(hits, 0.3, 2, 1.2, 5.0, 65535)
    after = []
    for version in both():
        arrays, memory = [array.copy() for array in state], parts.copy()
        views = [array[part] for array in arrays]
        version.count_looks(
            gains,
            100.0,
            987.654,
            memory[(slice(None), slice(None), *part)],
            *views,
            steps[(slice(None), *part)],
            tables,
            known,
            shifts,
            rules,
        )
        after.append((memory, *arrays))
    for first, second in zip(*after, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("half_life_s", [0.0, 60.0])
def test_the_mean_of_the_classes_is_that_of_all_cells_however_it_was_come_by(half_life_s):
    random = np.random.default_rng(5)
    grid = CoverageMap(AREA, 0.03, CoverageCriteria())
    pod = PodMap(grid, ("person", "tent"), PodSettings(pod_half_life_s=half_life_s), hits=3)
    pod.use(None, Ground(40.0))
    for frame in range(60):
        pod.update(a_view(random), 0.5 * frame, (0.1, 0.0), TILES if frame % 3 else ())
        if frame % 20 == 19:
            pod.restore(pod.record())
        if frame % 4 == 0:
            np.testing.assert_array_equal(pod.mean_pods(), class_pods(pod).mean(axis=0))


def test_the_share_that_was_seen_is_counted_as_it_grows():
    random = np.random.default_rng(6)
    grid = CoverageMap(AREA, 0.03, CoverageCriteria(pixels_per_rad=300.0))

    def counted():
        return float(np.count_nonzero(~grid.unseen() & grid.is_wanted) / grid.is_wanted.sum())

    for frame in range(80):
        grid.add_view(a_view(random), 0.1 * frame, looks=TILES if frame % 5 == 0 else ())
        assert grid.share_seen() == counted()
        if frame == 40:
            grid.forget_older(4.0, 1.0)
            assert grid.share_seen() == counted()
        if frame == 60:
            grid.restore(grid.record())
    assert 0.2 < grid.share_seen() < 1.0

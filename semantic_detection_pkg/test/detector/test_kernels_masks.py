"""The compiled outlines against their twin, which computes every pixel; run lengths likewise."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from kernel_versions import compiled, needs_compiled, twin, versions

from semantic_detection_pkg.common.core.detections import MaskRings
from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.masks import MaskTracer, SampleAxis
from semantic_detection_pkg.detector.kernels.runs import outline_runs

# Smaller rings are left out; a pixel's centre in one is at most as far from its edge as in a disc.
_SMALLEST_RING_PX = math.sqrt(0.5 / math.pi)
samples = st.sampled_from([-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0])
grids = npst.arrays(
    np.float32, npst.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=samples
)


@needs_compiled
@given(
    grids,
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.floats(-0.125, 1.125, width=16), min_size=4, max_size=4),
    st.sampled_from([0.0, 0.25, 2.0]),
)
def test_no_pixel_farther_from_the_outline_than_allowed_is_wrong(grid, source, corners, tolerance):
    """A pixel may differ from the definition only where the sum could be zero that near to it."""
    rows, columns = grid.shape
    box = Letterbox(*source, 4 * columns, 4 * rows)
    axes = box.prototype_axes(columns, rows)
    bounds = np.clip(np.sort(np.reshape(corners, (2, 2)), axis=0), 0, 1) * source
    bounds = bounds.astype(np.float32).ravel()
    field, left, top = twin("masks").mask_field(
        grid[None], np.ones(1, np.float32), bounds.tolist(), *axes
    )
    assume(field.size)

    points, sizes, _ = MaskTracer(compiled("masks")).polygons(
        grid[None], np.ones((1, 1), np.float32), bounds[None], *axes, tolerance
    )

    height, width = field.shape
    have = fill(points - (left, top), sizes, width, height)
    cell_px = max(1 / axis.gain for axis in axes)
    within_px = max(tolerance, 0.02) + _SMALLEST_RING_PX + 0.01 * cell_px
    steepest = math.hypot(
        *(
            axis.gain * np.abs(np.diff(grid, axis=1 - i)).max(initial=0)
            for i, axis in enumerate(axes)
        )
    )
    wrong = have != (field > 0)
    assert (np.abs(field[wrong]) <= steepest * within_px + 1e-6).all()
    assert (points >= np.ceil(bounds[:2])).all()
    assert (points <= np.ceil(bounds[2:])).all()


@needs_compiled
@given(
    npst.arrays(
        np.float32,
        (2, 5, 6),
        elements=samples | st.sampled_from([np.nan, np.inf, -np.inf, 2.0**127]),
    ),
    npst.arrays(np.float32, (2, 2), elements=samples | st.sampled_from([np.nan, np.inf, -np.inf])),
)
def test_numbers_that_are_none_stay_inside_the_box(prototypes, coefficients):
    axes = Letterbox(60, 50, 24, 20).prototype_axes(6, 5)
    boxes = np.array([[0, 0, 60, 50], [7.5, 3.25, 41, 42]], np.float32)

    rings = MaskRings(
        *MaskTracer(compiled("masks")).polygons(prototypes, coefficients, boxes, *axes, 0.25)
    )

    for (left, top, right, bottom), mask in zip(np.ceil(boxes), rings, strict=True):
        for ring in mask:
            assert (ring >= (left, top)).all()
            assert (ring <= (right, bottom)).all()


@needs_compiled
def test_views_and_half_precision_equal_their_copies():
    random = np.random.default_rng(2)
    prototypes = random.normal(size=(4, 20, 24)).astype(np.float16)
    coefficients = random.normal(size=(2, 4)).astype(np.float32)
    boxes = np.array([[0, 0, 96, 80], [10, 20, 50, 60]], np.float32)
    axes = Letterbox(96, 80, 96, 80).prototype_axes(24, 20)
    tracer = MaskTracer(compiled("masks"))

    want = tracer.polygons(prototypes.astype(np.float32), coefficients, boxes, *axes, 0.1)
    have = tracer.polygons(prototypes, coefficients[:, ::1], boxes, *axes, 0.1)
    turned = np.asfortranarray(prototypes.astype(np.float32))
    also = tracer.polygons(turned, np.asfortranarray(coefficients), boxes, *axes, 0.1)

    for one, other, third in zip(want, have, also, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_an_axis_samples_between_its_bounds():
    axis = SampleAxis(gain=0.5, offset=-0.5, low=0.25, high=2.0)

    np.testing.assert_allclose(axis.at(np.array([0.0, 2.0, 3.0, 9.0])), [0.25, 0.5, 1.0, 2.0])


ONE = np.ones((1, 4, 4), np.float32)
AXIS = SampleAxis(1.0, -0.5, 0.0, 3.0)
BOX = np.array([[0, 0, 4, 4]], np.float32)


@pytest.mark.parametrize("version", versions("masks"))
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((ONE[0], ONE[0, :1, :1], BOX, AXIS, AXIS, 0.0), "prototypes"),
        ((ONE, ONE[0, :1, :2], BOX, AXIS, AXIS, 0.0), "prototypes"),
        ((ONE, ONE[0, :1, :1], BOX[:, :3], AXIS, AXIS, 0.0), "boxes"),
        ((ONE, ONE[0, :1, :1], BOX * np.nan, AXIS, AXIS, 0.0), "boxes"),
        ((ONE, ONE[0, :1, :1], BOX, AXIS._replace(high=3.5), AXIS, 0.0), "SampleAxis"),
        ((ONE, ONE[0, :1, :1], BOX, AXIS, AXIS._replace(low=-1), 0.0), "SampleAxis"),
        ((ONE, ONE[0, :1, :1], BOX, AXIS, AXIS._replace(gain=0), 0.0), "SampleAxis"),
    ],
)
def test_other_arguments_are_refused(version, arguments, what):
    with pytest.raises(ValueError, match=f"masks: {what}"):
        MaskTracer(version).polygons(*arguments)


corners = st.tuples(
    st.integers(-3, 15) | st.floats(-50, 50, width=16), st.integers(-3, 15).map(float)
)


@needs_compiled
@given(
    st.lists(st.lists(corners, min_size=1, max_size=7), max_size=4),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_runs_equal_the_fill(rings, width, height):
    points = np.array([point for ring in rings for point in ring], float).reshape(-1, 2)
    sizes = np.array([len(ring) for ring in rings], np.intp)
    arguments = (points, sizes, width, height)

    np.testing.assert_array_equal(
        compiled("runs").outline_runs(*arguments), twin("runs").outline_runs(*arguments)
    )


@pytest.mark.parametrize("version", versions("runs"))
def test_runs_of_a_square_with_a_hole(version):
    square = [[1, 0], [6, 0], [6, 3], [1, 3]]
    hole = [[2, 1], [4, 1], [4, 2], [2, 2]]

    runs = version.outline_runs(np.array(square + hole, float), np.array([4, 4]), 9, 9)

    assert runs.tolist() == [[0, 1, 6], [1, 1, 2], [1, 4, 6], [2, 1, 6]]


@pytest.mark.parametrize(
    ("points", "sizes", "size", "what"),
    [
        (np.zeros((3, 3)), [3], (4, 4), "points"),
        (np.full((3, 2), np.nan), [3], (4, 4), "points"),
        (np.zeros((3, 2)), [2], (4, 4), "ring sizes"),
        (np.zeros((3, 2)), [4, -1], (4, 4), "ring sizes"),
        (np.zeros((3, 2)), [3], (0, 4), "picture"),
    ],
)
def test_other_outlines_are_refused(points, sizes, size, what):
    with pytest.raises(ValueError, match=f"runs: {what} .*must"):
        outline_runs(points, np.array(sizes), *size)

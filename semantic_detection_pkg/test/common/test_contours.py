"""Polygons around the positive part of a field, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from semantic_detection_pkg.common.kernels.contours import fill, simplify, trace

masks = npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, max_side=16))
fields = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-3, 3, width=16) | st.sampled_from([0.0, 2.0**100, -(2.0**100)]),
)


def filled(rings: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    points = np.concatenate(rings) if rings else np.empty((0, 2))
    sizes = np.array([len(ring) for ring in rings], int)
    return fill(points, sizes, shape[1], shape[0])


def signed_area(ring: np.ndarray) -> float:
    """Positive where the ring turns from x to y: clockwise on the screen."""
    x, y = ring.astype(float).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@given(masks)
def test_a_mask_survives_the_round_trip(mask):
    rings = trace(np.where(mask, 1.0, -1.0))

    np.testing.assert_array_equal(filled(rings, mask.shape), mask)


@given(fields)
def test_a_field_survives_the_round_trip(field):
    rings = trace(field)

    assert all(np.isfinite(ring).all() and len(ring) >= 4 for ring in rings)
    np.testing.assert_array_equal(filled(rings, field.shape), field > 0)


@given(masks)
def test_rings_turn_clockwise_around_masks_and_back_around_holes(mask):
    areas = [signed_area(ring) for ring in trace(np.where(mask, 1.0, -1.0))]

    assert all(area != 0 for area in areas)
    outer = sum(area > 0 for area in areas)
    assert (outer > 0) == mask.any()
    # Half a pixel of every pixel's corner that turns is cut: the area stays near the count.
    assert abs(sum(areas) - mask.sum()) <= mask.sum() * 0.5 + 1e-3


@given(fields)
def test_points_stay_within_the_picture(field):
    height, width = field.shape
    for ring in trace(field):
        assert (ring >= 0).all()
        assert (ring <= (width, height)).all()


def test_one_pixel_is_a_diamond_around_its_centre():
    field = np.full((3, 3), -1.0)
    field[1, 1] = 1.0

    (ring,) = trace(field)

    assert {tuple(point) for point in ring.tolist()} == {(1.5, 1), (2, 1.5), (1.5, 2), (1, 1.5)}


def test_a_full_picture_ends_at_its_edges():
    (ring,) = trace(np.full((4, 6), 2.5))

    assert ring.min(axis=0).tolist() == [0, 0]
    assert ring.max(axis=0).tolist() == [6, 4]


def test_a_hole_is_a_ring_of_its_own():
    field = np.ones((7, 7))
    field[3, 3] = -1

    rings = trace(field)

    assert [signed_area(ring) > 0 for ring in rings] == [True, False]


def test_outlines_lie_where_the_field_is_zero():
    """A plane that falls along x and is zero at x = 2.75."""
    field = np.tile(2.75 - (np.arange(6) + 0.5), (5, 1))

    (ring,) = trace(field)

    edge = ring[(ring[:, 1] > 0.6) & (ring[:, 1] < 4.4) & (ring[:, 0] > 1)]
    np.testing.assert_allclose(edge[:, 0], 2.75, atol=1e-6)


@pytest.mark.parametrize("field", [np.empty((0, 0)), np.empty((0, 5)), np.full((3, 4), -1.0)])
def test_nothing_positive_has_no_outline(field):
    assert trace(field) == []


def test_fill_takes_any_rings():
    square = np.array([[1, 1], [4, 1], [4, 4], [1, 4]])
    beyond = np.array([[-5, 2], [50, 2], [50, 3], [-5, 3]])

    mask = filled([square, beyond], (5, 5))

    expected = np.zeros((5, 5), bool)
    expected[1:4, 1:4] = True
    expected[2] ^= True  # even-odd
    np.testing.assert_array_equal(mask, expected)


def circle(radius_px: float) -> np.ndarray:
    y, x = np.mgrid[0 : 2 * int(radius_px) + 6, 0 : 2 * int(radius_px) + 6] - int(radius_px) - 2.5
    return radius_px - np.hypot(x, y)


@pytest.mark.parametrize(("radius_px", "share"), [(4, 1.0), (10, 0.6), (40, 0.25), (150, 0.1)])
def test_simplified_outlines_keep_the_mask(radius_px, share):
    field = circle(radius_px)
    (ring,) = trace(field)

    simpler = simplify(ring, 0.25, (2 * radius_px) ** 2)

    inside = field > 0
    again = filled([simpler], field.shape)
    assert (inside & again).sum() / (inside | again).sum() > 0.99
    assert len(simpler) <= len(ring) * share


def test_no_tolerance_means_no_change():
    (ring,) = trace(circle(10))

    assert simplify(ring, 0.0, 400) is ring


def test_a_ring_is_never_simplified_away():
    ring = np.array([[0, 0], [1, 0], [1, 0.1], [0, 0.1]], np.float32)

    assert len(simplify(ring, 10.0, 1e6)) >= 3

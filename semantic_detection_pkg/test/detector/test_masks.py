"""Masks inside the boxes against the plain definition over the whole picture."""

import cv2
import numpy as np
import pytest
from kernel_versions import versions

from semantic_detection_pkg.common.core.detections import MaskRings
from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.masks import MaskTracer

CHANNELS = 8
both = pytest.mark.parametrize("version", versions("masks"))


def plain_masks(prototypes, coefficients, boxes, box: Letterbox) -> np.ndarray:
    """The definition of process_mask_native, step by step, on all pixels of the picture."""
    _, rows, columns = prototypes.shape
    edges = np.array(
        [
            [box.left, box.left + box.content_width],
            [box.top, box.top + box.content_height],
        ]
    ) / ([box.width / columns], [box.height / rows])
    enlarge = next(n for n in (1, 2, 4) if n == 4 or (edges * n == np.round(edges * n)).all())
    (left, right), (top, bottom) = np.round(edges * enlarge).astype(int)
    x, y = np.arange(box.source_width), np.arange(box.source_height)
    masks = []
    for one, (x1, y1, x2, y2) in zip(coefficients, boxes, strict=True):
        logits = np.tensordot(one, prototypes, 1)
        large = cv2.resize(logits, (columns * enlarge, rows * enlarge))
        content = np.ascontiguousarray(large[top:bottom, left:right])
        native = cv2.resize(content, (box.source_width, box.source_height))
        inside_x = (x >= x1) & (x < x2)
        inside_y = (y >= y1) & (y < y2)
        masks.append((native > 0) & inside_x & inside_y[:, None])
    return np.array(masks)


def scene(box: Letterbox, seed: int, count: int = 12):
    """Smooth prototypes as networks make them, and boxes of all sizes, some at the edges."""
    random = np.random.default_rng(seed)
    rows, columns = box.height // 4, box.width // 4
    noise = random.normal(size=(CHANNELS, rows, columns)).astype(np.float32)
    prototypes = np.stack([cv2.GaussianBlur(plane, (0, 0), 2.5) for plane in noise])
    coefficients = random.normal(size=(count, CHANNELS)).astype(np.float32)
    corners = random.uniform(-0.1, 1.1, (count, 2, 2))
    corners = np.clip(np.sort(corners, axis=1), 0, 1) * (box.source_width, box.source_height)
    return prototypes, coefficients, corners.reshape(-1, 4).astype(np.float32)


def polygon_masks(version, prototypes, coefficients, boxes, box: Letterbox, tolerance_px: float):
    axes = box.prototype_axes(prototypes.shape[2], prototypes.shape[1])
    tracer = MaskTracer(version)
    polygons = MaskRings(*tracer.polygons(prototypes, coefficients, boxes, *axes, tolerance_px))
    return np.array(
        [
            fill(
                np.concatenate([np.empty((0, 2)), *rings]),
                np.array([len(ring) for ring in rings], int),
                box.source_width,
                box.source_height,
            )
            for rings in polygons
        ]
    )


SIZES = [
    ((1920, 1080), (640, 640)),  # padding of whole prototype cells
    ((1000, 667), (640, 640)),  # padding of 106 rows: whole cells only when enlarged twice
    ((810, 1077), (640, 640)),  # odd everything
    ((320, 240), (640, 640)),  # enlarged
    ((1280, 720), (640, 384)),
    ((31, 500), (64, 64)),
]


@pytest.mark.parametrize(("source", "network"), SIZES)
@pytest.mark.parametrize(("tolerance_px", "least_iou"), [(0.0, 0.995), (0.25, 0.99)])
@both
def test_masks_equal_the_definition(version, source, network, tolerance_px, least_iou):
    box = Letterbox(*source, *network)
    prototypes, coefficients, boxes = scene(box, seed=source[0])

    plain = plain_masks(prototypes, coefficients, boxes, box)
    have = polygon_masks(version, prototypes, coefficients, boxes, box, tolerance_px)

    together = (plain & have).sum()
    assert plain.sum() > 1000
    assert together / (plain | have).sum() >= least_iou


@both
def test_without_a_second_resampling_masks_are_the_definition(version):
    """Padding of whole cells: one bilinear step in both, so that next to nothing differs."""
    box = Letterbox(1920, 1080, 640, 640)
    prototypes, coefficients, boxes = scene(box, seed=5)

    plain = plain_masks(prototypes, coefficients, boxes, box)
    have = polygon_masks(version, prototypes, coefficients, boxes, box, 0.0)

    assert (plain != have).mean() < 2e-5


@pytest.mark.parametrize(
    "bounds",
    [(10.0, 5.0, 10.0, 20.0), (3.2, 3.2, 3.9, 3.9), (96.0, 0.0, 96.0, 9.0)],
    ids=["no width", "between two pixels", "at the edge"],
)
@both
def test_a_box_without_pixels_has_no_mask(version, bounds):
    box = Letterbox(96, 96, 64, 64)
    points, sizes, counts = MaskTracer(version).polygons(
        np.ones((1, 16, 16), np.float32),
        np.ones((1, 1), np.float32),
        np.array([bounds], np.float32),
        *box.prototype_axes(16, 16),
        tolerance_px=0.5,
    )

    assert (len(points), len(sizes), counts.tolist()) == (0, 0, [0])


@both
def test_a_box_cuts_on_pixel_indexes(version):
    """Pixels from index >= 2.3 up to index < 5.7: 3, 4, 5."""
    box = Letterbox(64, 64, 64, 64)
    ones = np.ones((1, 16, 16), np.float32)
    bounds = np.array([[2.3, 2.0, 5.7, 6.0]], np.float32)

    (mask,) = polygon_masks(version, ones, np.ones((1, 1), np.float32), bounds, box, 0.0)

    expected = np.zeros((64, 64), bool)
    expected[2:6, 3:6] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@both
def test_prototypes_that_are_no_numbers_cost_only_their_surroundings(version, bad):
    box = Letterbox(64, 64, 64, 64)
    prototypes = np.ones((1, 16, 16), np.float32)
    prototypes[0, 4, 4] = bad
    whole = np.array([[0, 0, 64, 64]], np.float32)

    (mask,) = polygon_masks(version, prototypes, np.ones((1, 1), np.float32), whole, box, 0.0)

    assert mask[:8].all()
    assert mask[40:].all()
    assert mask[19, 19] == (bad == np.inf)

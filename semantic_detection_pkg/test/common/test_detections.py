"""The struct of arrays: what it refuses, and that picking keeps rows together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.frame import Frame

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]
TRIANGLE = [[1, 1], [3, 1], [2, 3]]


def three() -> Detections:
    """A square with a hole, nothing, a triangle."""
    return Detections(
        width=100,
        height=50,
        class_ids=[2, 0, 1],
        scores=[0.5, 0.9, 0.7],
        boxes_xyxy=[[0, 0, 4, 4], [5, 5, 9, 9], [1, 1, 3, 3]],
        masks=MaskRings.from_rings([[SQUARE, TRIANGLE], [], [TRIANGLE]]),
    )


def test_arrays_have_the_types_of_the_message_and_are_read_only():
    found = three()

    assert found.class_ids.dtype == np.uint16
    assert found.scores.dtype == found.boxes_xyxy.dtype == found.masks.points.dtype == np.float32
    assert found.masks.ring_sizes.dtype == found.masks.ring_counts.dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        found.scores[0] = 0


def test_the_callers_array_stays_writable():
    scores = np.array([0.5], np.float32)
    Detections(9, 9, [0], scores, [[0, 0, 1, 1]])

    scores[0] = 1.0


def test_sorting_and_filtering_move_masks_along():
    best_first = three().sorted_by_score()

    assert best_first.class_ids.tolist() == [0, 1, 2]
    assert best_first.masks.ring_counts.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(best_first.masks.rings(2)[0], SQUARE)
    only_masked = best_first.take(best_first.masks.ring_counts > 0)
    assert only_masked.class_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(only_masked.masks.rings(0)[0], TRIANGLE)


@given(st.lists(st.lists(st.integers(3, 6), max_size=3), max_size=6), st.randoms())
def test_take_equals_picking_from_a_list(ring_lengths, random):
    rings = [
        [np.full((length, 2), 10 * i + j, np.float32) for j, length in enumerate(lengths)]
        for i, lengths in enumerate(ring_lengths)
    ]
    order = random.sample(range(len(rings)), len(rings))[: max(0, len(rings) - 1)]

    taken = MaskRings.from_rings(rings).take(np.array(order, np.intp))

    assert len(taken) == len(order)
    for have, want in zip(taken, (rings[i] for i in order), strict=True):
        assert [ring.tolist() for ring in have] == [ring.tolist() for ring in want]


def test_nothing_found():
    nothing = Detections.none(10, 20)

    assert len(nothing) == len(nothing.sorted_by_score()) == 0
    assert nothing.to_json([]) == []


def test_json_names_classes_and_rounds():
    found = Detections(9, 9, [1], [1 / 3], [[1 / 3, 0, 2, 2]], MaskRings.from_rings([[TRIANGLE]]))

    assert found.to_json(["tent", "person"]) == [
        {
            "class_name": "person",
            "class_id": 1,
            "score": 0.33333,
            "box_xyxy": [0.333, 0, 2, 2],
            "polygons": [TRIANGLE],
        }
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "picture 0x50"),
        ({"class_ids": [1, 2]}, "2 class_ids, 3 scores"),
        ({"scores": [0.5, 1.5, 0.1]}, "scores must lie in 0..1"),
        ({"scores": [0.5, np.nan, 0.1]}, "scores must lie in 0..1"),
        ({"boxes_xyxy": [[0, 0, 1, 1], [5, 5, 4, 9], [0, 0, 1, 1]]}, "x_min <= x_max"),
        ({"boxes_xyxy": [[0, 0, np.inf, 1]] * 3}, "finite"),
        ({"boxes_xyxy": [0, 0, 1, 1]}, r"boxes_xyxy \(4,\) must be \('n', 4\)"),
        ({"masks": MaskRings.none(2)}, "2 masks"),
    ],
)
def test_detections_that_do_not_fit_are_refused(change, message):
    fields = {
        name: getattr(three(), name)
        for name in ("width", "height", "class_ids", "scores", "boxes_xyxy", "masks")
    }
    with pytest.raises(ValueError, match=message):
        Detections(**(fields | change))


@pytest.mark.parametrize(
    ("points", "sizes", "counts", "message"),
    [
        (SQUARE, [4], [2], "ring_counts add up to 2, ring_sizes has 1"),
        (SQUARE, [3], [1], "ring_sizes add up to 3, there are 4 points"),
        ([[0, 0], [1, 1]], [2], [1], "a ring of 2 points"),
        ([[0, 0], [1, np.nan], [2, 2]], [3], [1], "finite"),
        ([0, 1, 2, 3, 4, 5], [3], [1], r"points \(6,\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(points, sizes, counts, message):
    with pytest.raises(ValueError, match=message):
        MaskRings(np.array(points), np.array(sizes), np.array(counts))


@pytest.mark.parametrize(
    ("stamp_ns", "sequence", "image", "message"),
    [
        (-1, 0, np.zeros((2, 2, 3), np.uint8), "stamp_ns -1"),
        (0, -1, np.zeros((2, 2, 3), np.uint8), "sequence -1"),
        (0, 0, np.zeros((2, 2), np.uint8), r"uint8 \(2, 2\) must be uint8"),
        (0, 0, np.zeros((2, 2, 3), np.float32), "float32"),
        (0, 0, np.zeros((0, 2, 3), np.uint8), r"\(0, 2, 3\)"),
    ],
)
def test_frames_that_are_none_are_refused(stamp_ns, sequence, image, message):
    with pytest.raises(ValueError, match=message):
        Frame(stamp_ns, sequence, image)


def test_a_frame_knows_its_size():
    frame = Frame(5, 0, np.zeros((48, 64, 3), np.uint8))

    assert (frame.width, frame.height) == (64, 48)

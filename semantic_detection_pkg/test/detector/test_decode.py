"""Outputs of every layout to candidates, and suppression against a plain twin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.detector.core.decode import Decoder, box_masks
from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo, PromptInputs
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.vocabulary import ClassNames
from semantic_detection_pkg.detector.core.word_table import Vocabulary
from semantic_detection_pkg.detector.kernels.candidates import Kept
from semantic_detection_pkg.detector.kernels.twins.nms import suppress
from semantic_detection_pkg.errors import ConfigurationError, FrameError

NAMES = ("person", "tent", "boat")
MASKS = 4
ULTRALYTICS_LAYOUTS = (Layout.RAW, Layout.END_TO_END, Layout.EMBEDDED_NMS)
PROTOTYPES = np.zeros((1, MASKS, 8, 8), np.float32)


def test_boxes_are_the_masks_of_a_model_without_masks():
    boxes = np.array([[1, 2, 5.5, 9], [3, 3, 3, 8], [0, 0, 1, 1]], np.float32)

    masks = box_masks(boxes)

    assert [[ring.tolist() for ring in rings] for rings in masks] == [
        [[[1, 2], [5.5, 2], [5.5, 9], [1, 9]]],  # its inside on the right, as with other masks
        [],
        [[[0, 0], [1, 0], [1, 1], [0, 1]]],
    ]


@pytest.mark.parametrize("layout", ULTRALYTICS_LAYOUTS)
def test_candidates_of_a_model_without_masks(layout):
    model = replace(info(layout), prototypes_output=None, mask_channels=0)
    table = raw((A, (0.3, 0.6, 0.1)), (B, (0.9, 0.2, 0.2)))[: 4 + len(NAMES)]
    if layout is not Layout.RAW:
        table = rows((A, 0.6, 1), (B, 0.9, 0))[:, :6]
    settings = DetectorSettings()

    found = Decoder(model).candidates({"out": table[None]}, ClassNames(NAMES).choose([]), settings)

    assert (found.labels.tolist(), found.coefficients.shape) == ([0, 1], (2, 0))
    np.testing.assert_allclose(found.boxes_xyxy, [B, A])
    with pytest.raises(FrameError, match=r"outputs \(1, 9, 9\) do not fit"):
        Decoder(model).candidates(
            {"out": np.zeros((1, 9, 9), np.float32)}, ClassNames(NAMES).choose([]), settings
        )


@pytest.mark.parametrize("layout", [Layout.RAW, Layout.END_TO_END])
def test_classes_of_one_name_are_searched_together(layout):
    """And what both see is one thing."""
    names = ("person", "tent", "person")
    model = replace(info(layout), class_names=names)
    head = raw((A, (0.9, 0, 0)), (A, (0, 0, 0.8)), (B, (0, 0.1, 0.7)))
    if layout is not Layout.RAW:
        head = rows((A, 0.9, 0), (A, 0.8, 2), (B, 0.7, 2))
    outputs = {"out": head[None], "protos": PROTOTYPES}

    for words in ([], ["person"], ["hiker=person"]):
        vocabulary = ClassNames(names).choose(words)
        found = Decoder(model).candidates(outputs, vocabulary, DetectorSettings())
        np.testing.assert_allclose(found.scores, [0.9, 0.7])
        assert found.labels.tolist() == [0, 0]
    assert ClassNames(names).choose([]).names == ("person", "tent")


def info(layout: Layout) -> ModelInfo:
    return ModelInfo("m", layout, 32, 32, "images", "float32", "out", "protos", MASKS, NAMES)


def run(head: np.ndarray, layout: Layout, words: tuple[str, ...] = (), **settings: float) -> Kept:
    outputs = {"out": head[None], "protos": PROTOTYPES}
    vocabulary = ClassNames(NAMES).choose(words)
    return Decoder(info(layout)).candidates(outputs, vocabulary, DetectorSettings(**settings))


def raw(*anchors: tuple[tuple[float, ...], tuple[float, ...]]) -> np.ndarray:
    """Anchors given as corners and class scores; coefficient 0 is the anchor's number."""
    head = np.zeros((4 + len(NAMES) + MASKS, len(anchors)), np.float32)
    for i, ((x1, y1, x2, y2), scores) in enumerate(anchors):
        head[:4, i] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        head[4:7, i] = scores
        head[7, i] = i
    return head


def rows(*values: tuple[tuple[float, ...], float, float]) -> np.ndarray:
    """Rows given as corners, score and class; coefficient 0 is the row's number."""
    table = np.zeros((len(values), 6 + MASKS), np.float32)
    for i, (box, score, label) in enumerate(values):
        table[i, :6] = *box, score, label
        table[i, 6] = i
    return table


A, A_SHIFTED, B = (0, 0, 10, 10), (0, 0, 10, 9), (20, 20, 30, 30)  # A and A_SHIFTED: IoU 0.9


def test_raw_takes_the_best_class_of_an_anchor():
    found = run(raw((A, (0.3, 0.6, 0.1)), (B, (0.9, 0.2, 0.2))), Layout.RAW)

    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    np.testing.assert_allclose(found.boxes_xyxy, [B, A])
    assert found.coefficients[:, 0].tolist() == [1, 0]


def test_the_threshold_is_strict():
    head = raw((A, (0.5, 0, 0)), (B, (0.50001, 0, 0)))

    assert len(run(head, Layout.RAW, confidence_threshold=0.5).scores) == 1


def test_overlap_must_exceed_the_threshold():
    head = raw((A, (0.9, 0, 0)), (A_SHIFTED, (0.8, 0, 0)))

    assert len(run(head, Layout.RAW, iou_threshold=0.9).scores) == 2
    assert len(run(head, Layout.RAW, iou_threshold=0.89).scores) == 1


def test_classes_suppress_each_other_only_when_asked():
    head = raw((A, (0.9, 0, 0)), (A, (0, 0.8, 0)))

    assert run(head, Layout.RAW).labels.tolist() == [0, 1]
    assert run(head, Layout.RAW, agnostic_nms=True).labels.tolist() == [0]


def test_many_classes_do_not_blur_boxes():
    """With class offsets added to float32 boxes, neighbours of a high class would merge."""
    labels = np.full(2, 60_000, np.intp)
    boxes = np.array([[0, 0, 1, 1], [1, 0, 2, 1]], np.float32)

    assert len(suppress(boxes, np.array([0.9, 0.8], np.float32), labels, 0.1, 10)) == 2


def test_only_the_best_are_kept():
    head = raw(*[((i, 0, i + 1, 1), (0.3 + i / 100, 0, 0)) for i in range(20)])

    found = run(head, Layout.RAW, max_detections=3)

    assert found.coefficients[:, 0].tolist() == [19, 18, 17]


def test_unwanted_classes_neither_appear_nor_compete():
    head = raw((A, (0.9, 0.4, 0)), (B, (0.9, 0.1, 0)))

    found = run(head, Layout.RAW, words=("boat", "tent"))

    assert found.labels.tolist() == [1]
    np.testing.assert_allclose(found.scores, [0.4])


def test_end_to_end_rows_of_one_anchor_are_one_detection():
    table = rows((A, 0.9, 1), (A, 0.8, 0), (B, 0.7, 2), (A_SHIFTED, 0.6, 1), (B, 0.2, 1))

    found = run(table, Layout.END_TO_END)

    assert found.labels.tolist() == [1, 2, 1]  # A_SHIFTED overlaps by 0.9, not more
    assert found.coefficients[:, 0].tolist() == [0, 2, 3]


def test_end_to_end_prefers_a_wanted_class_of_the_same_anchor():
    table = rows((A, 0.9, 1), (A, 0.8, 0))

    found = run(table, Layout.END_TO_END, words=("person",))

    assert found.labels.tolist() == [0]
    np.testing.assert_allclose(found.scores, [0.8])


def test_rows_after_nms_stay_as_they_are_but_for_order_and_zeros():
    table = rows((A, 0.3, 1), (A, 0.8, 0), (B, 0.7, 2), ((0, 0, 0, 0), 0, 0))

    found = run(table, Layout.EMBEDDED_NMS)

    assert found.labels.tolist() == [0, 2, 1]
    assert run(table, Layout.EMBEDDED_NMS, agnostic_nms=True).labels.tolist() == [0, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 2, 4, 7])
def test_raw_numbers_that_are_none_cost_one_candidate(place, bad):
    head = raw((A, (0.9, 0, 0)), (B, (0.8, 0, 0)))
    head[place, 0] = bad

    found = run(head, Layout.RAW)

    assert found.coefficients[:, 0].tolist() == [1]
    # A score of minus infinity is just a low one.
    assert found.rejected == (0 if place == 4 and bad == -np.inf else 1)


@pytest.mark.parametrize("layout", [Layout.END_TO_END, Layout.EMBEDDED_NMS])
@pytest.mark.parametrize(
    ("column", "bad"),
    [(0, np.nan), (3, np.inf), (4, np.nan), (4, np.inf), (6, np.nan)]
    + [(5, value) for value in (np.nan, np.inf, -1, 3, 1e9)],
)
def test_row_numbers_that_are_none_cost_one_candidate(layout, column, bad):
    table = rows((A, 0.9, 0), (B, 0.8, 0))
    table[0, column] = bad

    found = run(table, layout)

    np.testing.assert_allclose(found.scores, [0.8])
    assert found.rejected == 1


def test_rows_of_places_without_a_word_are_unwanted_not_wrong():
    prompts = PromptInputs(levels=3, capacity=5, channels=16, dtype="float32")
    model = replace(info(Layout.END_TO_END), class_names=(), prompts=prompts)
    table = rows((A, 0.9, 4), (B, 0.8, 1))
    outputs = {"out": table[None], "protos": PROTOTYPES}

    vocabulary = Vocabulary(("a", "b"), np.arange(2))
    found = Decoder(model).candidates(outputs, vocabulary, DetectorSettings())

    assert (found.labels.tolist(), found.rejected) == ([1], 0)


def test_half_precision_outputs_are_read():
    found = run(raw((A, (0.9, 0, 0))).astype(np.float16), Layout.RAW)

    assert found.boxes_xyxy.dtype == found.coefficients.dtype == np.float32
    np.testing.assert_allclose(found.boxes_xyxy, [A])


@pytest.mark.parametrize(
    ("layout", "head"),
    [
        (Layout.RAW, np.zeros((4 + 2 + MASKS, 9), np.float32)),
        (Layout.END_TO_END, np.zeros((9, 5 + MASKS), np.float32)),
    ],
)
def test_outputs_of_another_shape_are_refused(layout, head):
    with pytest.raises(FrameError, match="do not fit the layout"):
        run(head, layout)


@pytest.mark.parametrize("layout", ULTRALYTICS_LAYOUTS)
def test_nothing_above_the_threshold(layout):
    head = raw((A, (0.1, 0, 0))) if layout is Layout.RAW else rows((A, 0.1, 0))

    found = run(head, layout)

    assert found.scores.shape == (0,)
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.coefficients.shape == (0, MASKS)


def test_only_the_best_thirty_thousand_go_into_suppression():
    crowd = [(A, (0.9, 0, 0))] * 29_999

    with_room = run(raw(*crowd, (B, (0.8, 0, 0))), Layout.RAW)
    without = run(raw(*crowd, (A, (0.9, 0, 0)), (B, (0.8, 0, 0))), Layout.RAW)

    np.testing.assert_array_equal(with_room.boxes_xyxy, [A, B])
    np.testing.assert_array_equal(without.boxes_xyxy, [A])


def test_thirty_thousand_candidates():
    random = np.random.default_rng(0)
    head = np.zeros((4 + 3 + MASKS, 31_000), np.float32)
    head[:2] = random.uniform(0, 640, (2, 31_000))
    head[2:4] = random.uniform(1, 40, (2, 31_000))
    head[4:7] = random.uniform(0.3, 1, (3, 31_000))

    found = run(head, Layout.RAW)

    assert len(found.scores) == 300
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("confidence_threshold", -0.1),
        ("confidence_threshold", 1.1),
        ("confidence_threshold", float("nan")),
        ("iou_threshold", 2.0),
        ("max_detections", 0),
        ("polygon_tolerance_px", -1.0),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=rf"'{name}' is {value}, allowed is "):
        DetectorSettings(**{name: value})


def plain_nms(boxes, scores, labels, threshold, most):
    """Suppression as one says it: scalar, in float32, no cleverness."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(
            (labels is not None and labels[i] != labels[k])
            or not plain_iou(boxes[k], boxes[i]) > np.float32(threshold)
            for k in kept
        ):
            kept.append(i)
    return kept[:most]


def plain_iou(a: np.ndarray, b: np.ndarray) -> np.float32:
    zero = np.float32(0)
    width = max(min(a[2], b[2]) - max(a[0], b[0]), zero)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), zero)
    area_a = max(a[2] - a[0], zero) * max(a[3] - a[1], zero)
    area_b = max(b[2] - b[0], zero) * max(b[3] - b[1], zero)
    union = area_a + area_b - width * height
    return width * height / union if union > 0 else zero


# Coordinates and scores of few values make ties, touching, equal and empty boxes common.
corner = st.integers(0, 12)
candidate = st.tuples(corner, corner, corner, corner, st.integers(0, 5), st.integers(0, 2))


@given(
    st.lists(candidate, max_size=30),
    st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    st.integers(1, 30),
    st.booleans(),
)
def test_suppression_equals_the_plain_twin(candidates, threshold, most, is_agnostic):
    table = np.array(candidates, np.float32).reshape(-1, 6)
    boxes, scores = table[:, :4], table[:, 4] / 5
    labels = None if is_agnostic else table[:, 5].astype(np.intp)

    kept = suppress(boxes, scores, labels, threshold, most)

    assert kept.tolist() == plain_nms(boxes, scores, labels, threshold, most)

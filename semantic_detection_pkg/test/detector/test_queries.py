"""Models of the DETR family: chosen by shape and names, fed and read as theirs."""

import numpy as np
import pytest
import tiny_models

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.input_slots import InputSlots
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import Layout, TensorSpec, inspect_model
from semantic_detection_pkg.detector.core.preprocessing import RF_DETR, RT_DETR, Fit

ULTRALYTICS = {"task": "detect", "args": "{'nms': False}", "names": "['a', 'b', 'c']"}
QUERIES = 30


def inspect(outputs: dict[str, tuple[int, ...]], metadata: dict[str, str]):
    image = TensorSpec("images", (1, 3, 64, 64), "float32")
    specs = [TensorSpec(name, shape, "float32") for name, shape in outputs.items()]
    return inspect_model("m", [image], specs, metadata)


@pytest.mark.parametrize(
    ("outputs", "metadata", "preprocessing", "classes"),
    [
        ({"output0": (1, 300, 7)}, ULTRALYTICS, RT_DETR, 3),
        ({"dets": (1, 300, 4), "labels": (1, 300, 91)}, {}, RF_DETR, 91),
        ({"labels": (1, 300, 91), "dets": (1, 300, 4)}, {}, RF_DETR, 91),
        ({"logits": (1, 300, 80), "pred_boxes": (1, 300, 4)}, {}, RT_DETR, 80),
    ],
)
def test_the_layout_is_told(outputs, metadata, preprocessing, classes):
    info = inspect(outputs, metadata)

    assert (info.layout, info.preprocessing) == (Layout.QUERIES, preprocessing)
    assert (info.class_count, info.has_masks) == (classes, False)


def head(boxes_apart: bool) -> dict[str, np.ndarray]:
    """A thing of class 1 (0.8), one of class 2 (0.6) in the same place, others below."""
    boxes = np.full((1, QUERIES, 4), 0.5, np.float32)
    boxes[0, 7] = boxes[0, 9] = 0.25, 0.5, 0.5, 0.25
    scores = np.full((1, QUERIES, 3), 0.01, np.float32)
    scores[0, 7, 1], scores[0, 9, 2] = 0.8, 0.6
    if not boxes_apart:
        return {"output0": np.concatenate((boxes, scores), axis=2)}
    return {"dets": boxes, "labels": np.log(scores / (1 - scores))}


@pytest.mark.parametrize("boxes_apart", [False, True])
def test_boxes_and_scores_are_read(tmp_path, boxes_apart):
    metadata = {} if boxes_apart else ULTRALYTICS
    model = tiny_models.constant_model(head(boxes_apart), metadata)

    with load_detector(tiny_models.save(model, tmp_path / "m.onnx")) as detector:
        found = detector.pipeline.process(np.zeros((100, 200, 3), np.uint8)).detections

    assert found.class_ids.tolist() == [1, 2]
    np.testing.assert_allclose(found.scores, [0.8, 0.6], rtol=1e-5)
    np.testing.assert_allclose(found.boxes_xyxy, [[0, 37.5, 100, 62.5]] * 2, atol=1e-4)


def test_numbers_that_are_none_cost_one_candidate(tmp_path):
    outputs = head(boxes_apart=True)
    outputs["labels"][0, 0] = np.nan
    outputs["dets"][0, 9, 2] = np.inf
    model = tiny_models.constant_model(outputs, {})

    with load_detector(tiny_models.save(model, tmp_path / "m.onnx")) as detector:
        result = detector.pipeline.process(np.zeros((64, 64, 3), np.uint8))

    assert (len(result.detections), result.rejected) == (1, 2)


def test_the_picture_is_stretched():
    letterbox = Letterbox(200, 100, 64, 32, Fit.STRETCHED)

    assert (letterbox.content_width, letterbox.content_height) == (64, 32)
    assert (letterbox.left, letterbox.top) == (0, 0)
    np.testing.assert_allclose(
        Letterbox(200, 100, 64, 64, Fit.STRETCHED).to_source(np.array([32, 32])), [100, 50]
    )


def test_numbers_are_imagenets_for_rf_detr():
    info = inspect({"dets": (1, 300, 4), "labels": (1, 300, 91)}, {})
    slots = InputSlots(info, np.zeros)

    for picture in (
        np.zeros((20, 90, 3), np.uint8),
        np.full((48, 20, 3), (51, 102, 204), np.uint8),
    ):
        slots.write(0, picture)

    (tensor,) = slots.inputs(1)["images"]
    red, green, blue = (0.8 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.2 - 0.406) / 0.225
    for plane, value in zip(tensor, (red, green, blue), strict=True):
        np.testing.assert_allclose(plane, value, atol=1e-5)

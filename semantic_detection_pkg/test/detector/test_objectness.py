"""Models in the layouts of YOLOX and YOLOv5: chosen by shape, fed and read as theirs."""

import numpy as np
import pytest
import tiny_models

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.input_slots import InputSlots
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import Layout, TensorSpec, inspect_model
from semantic_detection_pkg.detector.core.objectness import ObjectnessHead
from semantic_detection_pkg.detector.core.preprocessing import ULTRALYTICS, YOLOX, Fit

SIZE = 64
CELLS = 64 + 16 + 4  # of strides 8, 16, 32
BOX = (14.0, 4.0, 54.0, 28.0)  # x1, y1, x2, y2 [px of the input]


def inspect(*shape: int, size: int = 416, **metadata: str):
    image = TensorSpec("images", (1, 3, size, size), "float32")
    return inspect_model("m", [image], [TensorSpec("output", shape, "float32")], metadata)


@pytest.mark.parametrize(
    ("shape", "size", "metadata", "layout", "classes"),
    [
        ((1, 3549, 85), 416, {}, Layout.YOLOX, 80),
        ((1, 8400, 85), 640, {}, Layout.YOLOX, 80),
        ((1, 8400, 6), 640, {}, Layout.YOLOX, 1),
        ((1, 25200, 85), 640, {}, Layout.YOLOV5, 80),
        ((1, 25200, 85), 640, {"stride": "32"}, Layout.YOLOV5, 80),  # as YOLOv5 writes it
        ((1, 84, 8400), 640, {}, Layout.RAW, 80),
        # As many channels as anchors.
        ((1, 84, 84), 64, {}, Layout.RAW, 80),
    ],
)
def test_the_layout_is_told_by_the_shape(shape, size, metadata, layout, classes):
    info = inspect(*shape, size=size, **metadata)

    assert (info.layout, info.class_count, info.has_masks) == (layout, classes, False)
    assert info.preprocessing == (YOLOX if layout is Layout.YOLOX else ULTRALYTICS)


def yolox_output() -> np.ndarray:
    """One thing of class 1 at BOX, in the cell of stride 16 at column 2, row 1."""
    output = np.zeros((1, CELLS, 5 + 3), np.float32)
    centre = (np.array(BOX[:2]) + BOX[2:]) / 2
    size = np.array(BOX[2:]) - BOX[:2]
    row = 64 + 1 * 4 + 2
    output[0, row, :2] = centre / 16 - (2, 1)
    output[0, row, 2:4] = np.log(size / 16)
    output[0, row, 4:] = 0.9, 0.1, 0.8, 0.2
    return output


def yolov5_output() -> np.ndarray:
    output = np.zeros((1, 3 * CELLS, 5 + 3), np.float32)
    output[0, 100] = 34, 16, 40, 24, 0.9, 0.1, 0.8, 0.2
    return output


@pytest.mark.parametrize(
    ("output", "offset_xy"), [(yolox_output(), (0, 0)), (yolov5_output(), (0, 16))]
)
def test_boxes_and_scores_are_read(tmp_path, output, offset_xy):
    """A picture half as high as wide: padded below, or above and below."""
    path = tmp_path / "m.onnx"
    tiny_models.save(tiny_models.constant_model({"output": output}, {}), path)

    with load_detector(path) as detector:
        found = detector.pipeline.process(np.zeros((64, 128, 3), np.uint8)).detections

    assert found.class_ids.tolist() == [1]
    np.testing.assert_allclose(found.scores, [0.72], rtol=1e-5)
    corners = (np.array(BOX).reshape(2, 2) - offset_xy) * 2
    np.testing.assert_allclose(
        found.boxes_xyxy, np.clip(corners, 0, (128, 64)).reshape(1, 4), atol=1e-3
    )


def test_numbers_that_are_none_cost_one_candidate(tmp_path):
    output = yolox_output()
    output[0, 0] = 0, 0, 1000, 0, 1, 1, 0, 0  # exp(1000)
    output[0, 1] = np.nan
    path = tmp_path / "m.onnx"
    tiny_models.save(tiny_models.constant_model({"output": output}, {}), path)

    with load_detector(path) as detector:
        result = detector.pipeline.process(np.zeros((64, 64, 3), np.uint8))

    assert (len(result.detections), result.rejected) == (1, 2)


def test_half_precision_is_read():
    head = ObjectnessHead(SIZE, SIZE, is_in_cells=True)

    raw = head.as_raw(yolox_output()[0].astype(np.float16))

    np.testing.assert_allclose(raw[:4, 70], [34, 16, 40, 24], rtol=2e-3)
    assert raw.dtype == np.float32


def test_a_picture_in_the_corner():
    letterbox = Letterbox(810, 1080, 416, 416, Fit.CORNER)

    # int(810 * 416 / 1080), int(1080 * 416 / 1080)
    assert (letterbox.content_width, letterbox.content_height) == (312, 416)
    assert (letterbox.left, letterbox.top) == (0, 0)
    assert Letterbox(1000, 667, 640, 640, Fit.CORNER).content_height == 426  # 426.88
    points = np.array([[0, 0], [810, 1080]])
    np.testing.assert_allclose(letterbox.to_input(points), [[0, 0], [312, 416]])
    np.testing.assert_allclose(letterbox.to_source(letterbox.to_input(points)), points)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numbers_are_bgr_of_0_to_255_beside_114(dtype):
    image = TensorSpec("images", (2, 3, SIZE, SIZE), dtype)
    outputs = [TensorSpec("output", (2, CELLS, 8), "float32")]
    slots = InputSlots(inspect_model("m", [image], outputs, {}), np.zeros)
    wide = np.full((32, 64, 3), (10, 20, 30), np.uint8)
    tall = np.full((64, 32, 3), (40, 50, 60), np.uint8)

    for slot, picture in enumerate((wide, tall, wide, wide)):
        slots.write(slot % 2, picture)

    tensor = slots.inputs(2)["images"]
    np.testing.assert_allclose(
        tensor[0, :, :32], np.full((3, 32, 64), [[[10]], [[20]], [[30]]]), 1e-3
    )
    np.testing.assert_allclose(tensor[0, :, 32:], 114, 1e-3)
    np.testing.assert_array_equal(tensor[1], tensor[0])

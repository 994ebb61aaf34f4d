"""Models that people have published, of several exporters, against a plain reading of outputs."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from semantic_detection_pkg.cli import detect
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.settings import DetectorSettings

CONFIDENCE, IOU, SAME_BOX_IOU = 0.25, 0.7, 0.9
MODELS = {
    "yolov8n-seg_int8": "raw with masks, 320, exporter 8.4.33",
    "yolov8n_int8_wildlife": "raw boxes, 640, exporter 8.3.203",
    "yolov8n_quant_calendula": "raw boxes, 640, exporter 8.0.232",
    "yolo11n_int8_droneeye": "raw boxes, 320, exporter 8.4.116",
    "yolo26n_int8": "end-to-end boxes, 640, exporter 8.4.63",
}


# Boxes and scores went through one 8-bit scale of 640 px when it was made: its scores are all 0.
SILENT = "yolov8n_quant_calendula"


@pytest.fixture(scope="module")
def float_model(realdata, tmp_path_factory):
    """A model as float32: ONNX Runtime has INT8 convolutions only in part."""
    folder = tmp_path_factory.mktemp("models")

    def make(name: str) -> Path:
        tool, source = realdata.path("tools/float_model.py"), realdata.path(f"models/{name}.onnx")
        made = folder / source.name
        subprocess.run([sys.executable, tool, source, made], check=True, capture_output=True)
        return made

    return make


def plain_iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    return shared / ((box[2:] - box[:2]).prod() + areas - shared)


def plain_suppression(table: np.ndarray, threshold: float, is_agnostic: bool) -> np.ndarray:
    """The rows x1, y1, x2, y2, score, class that stay, by falling score."""
    kept: list[np.ndarray] = []
    for row in table[np.argsort(-table[:, 4], kind="stable")]:
        rivals = np.array([k for k in kept if is_agnostic or k[5] == row[5]]).reshape(-1, 6)
        if not (plain_iou(row[:4], rivals[:, :4]) > threshold).any():
            kept.append(row)
    return np.array(kept).reshape(-1, 6)


def plain_reading(path: Path, picture: np.ndarray) -> np.ndarray:
    """(n, 6) x1, y1, x2, y2 in the picture, score, class: by NumPy, OpenCV and ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    side = session.get_inputs()[0].shape[2]
    box = Letterbox(picture.shape[1], picture.shape[0], side, side)
    canvas = np.full((side, side, 3), 114, np.uint8)
    small = cv2.resize(picture, (box.content_width, box.content_height))
    canvas[box.top : box.top + len(small), box.left : box.left + small.shape[1]] = small
    tensor = canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    output = session.run(None, {"images": np.ascontiguousarray(tensor)})[0][0]
    if output.shape == (300, 6):
        table = output[output[:, 4] > CONFIDENCE]
        table = plain_suppression(table, SAME_BOX_IOU, is_agnostic=True)
    else:
        scores = output[4:84]
        anchors = np.flatnonzero(scores.max(0) > CONFIDENCE)
        centres, halves = output[:2, anchors].T, output[2:4, anchors].T / 2
        table = np.column_stack(
            (
                centres - halves,
                centres + halves,
                scores[:, anchors].max(0),
                scores[:, anchors].argmax(0),
            )
        )
        table = plain_suppression(table, IOU, is_agnostic=False)
    scale = np.array([box.content_width / box.source_width, box.content_height / box.source_height])
    corners = (table[:, :4].reshape(-1, 2, 2) - (box.left, box.top)) / scale
    table[:, :4] = np.clip(corners, 0, (box.source_width, box.source_height)).reshape(-1, 4)
    return table


@pytest.mark.parametrize("name", MODELS)
def test_published_models_find_what_a_plain_reading_finds(capsys, realdata, float_model, name):
    path = float_model(name)
    status = detect.main(["--model", str(path), "--json", "--threads", "1", str(realdata.photo)])
    document = json.loads(capsys.readouterr().out)
    found = document["detections"]

    expected = plain_reading(path, cv2.imread(str(realdata.photo)))

    assert status == 0
    assert [thing["class_id"] for thing in found] == expected[:, 5].astype(int).tolist()
    names = {thing["class_name"] for thing in found}
    assert names == set() if name == SILENT else names >= {"bus", "person"}
    for thing, row in zip(found, expected, strict=True):
        assert thing["score"] == pytest.approx(row[4], abs=0.01)
        assert plain_iou(np.array(thing["box_xyxy"]), row[None, :4])[0] > 0.98
        if "seg" not in name:
            x0, y0, x1, y1 = thing["box_xyxy"]
            assert thing["polygons"] == [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]
    has_masks = len(onnx.load(path, load_external_data=False).graph.output) == 2
    assert has_masks == ("seg" in name)


def test_yolox_finds_what_a_plain_reading_finds(realdata):
    """Upstream's pre-processing and decoding, with its own words."""
    path = realdata.path("models/yolox_nano_416.onnx")
    picture = cv2.imread(str(realdata.photo))
    ratio = min(416 / picture.shape[0], 416 / picture.shape[1])
    canvas = np.full((416, 416, 3), 114, np.uint8)
    small = cv2.resize(picture, (int(picture.shape[1] * ratio), int(picture.shape[0] * ratio)))
    canvas[: small.shape[0], : small.shape[1]] = small
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32)
    (output,) = session.run(None, {"images": np.ascontiguousarray(tensor)})[0]
    cells = [(x, y, s) for s in (8, 16, 32) for y in range(416 // s) for x in range(416 // s)]
    grid = np.array(cells, np.float32)
    centres = (output[:, :2] + grid[:, :2]) * grid[:, 2:]
    halves = np.exp(output[:, 2:4]) * grid[:, 2:] / 2
    scores = output[:, 4:5] * output[:, 5:]
    boxes = np.concatenate((centres - halves, centres + halves), axis=1) / ratio
    table = np.column_stack((boxes, scores.max(1), scores.argmax(1)))
    expected = plain_suppression(table[table[:, 4] > 0.3], IOU, is_agnostic=False)
    limits = (picture.shape[1], picture.shape[0])
    expected[:, :4] = np.clip(expected[:, :4].reshape(-1, 2, 2), 0, limits).reshape(-1, 4)

    with load_detector(
        path, threads=1, settings=DetectorSettings(confidence_threshold=0.3)
    ) as detector:
        found = detector.pipeline.process(picture).detections

    assert found.class_ids.tolist() == expected[:, 5].astype(int).tolist() == [5, 0, 0, 0]
    np.testing.assert_allclose(found.scores, [0.91, 0.85, 0.81, 0.69], atol=0.01)
    np.testing.assert_allclose(found.scores, expected[:, 4], atol=0.01)
    for box, row in zip(found.boxes_xyxy, expected, strict=True):
        assert plain_iou(box, row[None, :4])[0] > 0.98

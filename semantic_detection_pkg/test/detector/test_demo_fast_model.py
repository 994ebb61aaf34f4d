"""The demo detector's fast variant: of the committed full one, and that it finds nearly as much."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.detector.backends.curve_file import read_curves
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.variants import fast_path
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer

ROOT = Path(__file__).parents[3]
FULL = ROOT / "models" / "demo" / "demo_detector.onnx"
FAST = fast_path(FULL)
UNSEEN_SEED = 9100  # neither trained on nor part of the evaluation
YAWS_RAD = (-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9)
CONFIDENCE = 0.25


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "make_fast_demo_model.py"
    spec = importlib.util.spec_from_file_location("make_fast_demo_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def full_graph():
    return onnx.load(FULL)


def test_it_is_made_of_the_committed_full_model(tool, full_graph, tmp_path, monkeypatch):
    """After a training of the full one it has to be made, and its curve measured, anew."""
    copy = tmp_path / FULL.name
    copy.write_bytes(FULL.read_bytes())
    monkeypatch.setattr("sys.argv", ["make_fast_demo_model.py", str(copy)])
    assert tool.main() == 0
    assert fast_path(copy).read_bytes() == FAST.read_bytes()
    made = onnx.load(FAST)
    assert list(made.graph.initializer) == list(full_graph.graph.initializer)


def test_boxes_lie_where_those_of_the_full_one_lie(tool, full_graph, tmp_path):
    """Of the full size the tool makes the very model; of the smaller one boxes lie as before."""
    same = tool.resized(full_graph, 384, 640)
    assert list(same.graph.node) == list(full_graph.graph.node)
    renderer = Renderer(build_world(WorldLayout(UNSEEN_SEED)), Lens(1280, 720))
    image = renderer.render(CameraPose(0.0, 0.45), 5.0).image
    with load_detector(FULL, threads=1) as full, load_detector(FAST, threads=1) as fast:
        one, other = (d.pipeline.process(image).detections for d in (full, fast))
    sure = one.scores > 0.8
    assert sure.sum() >= 3
    for box in one.boxes_xyxy[sure]:
        off = np.abs(other.boxes_xyxy - box).max(axis=1)
        assert off.min() < 0.2 * max(box[2] - box[0], box[3] - box[1])


@pytest.mark.parametrize(
    ("size", "why"),
    [((300, 480), "multiples of 32"), ((0, 480), "multiples of 32"), ((288, -32), "multiples")],
)
def test_sizes_that_do_not_divide_are_refused(tool, full_graph, size, why):
    with pytest.raises(ValueError, match=why):
        tool.resized(full_graph, *size)


def test_another_model_is_refused_in_one_line(tool, capsys, monkeypatch):
    classifier = FULL.with_name("demo_classifier.onnx")
    monkeypatch.setattr("sys.argv", ["make_fast_demo_model.py", str(classifier)])
    assert tool.main() == 2
    assert "is not the demo's detector" in capsys.readouterr().err
    assert not fast_path(classifier).exists()


def test_it_finds_nearly_as_much_in_sweeps_of_an_unseen_world():
    renderer = Renderer(build_world(WorldLayout(UNSEEN_SEED)), Lens(1280, 720))
    views = [renderer.render(CameraPose(yaw, 0.45), 5.0) for yaw in YAWS_RAD]
    found = {}
    for path in (FULL, FAST):
        with load_detector(path, threads=1) as detector:
            assert detector.backend.name == path.name
            found[path] = sum(hits(detector.pipeline, view) for view in views)
    assert found[FULL] >= 20
    assert found[FAST] >= 0.8 * found[FULL]


def hits(pipeline, view) -> int:
    """How many things of a view were found at IoU 0.3 and the default confidence."""
    found = pipeline.process(view.image).detections
    boxes = found.boxes_xyxy[found.scores > CONFIDENCE]
    return sum(
        bool((overlaps(boxes, seen.box_xyxy) >= 0.3).any())
        for seen in view.truth.objects
        if seen.visible > 0.9
    )


def overlaps(boxes, box) -> np.ndarray:
    box = np.asarray(box)
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return both / (areas - both)


def test_its_curve_is_its_own():
    curves, full = (read_curves(path, CONFIDENCE) for path in (FAST, FULL))
    assert isinstance(curves, DetectionCurves)
    assert isinstance(full, DetectionCurves)
    document = json.loads(FAST.with_name("demo_detector.fast.curve.json").read_text())
    assert document["model"]["sha256"] == sha256_of(FAST)
    sizes, full_sizes = (
        {one.class_name: one.curve.size_50_px for one in those.classes if one.is_measured}
        for those in (curves, full)
    )
    assert set(sizes) >= {"person", "tent", "vehicle", "boat", "smoke"}
    # In pixels of the network's input, which is a quarter smaller, they need as many as before.
    # Boats were too few to tell: half is at 13 to 32 px.
    for name in ("person", "tent", "vehicle", "smoke"):
        assert sizes[name] == pytest.approx(full_sizes[name], rel=0.2)

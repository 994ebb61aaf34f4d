"""The committed demo models: their interface, and that they truly find things in unseen worlds."""

import ast
import itertools
import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import CLASS_NAMES, DECOY_NAMES

MODELS = Path(__file__).parents[3] / "models" / "demo"
DETECTOR, CLASSIFIER = MODELS / "demo_detector.onnx", MODELS / "demo_classifier.onnx"
HELD_OUT = MODELS.parents[1] / "tools" / "demo_training" / "held_out.json"
TIME_S = 5.0
UNSEEN_SEED = 9100  # neither trained on nor part of the evaluation


@pytest.fixture(scope="module")
def world():
    return build_world(WorldLayout(UNSEEN_SEED))


@pytest.fixture(scope="module")
def renderer(world):
    return Renderer(world, Lens(1280, 720))


@pytest.fixture(scope="module")
def detector():
    with load_detector(DETECTOR, threads=1) as loaded:
        yield loaded.pipeline


def iou(first, second) -> float:
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    inter = np.clip(high - low, 0, None).prod()
    areas = [np.prod(np.subtract(b[2:], b[:2])) for b in (first, second)]
    return inter / (sum(areas) - inter)


def close_up(world, name: str, is_decoy: bool) -> CameraPose:
    """A view in which one thing fills about a third of the picture's width."""
    board = next(b for b in world.boards if b.class_name == name and b.is_decoy == is_decoy)
    x_m, y_m = board.foot(TIME_S)
    reach = math.hypot(x_m, y_m)
    drop = world.layout.camera_height_m - board.height_m / 2
    size = max(board.width_m, 1.4 * board.height_m) / math.hypot(reach, drop)
    zoom = max(1.0, 2 * math.tan(Lens().hfov_wide_rad / 2) * 0.33 / size)
    return CameraPose(math.atan2(y_m, x_m), math.atan2(drop, reach), 0.0, zoom)


def test_the_detector_has_the_interface_of_a_run_time_vocabulary_export():
    session = onnxruntime.InferenceSession(str(DETECTOR))
    inputs = {i.name: (i.shape, i.type) for i in session.get_inputs()}
    outputs = {o.name: o.shape for o in session.get_outputs()}
    height, width = inputs["images"][0][2:]
    anchors = sum((height // s) * (width // s) for s in (8, 16, 32))
    assert inputs["images"] == ([1, 3, height, width], "tensor(float)")
    levels, capacity, channels = inputs["cls_w"][0]
    assert (levels, capacity) == tuple(inputs["cls_b"][0]) == (3, 16)
    assert channels > 0
    assert outputs == {
        "output0": [1, 4 + capacity + 32, anchors],
        "output1": [1, 32, height // 4, width // 4],
    }
    metadata = session.get_modelmeta().custom_metadata_map
    assert ast.literal_eval(metadata["names"]) == dict(enumerate(CLASS_NAMES))
    assert ast.literal_eval(metadata["imgsz"]) == [height, width]
    assert (metadata["task"], metadata["stride"], metadata["license"]) == (
        "segment",
        "32",
        "Apache-2.0",
    )


def test_the_committed_files_are_small():
    assert sum(path.stat().st_size for path in MODELS.iterdir()) < 14e6


@pytest.mark.parametrize("yaw", [-0.7, 0.0, 0.7])
def test_a_sweep_of_an_unseen_world_finds_most_things(detector, renderer, yaw):
    view = renderer.render(CameraPose(yaw, 0.45), TIME_S)
    found = detector.process(view.image).detections
    wanted = [seen for seen in view.truth.objects if seen.visible > 0.9]
    assert len(wanted) >= 4
    hits = [
        any(
            CLASS_NAMES[class_id] == seen.class_name and iou(box, seen.box_xyxy) >= 0.5
            for class_id, box in zip(found.class_ids, found.boxes_xyxy, strict=True)
        )
        for seen in wanted
    ]
    assert sum(hits) >= 0.6 * len(hits), [s for s, hit in zip(wanted, hits, strict=True) if not hit]


@pytest.mark.parametrize("name", CLASS_NAMES[:4])
def test_a_close_up_is_found_with_its_box_and_mask(detector, renderer, world, name):
    view = renderer.render(close_up(world, name, False), TIME_S, has_ids=True)
    middle = view.ids[300:420, 520:760]
    target = int(np.bincount(middle[middle > 0]).argmax())
    seen = next(s for s in view.truth.objects if s.id == target)
    found = detector.process(view.image).detections
    best = max(range(len(found)), key=lambda i: iou(found.boxes_xyxy[i], seen.box_xyxy))
    assert CLASS_NAMES[found.class_ids[best]] == name
    assert iou(found.boxes_xyxy[best], seen.box_xyxy) > 0.6
    drawn = np.zeros(view.ids.shape, np.uint8)
    rings = [np.rint(ring).astype(np.int32) for ring in found.masks.rings(best)]
    cv2.fillPoly(drawn, rings, 1)
    mask = view.ids == target
    assert (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum() > 0.5


def test_an_empty_scene_is_empty(detector):
    bare = Renderer(build_world(WorldLayout(UNSEEN_SEED, per_class=0, plants=60)), Lens(1280, 720))
    for yaw in (-0.5, 0.5):
        found = detector.process(bare.render(CameraPose(yaw, 0.45)).image).detections
        assert (found.scores > 0.5).sum() == 0


def test_words_change_between_two_pictures_without_loading_again(detector, renderer):
    image = renderer.render(CameraPose(0.0, 0.45), TIME_S).image
    everything = detector.process(image).detections
    present = sorted({CLASS_NAMES[i] for i in everything.class_ids})
    assert len(present) >= 2
    try:
        assert detector.set_vocabulary([f"thing={present[0]}"]) == ("thing",)
        only = detector.process(image).detections
        position = CLASS_NAMES.index(present[0])
        same = everything.class_ids == position
        assert np.allclose(only.scores, everything.scores[same], atol=1e-5)
        with pytest.raises(ConfigurationError, match="'elk' is unknown; known: person, tent"):
            detector.set_vocabulary(["elk"])
        assert len(detector.set_vocabulary([f"word{i}=tent" for i in range(17)])) == 16
        assert detector.dropped_words == ("word16",)
    finally:
        detector.set_vocabulary([])


@pytest.fixture
def open_detector(tmp_path):
    """The demo with its text side, in a folder of its own: words are kept beside the model."""
    for path in MODELS.glob(f"{DETECTOR.stem}.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    with load_detector(tmp_path / DETECTOR.name, threads=1) as loaded:
        yield loaded


def test_a_word_that_nobody_prepared_is_found(open_detector, renderer, world):
    """As well as the known one that it is near to, and no other."""
    image = renderer.render(close_up(world, "person", False), TIME_S).image
    open_detector.set_vocabulary(["person", "tent"])
    known = open_detector.pipeline.process(image).detections
    assert (known.class_ids == 0).any()
    people = known.scores[known.class_ids == 0]
    for word in ("Hiker", "lost children", "girl in a red jacket"):
        assert open_detector.set_vocabulary([word, "yurt"]) == (word, "yurt")
        found = open_detector.pipeline.process(image).detections
        np.testing.assert_allclose(found.scores[found.class_ids == 0], people, atol=0.05)
        assert (found.class_ids == 1).sum() == (known.class_ids == 1).sum()


@pytest.mark.parametrize("word", ["banana", "tent peg", "dog", "xyzzy", "with", "red", "white"])
def test_a_word_that_means_none_of_the_six_is_one_line(open_detector, word):
    before = open_detector.pipeline.vocabulary
    with pytest.raises(ConfigurationError) as refused:
        open_detector.set_vocabulary(["hiker", word])
    assert str(refused.value) == (
        f"vocabulary: '{word}' is unknown; known: person, tent, vehicle, boat, smoke, footpath, "
        "and words near these"
    )
    assert open_detector.pipeline.vocabulary == before


def test_most_held_out_words_are_understood_and_strangers_are_not(open_detector):
    """What the report says of the words that were fixed before the training."""
    fixed = json.loads((HELD_OUT).read_text())
    report = json.loads((MODELS / "evaluation.json").read_text())["words"]
    refused = {word for row in report["classes"].values() for word in row["refused"]}
    for word in itertools.chain(*fixed["words"].values(), fixed["strangers"]):
        try:
            open_detector.set_vocabulary([word])
        except ConfigurationError:
            assert word in refused | set(fixed["strangers"]), word
        else:
            assert word not in refused, word
    assert len(refused) < 0.2 * sum(map(len, fixed["words"].values()))


def test_the_same_picture_gives_the_same_detections(detector, renderer):
    image = renderer.render(CameraPose(0.3, 0.45), TIME_S).image
    first, second = (detector.process(image).detections.to_json(CLASS_NAMES) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("is_decoy", [False, True])
@pytest.mark.parametrize("name", CLASS_NAMES[:4])
def test_the_classifier_tells_a_thing_from_its_decoy(renderer, world, name, is_decoy):
    session = onnxruntime.InferenceSession(str(CLASSIFIER))
    metadata = session.get_modelmeta().custom_metadata_map
    names, looks_like = (ast.literal_eval(metadata[key]) for key in ("names", "looks_like"))
    assert looks_like == {n: w for w in CLASS_NAMES for n in (w, DECOY_NAMES[w])}
    view = renderer.render(close_up(world, name, is_decoy), TIME_S)
    seen = min(
        (s for s in view.truth.objects if (s.class_name, s.is_decoy) == (name, is_decoy)),
        key=lambda s: abs(s.box_xyxy[0] + s.box_xyxy[2] - 1280),
    )
    logits = session.run(None, {"input": crop(view.image, seen.box_xyxy, metadata)})[0][0]
    assert names[int(logits.argmax())] == (DECOY_NAMES[name] if is_decoy else name)


def crop(image: np.ndarray, box_xyxy, metadata: dict[str, str]) -> np.ndarray:
    """The classifier's input as its metadata describe it."""
    size, margin, mean, std = (
        ast.literal_eval(metadata[key]) for key in ("imgsz", "crop_margin", "mean", "std")
    )
    x0, y0, x1, y1 = box_xyxy
    half = max(x1 - x0, y1 - y0) * margin / 2
    padded = cv2.copyMakeBorder(image, *[round(half)] * 4, cv2.BORDER_CONSTANT, value=(114,) * 3)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    square = padded[round(y) : round(y + 2 * half), round(x) : round(x + 2 * half)]
    small = cv2.resize(square, size[::-1], interpolation=cv2.INTER_AREA)[..., ::-1] / 255.0
    return ((small - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)


def test_the_report_is_of_these_models_and_says_what_was_reached():
    report = json.loads((MODELS / "evaluation.json").read_text())
    assert report["detector"]["file_bytes"] == DETECTOR.stat().st_size
    assert report["classifier"]["file_bytes"] == CLASSIFIER.stat().st_size
    assert set(report["detector"]["close_up"]["things"]["classes"]) == set(CLASS_NAMES)
    assert (MODELS / "evaluation.md").read_text().startswith("# Evaluation of the demo models")

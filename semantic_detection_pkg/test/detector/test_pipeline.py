"""From a picture to detections over real engines, tiny models and the real one."""

import itertools

import numpy as np
import pytest
import tiny_models
from onnx import TensorProto

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.overlay import draw_overlay
from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import inspect_model
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import ClassNames
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from simulation_pkg.fakes.engine import (
    FAKE_BOX_XYXY,
    FAKE_SCORE,
    FakeBackend,
    fake_outputs,
)

PICTURE = np.full((48, 64, 3), 77, np.uint8)


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod())


def mask_of(found: Detections, index: int) -> np.ndarray:
    rings = found.masks.rings(index)
    sizes = np.array([len(ring) for ring in rings])
    return fill(np.concatenate(rings), sizes, found.width, found.height)


def as_set(found: Detections) -> set[tuple]:
    """Detections without an order, coordinates to 1/100 px."""
    return {
        (int(label), round(float(score), 4), tuple(np.round(box, 2).tolist()), ring.tobytes())
        for label, score, box, (ring,) in zip(
            found.class_ids, found.scores, found.boxes_xyxy, found.masks, strict=True
        )
    }


def fake_pipeline(
    backend: FakeBackend, clock=lambda: 0.0, settings: DetectorSettings | None = None
) -> DetectorPipeline:
    info = inspect_model(backend.name, backend.inputs, backend.outputs, backend.metadata)
    words = ClassNames(info.class_names)
    return DetectorPipeline(backend, info, words, words.choose([]), clock, settings)


@pytest.mark.parametrize("metadata", [None, {"names": repr(list(tiny_models.COLOURS))}])
@pytest.mark.parametrize("layout", ["end_to_end", "embedded_nms"])
def test_layouts_give_the_same_detections(tmp_path, colour_picture, layout, metadata):
    """With the export's flags in the metadata, and by shape alone."""
    found = {}
    for name in ("raw", layout):
        path = tmp_path / f"{name}.onnx"
        tiny_models.save(tiny_models.colour_model(name, metadata), path)
        with load_detector(path) as detector:
            found[name] = detector.pipeline.process(colour_picture).detections

    assert len(found["raw"]) == 7
    assert as_set(found["raw"]) == as_set(found[layout])


@pytest.mark.parametrize("layout", ["raw", "end_to_end", "embedded_nms"])
def test_things_are_where_they_were_drawn(tmp_path, colour_picture, layout):
    path = tiny_models.save(tiny_models.colour_model(layout), tmp_path / "m.onnx")
    with load_detector(path, words=["red", "blue"]) as detector:
        result = detector.pipeline.process(colour_picture)

    assert result.vocabulary == ("red", "blue")
    assert result.detections.class_ids.tolist() == [0, 1]
    np.testing.assert_allclose(result.detections.scores, [1, 240 / 255], atol=1e-3)
    # A cell's box is 12 input pixels, 18 of the picture, around the patch's centre.
    np.testing.assert_allclose(result.detections.boxes_xyxy, [[9, 9, 27, 27], [69, 57, 87, 75]])
    red = np.zeros((96, 96), bool)
    red[12:24, 12:24] = True
    mask = mask_of(result.detections, 0)
    # Only the corners are lost to the coarse prototypes, of 6 pixels of the picture.
    assert (mask & red).sum() / (mask | red).sum() > 0.8
    assert not mask[:9].any()
    assert not mask[27:].any()


def test_constant_outputs_in_three_layouts(tmp_path):
    """The same three objects written as raw anchors and as rows, one anchor seen as two classes."""
    random = np.random.default_rng(0)
    prototypes = random.normal(size=(1, 32, 16, 16)).astype(np.float32)
    coefficients = random.normal(size=(3, 32)).astype(np.float32)
    boxes = np.array([[4, 4, 30, 30], [20, 10, 60, 50], [35, 30, 63, 62]], np.float32)
    scores, labels = np.array([0.9, 0.8, 0.6], np.float32), np.array([1, 0, 2])
    head = np.zeros((1, 4 + 3 + 32, 70), np.float32)
    for i, anchor in enumerate((11, 3, 60)):
        head[0, :4, anchor] = *((boxes[i, :2] + boxes[i, 2:]) / 2), *(boxes[i, 2:] - boxes[i, :2])
        head[0, 4 + labels[i], anchor] = scores[i]
        head[0, 7:, anchor] = coefficients[i]
    head[0, 4, 11] = 0.4  # the best object's second class
    head[..., 61] = head[..., 60]
    head[0, 4 + 2, 61] = 0.55  # a duplicate that suppression removes
    rows = np.zeros((1, 300, 38), np.float32)
    rows[0, :3] = np.column_stack((boxes, scores, labels, coefficients))
    rows[0, 3] = rows[0, 0]
    with_second_class = rows.copy()
    with_second_class[0, 3, 4:6] = 0.4, 0
    rows[0, 3] = 0

    found = []
    for layout, detections in (
        ("raw", head),
        ("end_to_end", with_second_class),
        ("embedded_nms", rows),
    ):
        model = tiny_models.constant_model(
            {"output0": detections, "output1": prototypes}, tiny_models.ultralytics_metadata(layout)
        )
        path = tiny_models.save(model, tmp_path / f"{layout}.onnx")
        with load_detector(path) as detector:
            found.append(detector.pipeline.process(PICTURE).detections.to_json(tiny_models.COLOURS))

    assert [thing["class_name"] for thing in found[0]] == ["green", "red", "blue"]
    assert all(thing["polygons"] for thing in found[0])
    assert found[0] == found[1] == found[2]


def test_a_model_in_half_precision(tmp_path):
    """Inputs and outputs are float16, as exports with half=True have them."""
    outputs = {name: value.astype(np.float16) for name, value in fake_outputs().items()}
    metadata = tiny_models.ultralytics_metadata("raw")
    model = tiny_models.constant_model(outputs, metadata, dtype=TensorProto.FLOAT16)
    with load_detector(tiny_models.save(model, tmp_path / "half.onnx")) as detector:
        half = detector.pipeline.process(PICTURE).detections
    whole = fake_pipeline(FakeBackend()).process(PICTURE).detections

    np.testing.assert_allclose(half.scores, whole.scores, atol=1e-3)
    np.testing.assert_array_equal(half.boxes_xyxy, whole.boxes_xyxy)
    np.testing.assert_array_equal(mask_of(half, 0), mask_of(whole, 0))


def test_the_fake_sees_its_person():
    result = fake_pipeline(FakeBackend()).process(PICTURE)

    box = Letterbox(64, 48, 64, 64).boxes_to_source(np.array([FAKE_BOX_XYXY], np.float32))
    np.testing.assert_allclose(result.detections.boxes_xyxy, box)
    assert result.detections.to_json(result.vocabulary)[0]["class_name"] == "person"
    assert result.detections.scores[0] == np.float32(FAKE_SCORE)
    assert mask_of(result.detections, 0).sum() == 32 * 32


def test_the_tensor_holds_the_letterboxed_picture():
    backend = FakeBackend()

    fake_pipeline(backend).process(PICTURE)

    tensor = backend.inputs_last["images"]
    np.testing.assert_allclose(tensor[0, :, 8:56], 77 / 255)
    np.testing.assert_allclose(tensor[0, :, :8], 114 / 255, atol=1e-7)


def test_times_come_from_the_given_clock():
    ticks = itertools.accumulate([10.0, 0.001, 0.020, 0.003])

    elapsed = fake_pipeline(FakeBackend(), lambda: next(ticks)).process(PICTURE).elapsed_ms

    assert elapsed.preprocess == pytest.approx(1)
    assert elapsed.inference == pytest.approx(20)
    assert elapsed.postprocess == pytest.approx(3)


def test_settings_hold_from_the_next_picture_on():
    pipeline = fake_pipeline(FakeBackend())
    assert len(pipeline.process(PICTURE).detections) == 1

    pipeline.settings = DetectorSettings(confidence_threshold=0.95)

    assert len(pipeline.process(PICTURE).detections) == 0


def test_a_refused_vocabulary_changes_nothing():
    pipeline = fake_pipeline(FakeBackend())
    pipeline.set_vocabulary(["tent"])

    with pytest.raises(ConfigurationError, match="known: person, tent, vehicle"):
        pipeline.set_vocabulary(["yeti"])

    assert pipeline.vocabulary == ("tent",)
    assert pipeline.set_vocabulary([]) == pipeline.known_words == ("person", "tent", "vehicle")


def test_an_object_without_a_mask_is_dropped():
    backend = FakeBackend()
    backend.outputs_next["output1"][:] = -1

    assert len(fake_pipeline(backend).process(PICTURE).detections) == 0


def test_numbers_that_are_none_are_counted_and_dropped():
    backend = FakeBackend()
    backend.outputs_next["output0"][0, 0, 0] = np.nan

    result = fake_pipeline(backend).process(PICTURE)

    assert (len(result.detections), result.rejected) == (0, 1)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 3), np.uint16),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
    ],
)
def test_pictures_of_another_form_are_refused(picture):
    with pytest.raises(FrameError, match="must be uint8"):
        fake_pipeline(FakeBackend()).process(picture)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (49, 63, 3)])
def test_odd_pictures_work(shape):
    fake_pipeline(FakeBackend()).process(np.zeros(shape, np.uint8))


def test_inference_that_fails_once_does_not_stop_the_next():
    backend = FakeBackend()
    pipeline = fake_pipeline(backend)
    backend.is_failing = True
    with pytest.raises(FrameError, match="inference failed"):
        pipeline.process(PICTURE)

    backend.is_failing = False

    assert len(pipeline.process(PICTURE).detections) == 1


@pytest.fixture
def prompt_detector(tmp_path):
    """A model that takes its classes as an input, with words for colours."""
    path = tiny_models.save(tiny_models.prompt_model(), tmp_path / "prompts.onnx")
    words = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
    np.savez(tmp_path / "prompts.vocabulary.npz", **tiny_models.prompt_side_file(words))
    with load_detector(path, settings=DetectorSettings(confidence_threshold=0.95)) as detector:
        yield detector


def seen(detector, picture) -> list[str]:
    result = detector.pipeline.process(picture)
    return sorted({result.vocabulary[i] for i in result.detections.class_ids})


def test_a_vocabulary_takes_effect_on_the_next_picture_without_loading_again(
    prompt_detector, colour_picture
):
    pipeline = prompt_detector.pipeline
    assert pipeline.vocabulary == ("red", "green", "blue", "yellow")
    assert seen(prompt_detector, colour_picture) == ["blue", "green", "red"]

    pipeline.set_vocabulary(["blue"])
    assert seen(prompt_detector, colour_picture) == ["blue"]

    pipeline.set_vocabulary(["grass=green", "yellow"])
    assert seen(prompt_detector, colour_picture) == ["grass"]

    yellow = colour_picture.copy()
    yellow[12:24, 12:24] = (0, 255, 255)
    assert seen(prompt_detector, yellow) == ["grass", "yellow"]


def test_scores_of_the_prompt_model_are_those_of_the_formula(prompt_detector, colour_picture):
    result = prompt_detector.pipeline.process(colour_picture)

    # Pure red, R = 1: sigmoid(10 * 1 - 5).
    red = result.detections.scores[result.detections.class_ids == 0]
    assert red.max() == pytest.approx(1 / (1 + np.exp(-5.0)), abs=1e-4)


def test_too_many_words_for_the_model(prompt_detector):
    words = [f"w{i}=red" for i in range(9)]

    assert prompt_detector.pipeline.set_vocabulary(words) == tuple(f"w{i}" for i in range(8))
    assert prompt_detector.pipeline.dropped_words == ("w8",)


def test_the_overlay_is_a_copy_with_something_drawn():
    result = fake_pipeline(FakeBackend()).process(PICTURE)

    overlay = draw_overlay(PICTURE, result.detections, result.vocabulary)

    assert (PICTURE == 77).all()
    assert overlay.shape == PICTURE.shape
    centre, corner = overlay[24, 32], overlay[46, 2]
    assert (centre != 77).any()
    assert (corner == 77).all()


def test_an_overlay_of_nothing_is_the_picture():
    np.testing.assert_array_equal(draw_overlay(PICTURE, Detections.none(64, 48), ()), PICTURE)


@pytest.mark.parametrize("layout", ["raw", "end_to_end", "embedded_nms"])
@pytest.mark.parametrize("tiles", ["full", "tiles"])
def test_a_model_without_masks_gives_boxes_as_masks(tmp_path, colour_picture, layout, tiles):
    model = tiny_models.without_masks(tiny_models.colour_model(layout))
    path = tiny_models.save(model, tmp_path / "m.onnx")
    tiling = TileSettings(tiles=tiles, tile_px=64)
    with load_detector(path, tiling=tiling) as detector:
        found = detector.pipeline.process(colour_picture).detections
    path = tiny_models.save(tiny_models.colour_model(layout), tmp_path / "masks.onnx")
    with load_detector(path, tiling=tiling) as detector:
        expected = detector.pipeline.process(colour_picture).detections

    assert len(found) > 0
    np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)
    for (x0, y0, x1, y1), rings in zip(found.boxes_xyxy.tolist(), found.masks, strict=True):
        (ring,) = rings
        assert ring.tolist() == [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def test_a_real_model_finds_what_the_reference_finds(realdata):
    """Ultralytics 8.4.190 with retina_masks, same thresholds."""
    import cv2

    with load_detector(realdata.model, threads=2) as detector:
        result = detector.pipeline.process(cv2.imread(str(realdata.photo)))

    found = result.detections
    reference = realdata.reference()
    assert [result.vocabulary[i] for i in found.class_ids] == [r["class_name"] for r in reference]
    for i, expected in enumerate(reference):
        assert found.scores[i] == pytest.approx(expected["score"], abs=0.01)
        assert box_iou(found.boxes_xyxy[i], np.array(expected["box_xyxy"])) >= 0.99
        mask = mask_of(found, i)
        iou = (mask & expected["mask"]).sum() / (mask | expected["mask"]).sum()
        assert iou >= 0.95

"""Classes by example of a model that cannot compare them: things are looked at a second time."""

from pathlib import Path

import cv2
import look_models
import numpy as np
import onnx
import pytest
from tiny_models import patches

from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.cli import detect
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.second_look import (
    MOST_LOOKS,
    ExampleClasses,
    Likeness,
    judge,
)
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.errors import ConfigurationError, FrameError

MAGENTA, ORANGE, RED, BLUE = (255, 0, 255), (0, 90, 255), (0, 0, 255), (255, 0, 0)  # BGR
BOX = (0, 0, 16, 16)
LIKENESS = Likeness(100.0, 0.9)


@pytest.fixture
def model(tmp_path):
    return look_models.look_model(tmp_path)


def show(detector, name, colour, *, is_negative=False):
    embedding = detector.embed_example(name, patches((colour, (0, 0))), BOX)
    return detector.pipeline.add_example(name, embedding, is_negative=is_negative)


PLACES = {"magenta": (MAGENTA, (32, 16)), "red": (RED, (0, 0)), "orange": (ORANGE, (16, 48))}


def scene():
    return patches(*PLACES.values())


def found(detector, image=None):
    """What each class is found at: names of the patches of `scene`."""
    result = detector.pipeline.process(scene() if image is None else image)
    places = {}
    for index, box in zip(
        result.detections.class_ids, result.detections.boxes_xyxy.tolist(), strict=True
    ):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        (patch,) = [
            name
            for name, (_, (left, top)) in PLACES.items()
            if left <= x < left + 16 and top <= y < top + 16
        ]
        places.setdefault(result.vocabulary[index], set()).add(patch)
    return places


def test_what_looks_like_an_example_is_found_and_nothing_else(model):
    with load_detector(model, words=["green"], threads=1) as detector:
        assert found(detector) == {}
        assert show(detector, "boot", MAGENTA) == ("green", "boot")
        assert found(detector) == {"boot": {"magenta"}}
        assert detector.pipeline.meanings[1].origin is WordOrigin.EXAMPLES
        assert detector.pipeline.forget_examples("boot") == ("boot",)
        assert found(detector) == {}


def test_words_are_found_as_without_examples(model):
    """The row that finds whatever there is takes nothing from the words."""
    with load_detector(model, words=["red", "blue"], threads=1) as detector:
        before = detector.pipeline.process(scene()).detections
        show(detector, "boot", (0, 255, 0))
        after = detector.pipeline.process(scene())
        assert after.vocabulary == ("red", "blue", "boot")
        np.testing.assert_array_equal(after.detections.boxes_xyxy, before.boxes_xyxy)
        np.testing.assert_array_equal(after.detections.scores, before.scores)


def test_several_classes_share_one_place_and_each_thing_is_of_one(model):
    with load_detector(model, words=["green"], threads=1) as detector:
        show(detector, "boot", MAGENTA)
        show(detector, "buoy", ORANGE)
        assert found(detector) == {"boot": {"magenta"}, "buoy": {"orange"}}
        rows = detector.pipeline.vocabulary_in_force.inputs["cls_w"][0]
        assert np.count_nonzero(rows.any(axis=1)) == 2  # green, and the one for things


def test_a_known_word_that_was_shown_looks_as_shown(model):
    """`red` was shown something orange: that is what is looked for now, by its name."""
    with load_detector(model, words=["coat=red|blue", "green"], threads=1) as detector:
        assert found(detector) == {"coat": {"magenta", "red", "orange"}}
        show(detector, "red", ORANGE)
        assert found(detector) == {"coat": {"orange"}}
        (told,) = [one for one in detector.pipeline.meanings if one.word == 0]
        assert (told.text, told.positives) == ("coat", 1)


def test_what_it_is_not_lowers_a_class(model):
    with load_detector(model, words=["red", "green"], threads=1) as detector:
        assert found(detector) == {"red": {"magenta", "red", "orange"}}
        show(detector, "red", RED, is_negative=True)
        assert found(detector) == {"red": {"magenta", "orange"}}
        assert [one.negatives for one in detector.pipeline.meanings] == [1, 0]
        show(detector, "boot", MAGENTA)
        show(detector, "boot", MAGENTA)
        show(detector, "boot", BLUE, is_negative=True)
        image = patches((MAGENTA, (32, 16)), (BLUE, (0, 0)))
        assert found(detector, image)["boot"] == {"magenta"}
        assert [one.negatives for one in detector.pipeline.meanings] == [1, 0, 1]


def test_only_classes_that_were_shown_may_be_in_force(model):
    with load_detector(model, words=["green"], threads=1) as detector:
        show(detector, "boot", MAGENTA)
        assert detector.set_vocabulary(["boot"]) == ("boot",)
        assert found(detector) == {"boot": {"magenta"}}


def test_tiles_are_looked_at_a_second_time_too(model):
    image = np.zeros((128, 128, 3), np.uint8)
    image[96:112, 80:96] = MAGENTA
    image[:16, :16] = RED
    tiling = TileSettings(tiles="tiles", tile_px=64, tiles_per_frame=16)
    with load_detector(model, words=["green"], threads=1, tiling=tiling) as detector:
        show(detector, "boot", MAGENTA)
        result = detector.pipeline.process(image)
        assert len(result.looks) > 4
        assert set(result.detections.class_ids.tolist()) == {1}
        x0, y0, x1, y1 = result.detections.boxes_xyxy.T
        np.testing.assert_allclose((x0 + x1) / 2, 88, atol=10)
        np.testing.assert_allclose((y0 + y1) / 2, 104, atol=10)


def test_room_is_counted_by_classes(tmp_path):
    model = look_models.look_model(tmp_path, capacity=3)
    with load_detector(model, words=["red", "green"], threads=1) as detector:
        assert show(detector, "boot", MAGENTA) == ("red", "green", "boot")
        assert found(detector) == {"red": {"red", "magenta", "orange"}, "boot": {"magenta"}}
        assert detector.set_vocabulary(["red", "green", "blue", "boot"]) == ("red", "green", "blue")
        assert detector.pipeline.dropped_words == ("boot",)


def test_examples_are_of_the_network_that_made_them(model, tmp_path):
    """What one network says of a cut means nothing to another: the store tells them apart."""
    with load_detector(model) as detector:
        first = detector.pipeline.embedding_space
    look_models.change_vocabulary(model, example_encoder=np.array(""))
    with load_detector(model) as detector:
        assert detector.pipeline.embedding_space != first


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"thing": np.ones(4, np.float32)}, r"thing is float32 \(4,\).*must be float32 \(3,\)"),
        ({"likeness": np.full(2, np.nan, np.float32)}, "likeness holds NaN or infinity"),
        ({"likeness": np.array((1e300, 0.5))}, "likeness holds NaN or infinity"),
        ({"likeness": np.array((0, 0.5), np.float32)}, "gain of likeness is 0; it must be > 0"),
        ({"likeness": np.array((-5, 0.5), np.float32)}, "gain of likeness is -5; it must be > 0"),
    ],
)
def test_a_side_file_that_is_wrong_is_one_line(model, arrays, message):
    look_models.change_vocabulary(model, **arrays)
    with pytest.raises(ConfigurationError, match=message):
        load_detector(model)


def test_without_its_network_the_words_go_on_and_examples_are_refused(model):
    look_models.change_vocabulary(model, example_encoder=np.array("0" * 64))
    with load_detector(model, words=["red"]) as detector:
        assert "example network prompts.example.onnx: its SHA-256" in detector.encoder_refusal
        with pytest.raises(ConfigurationError, match="of another checkpoint or export"):
            show(detector, "boot", MAGENTA)
        assert "red" in found(detector)["red"]
    model.with_name("prompts.example.onnx").unlink()
    with load_detector(model) as detector, pytest.raises(ConfigurationError, match="no example"):
        show(detector, "boot", MAGENTA)


def damaged(path):
    path.write_bytes(path.read_bytes()[::-1] + b"x")


@pytest.mark.parametrize("spoil", [Path.unlink, damaged])
def test_weights_that_are_gone_cost_no_word_after_a_restart(model, spoil):
    """An example of before is known then: each frame would ask for a network that does not open."""
    kept = []
    with load_detector(model, words=["red"], threads=1) as detector:
        kept.append(detector.embed_example("boot", patches((MAGENTA, (0, 0))), BOX))
    spoil(model.with_name("prompts.example.onnx.data"))

    def recall(table, _path):
        table.show("red", kept[0], is_negative=True)

    with load_detector(model, words=["red"], threads=1, recall=recall) as detector:
        assert "prompts.example.onnx.data" in detector.encoder_refusal
        assert "red" in found(detector)["red"]
        with pytest.raises(ConfigurationError, match=r"prompts.example.onnx.data"):
            show(detector, "boot", MAGENTA)


def test_a_network_that_goes_before_its_first_use_costs_the_frame_and_says_why(model):
    with load_detector(model, words=["green"], threads=1) as detector:
        model.with_name("prompts.example.onnx").unlink()
        detector.pipeline.add_example("boot", np.array((1, 0, 0), np.float32))
        with pytest.raises(FrameError, match="example network prompts.example.onnx: "):
            detector.pipeline.process(scene())


@pytest.mark.parametrize("margin", ["nan", "inf", "-1", "0", "1e9", "wide"])
def test_a_margin_that_cuts_nothing_is_one_line(model, margin):
    path = model.with_name("prompts.example.onnx")
    graph = onnx.load(str(path), load_external_data=False)
    for entry in graph.metadata_props:
        if entry.key == "crop_margin":
            entry.value = margin
    path.write_bytes(graph.SerializeToString())
    look_models.change_vocabulary(model, example_encoder=np.array(""))
    with load_detector(model, words=["red"], threads=1) as detector:
        assert f"of margin '{margin}'" in detector.encoder_refusal
        assert "red" in found(detector)["red"]


def test_a_side_file_without_a_likeness_is_one_line(model):
    path = model.with_name("prompts.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "likeness"}
    np.savez(path, **arrays)
    with pytest.raises(ConfigurationError, match="array 'likeness' is missing"):
        load_detector(model)


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (64, 0, 80, 10), (0, 0, float("nan"), 10)])
def test_boxes_that_show_nothing_are_one_line(model, box):
    with load_detector(model) as detector, pytest.raises(FrameError, match="a box of some area"):
        detector.embed_example("boot", scene(), box)


def test_detect_takes_such_examples(model, tmp_path, capsys):
    shown, other = tmp_path / "boot.png", tmp_path / "other.png"
    cv2.imwrite(str(shown), patches((MAGENTA, (0, 0))))
    cv2.imwrite(str(other), scene())
    words = ["--words", "green", "--example", f"{shown}:0,0,16,16=boot"]
    assert detect.main([str(other), "--model", str(model), *words, "--json"]) == 0
    assert '"class_name": "boot"' in capsys.readouterr().out


def things(*boxes):
    count = len(boxes)
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(64, 64, np.zeros(count), np.ones(count), rows)


def judged(boxes, products, found_before=None, **settings):
    """Judge things whose products with the one class are these."""
    vectors = np.array(products, np.float32)[:, None] * np.eye(1, 3, dtype=np.float32)
    classes = ExampleClasses(0, {2: np.eye(1, 3, dtype=np.float32)[0]}, {}, LIKENESS)
    before = Detections.none(64, 64) if found_before is None else found_before
    return judge(
        scene(), before, things(*boxes), classes, lambda *_: vectors, DetectorSettings(**settings)
    )


def test_two_boxes_of_one_thing_are_one_the_likelier():
    """A part of it, a box that reaches a little farther; not what is beside it."""
    boxes = [(0, 0, 16, 16), (0, 0, 16, 8), (2, 2, 20, 20), (16, 30, 32, 46), (28, 30, 44, 46)]
    products = (0.93, 0.95, 0.94, 0.91, 0.92)
    result = judged(boxes, products)
    assert result.boxes_xyxy.tolist() == [list(boxes[row]) for row in (1, 4, 3)]
    assert result.class_ids.tolist() == [2, 2, 2]
    assert (result.scores > 0.5).all()
    assert len(judged(boxes, products, confidence_threshold=0.95)) == 1


def test_what_words_found_stays_and_the_best_so_many_are_kept():
    before = Detections(64, 64, [1], [0.7], [[0, 0, 16, 16]])
    both = judged([(0, 0, 16, 16)], (1.0,), before)
    assert both.class_ids.tolist() == [2, 1]
    one = judged([(0, 0, 16, 16)], (1.0,), before, agnostic_nms=True)
    assert one.class_ids.tolist() == [2]
    beside = judged([(20, 0, 36, 16)], (1.0,), before, agnostic_nms=True)
    assert beside.class_ids.tolist() == [2, 1]
    few = judged([(0, 0, 16, 16)], (1.0,), before, max_detections=1)
    assert few.class_ids.tolist() == [2]
    assert judged([], (), before) is before
    assert before.joined(Detections.none(64, 64)) is before


def test_a_likeness_is_a_probability():
    assert LIKENESS.probability(np.array([0.9]))[0] == pytest.approx(0.5)
    values = LIKENESS.probability(np.array([-1.0, 0.89, 0.91, 1.0]))
    assert (np.diff(values) > 0).all()
    assert values.min() >= 0
    assert values.max() <= 1


def test_no_more_things_are_looked_at_than_allowed(model, monkeypatch):
    asked = []
    with load_detector(model, words=["green"], threads=1) as detector:
        show(detector, "boot", MAGENTA)
        look = detector.pipeline.look_again

        def counted(image, boxes):
            asked.append(len(boxes))
            return look(image, boxes)

        detector.pipeline.look_again = counted
        rng = np.random.default_rng(2)
        detector.pipeline.process(rng.integers(60, 256, (64, 64, 3), dtype=np.uint8))
    assert asked == [MOST_LOOKS]


def test_every_detection_of_a_class_is_compared_with_what_it_is_not():
    """Not the first 24 of them only."""
    count = 2 * MOST_LOOKS
    boxes = np.tile(np.array((0, 0, 16, 16), np.float32), (count, 1))
    before = Detections(64, 64, np.full(count, 1), np.full(count, 0.9), boxes)
    unlike = {1: np.eye(1, 3, dtype=np.float32)}
    classes = ExampleClasses(None, {}, unlike, LIKENESS)
    vectors = np.tile(np.eye(1, 3, dtype=np.float32), (count, 1))
    left = judge(scene(), before, things(), classes, lambda *_: vectors, DetectorSettings())
    assert len(left) == 0

"""The classifier: its crops, what a model must say of itself, what the demo's model tells apart."""

import json
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.labels import NO_WORD
from semantic_detection_pkg.detector.backends.words_file import read_classifier_words
from semantic_detection_pkg.detector.classifier import (
    BackendClassifier,
    load_classifier,
)
from semantic_detection_pkg.detector.core.classifier_words import ClassifierWords, in_short
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.kernels.crops import crop_jpeg, crop_square
from semantic_detection_pkg.errors import FrameError, ModelError
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.settings import TierSettings
from semantic_detection_pkg.scan.core.tiers import classifier_result
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import CLASS_NAMES, DECOY_NAMES
from simulation_pkg.fakes.engine import FakeClassifier

MODEL = Path(__file__).parents[3] / "models" / "demo" / "demo_classifier.onnx"
TIME_S = 5.0
RULES = {
    "names": {0: "person", 1: "scarecrow"},
    "imgsz": [32, 32],
    "crop_margin": 1.25,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}


class Engine:
    """An `InferenceBackend` whose two logits are the mean red and the mean blue of its input."""

    name, device = "engine", "nothing"

    def __init__(
        self, metadata=RULES, inputs=(1, 3, 32, 32), outputs=(1, 2), dtype="float32", says=None
    ):
        self.inputs = (TensorSpec("input", inputs, dtype),)
        self.outputs = (TensorSpec("logits", outputs, "float32"),)
        self._says = says
        self.metadata = metadata
        self.gain = 1.0
        self.is_closed = False

    def allocate(self, shape, dtype):
        return np.zeros(shape, dtype)

    def infer(self, inputs):
        tensor = inputs["input"][0]
        if self._says is not None:
            return {"logits": self._says}
        return {"logits": self.gain * np.array([[tensor[0].mean(), tensor[2].mean()]])}

    def close(self):
        self.is_closed = True


def gradient(height: int, width: int) -> np.ndarray:
    """A picture whose channels tell where each pixel is."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x % 256, y % 256, (x + y) // 4 % 256]).astype(np.uint8)


@pytest.mark.parametrize("size", [16, 40, 100])
def test_square_shows_the_box_in_its_middle(size):
    image = np.zeros((200, 300, 3), np.uint8)
    image[80:120, 130:170] = 255
    square = crop_square(image, (130.0, 80.0, 170.0, 120.0), 2.0, size)
    rows, columns = np.nonzero(square[..., 0] > 127)
    for found in (rows, columns):
        assert found.min() == pytest.approx(size / 4, abs=1)
        assert found.max() + 1 == pytest.approx(size * 3 / 4, abs=1)


def test_square_at_its_own_size_is_the_picture():
    image = gradient(60, 80)
    assert np.array_equal(
        crop_square(image, (20.0, 10.0, 52.0, 42.0), 1.0, 32), image[10:42, 20:52]
    )


@pytest.mark.parametrize(
    "box", [(-50, -50, -10, -10), (290, 150, 340, 260), (10.2, 10.2, 10.4, 10.3)]
)
def test_square_beyond_the_edge_is_grey(box):
    square = crop_square(np.zeros((200, 300, 3), np.uint8), box, 1.25, 24)
    assert square.shape == (24, 24, 3)
    assert set(np.unique(square)) <= set(range(115))


@pytest.mark.parametrize(("sides_px", "longer"), [((8, 40), 40), ((8, 400), 60), ((200, 400), 200)])
def test_jpeg_is_the_part_that_the_picture_shows_as_large_as_asked(sides_px, longer):
    data = crop_jpeg(gradient(200, 300), (260.0, 20.0, 300.0, 60.0), 1.5, sides_px)
    part = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert max(part.shape[:2]) == longer
    assert part.shape[0] > part.shape[1]  # the right of it lies beyond the edge


def test_labels_come_by_falling_probability_and_channels_are_rgb():
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[..., 0] = 255
    said = BackendClassifier(Engine()).classify(blue, (0.0, 0.0, 64.0, 64.0))
    assert said.labels == ("scarecrow", "person")
    # 0.64 of the square is the box: the logits are means of (value - 0.5) / 0.25, and the grey of
    # the margin is the same in both.
    assert math.log(said.probabilities[0] / said.probabilities[1]) == pytest.approx(2.56, abs=0.1)
    assert sum(said.probabilities) == pytest.approx(1.0)


def test_output_that_is_no_number_is_an_error_of_this_frame():
    engine = Engine()
    classifier = BackendClassifier(engine)
    engine.gain = math.nan
    with pytest.raises(FrameError, match="engine: its output is not finite"):
        classifier.classify(gradient(64, 64), (0.0, 0.0, 64.0, 64.0))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_output_of_another_length_is_an_error_of_this_frame(count):
    classifier = BackendClassifier(Engine(outputs=(1, None), says=np.zeros((1, count))))
    with pytest.raises(FrameError, match=f"output of {count} numbers must be one for each of 2"):
        classifier.classify(gradient(64, 64), (0.0, 0.0, 64.0, 64.0))


def test_outputs_as_far_apart_as_can_be_are_certain():
    says = np.array([[1e308, -1e308]])
    said = BackendClassifier(Engine(says=says)).classify(gradient(64, 64), (0.0, 0.0, 64.0, 64.0))
    assert said.probabilities == (1.0, 0.0)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Engine(metadata={}), "metadata of a classifier are needed"),
        (Engine(metadata={**RULES, "names": {0: "person"}}), "1 names for 2 outputs"),
        (Engine(metadata={**RULES, "names": "{0: 'a', 2: 'b'}"}), "metadata of a classifier"),
        (Engine(metadata={**RULES, "std": [0.0, 1.0, 1.0]}), "allowed are 8..1024"),
        (Engine(metadata={**RULES, "imgsz": "os.system('x')"}), "metadata of a classifier"),
        (Engine(inputs=(1, 12)), "is no classifier; it needs one input"),
        (Engine(inputs=(4, 3, 32, 32)), "4x3x32x32 must be float32 or float16 1x3x32x32"),
        (Engine(inputs=(1, 3, 64, 64)), "1x3x64x64 must be .* 1x3x32x32, as its metadata imgsz"),
        (Engine(inputs=(1, 32, 32, 3)), "1x32x32x3 must be"),
        (Engine(dtype="tensor(int64)"), "tensor.int64. 1x3x32x32 must be float32 or float16"),
        (Engine(outputs=()), "2 names for"),
        (Engine(outputs=(1, 5, 2)), "2 names for 10 outputs"),
        (Engine(outputs=(None, 3)), "2 names for 3 outputs"),
        (Engine(metadata={**RULES, "std": "[1, 1e999, 1]"}), "1, inf, 1 must be finite"),
        (Engine(metadata={**RULES, "mean": [0.5, math.nan, 0.5]}), "0.5, nan, 0.5 must be finite"),
        (Engine(metadata={**RULES, "imgsz": "[1e999]"}), "metadata of a classifier"),
        (Engine(metadata={**RULES, "imgsz": "-" * 100_000 + "1"}), "metadata of a classifier"),
        (Engine(metadata={**RULES, "names": "{1e999: 'a'}"}), "metadata of a classifier"),
        (Engine(metadata={**RULES, "names": ["a", "\ud800"]}), "is no text"),
    ],
)
def test_model_that_is_no_classifier_is_refused_in_one_line(engine, message):
    with pytest.raises(ModelError, match=message) as raised:
        BackendClassifier(engine)
    assert "\n" not in str(raised.value)


def test_a_crop_too_small_for_the_model_has_no_opinion():
    """Trained at 32 px: from 8 px on, that is a box of 6.4 px with its margin."""
    classifier = BackendClassifier(Engine())
    image = gradient(64, 64)
    assert classifier.classify(image, (10.0, 10.0, 13.0, 16.0)).labels == ()
    assert len(classifier.classify(image, (10.0, 10.0, 13.0, 17.0)).labels) == 2
    patient = BackendClassifier(Engine(metadata={**RULES, "min_crop_px": "5"}))
    assert len(patient.classify(image, (10.0, 10.0, 13.0, 16.0)).labels) == 2


# --------------------------------------------------------------------------------- words


def test_a_table_maps_classes_to_words_and_the_rest_to_none():
    words = ClassifierWords.from_json({"words": {"human": ["person"]}}, "words")
    said = BackendClassifier(Engine(), words).classify(gradient(64, 64), (0.0, 0.0, 64.0, 64.0))
    assert set(said.labels) == {"human", NO_WORD}
    assert sum(said.probabilities) == pytest.approx(1.0)


def test_a_table_lies_beside_the_model(tmp_path):
    model = tmp_path / "net.onnx"
    assert read_classifier_words(model) is None
    text = '{"words": {"car": ["convertible", "minivan"]}, "min_crop_px": 90}'
    (tmp_path / "net.words.json").write_text(text)
    words = read_classifier_words(model)
    assert words.classes == {"car": ("convertible", "minivan")}
    assert words.min_crop_px == 90.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "with at least one word"),
        ("{", "is not JSON"),
        ('{"words": {}}', "with at least one word"),
        ('{"words": {"car": []}}', "word 'car' needs a list of one class or more"),
        ('{"words": {"car": "minivan"}}', "word 'car' needs a list"),
        ('{"words": {"car": ["minivan"]}, "size": 3}', "key 'size' is unknown"),
        ('{"words": {"car": ["minivan"]}, "min_crop_px": -1}', "min_crop_px -1 must be a number"),
        ('{"words": {" ": ["minivan"]}}', "word ' ' and its classes must be texts"),
        ('{"words": {"\\ud800": ["minivan"]}}', "and its classes must be texts"),
        ('{"words": {"(no word)": ["minivan"]}}', "is what no word stands for"),
        ('{"words": {"car": ["minivan"], "car": ["cab"]}}', "'car' is there twice"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path, text, reason):
    (tmp_path / "net.words.json").write_text(text)
    with pytest.raises(ModelError, match=re.escape(reason)) as raised:
        read_classifier_words(tmp_path / "net.onnx")
    assert "\n" not in str(raised.value)
    assert "net.words.json" in str(raised.value)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"human": ["persons"]}, r"model engine has no class 'persons'; is 'person' meant\?"),
        ({"human": ["xyz"]}, "model engine has no class 'xyz'$"),
        ({"a": ["person"], "b": ["person"]}, "class 'person' stands for 'a' and for 'b'"),
    ],
)
def test_words_of_another_model_are_refused(table, reason):
    words = ClassifierWords.from_json({"words": table}, "words")
    with pytest.raises(ModelError, match=reason):
        BackendClassifier(Engine(), words)


def test_a_classifier_says_which_words_it_is_for():
    own = BackendClassifier(Engine())
    assert own.words == ("person", "scarecrow")
    assert own.summary == (
        "classifier engine, no table of words, its own classes are those: person, scarecrow"
    )
    many = {f"w{number}": ["person"] if number == 0 else ["scarecrow"] for number in range(2)}
    table = ClassifierWords.from_json({"words": many}, "words net.words.json")
    mapped = BackendClassifier(Engine(), table)
    assert mapped.words == ("w0", "w1")
    assert mapped.summary == "classifier engine, words net.words.json for w0, w1"
    assert in_short([str(number) for number in range(11)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 3 more"


def test_a_real_imagenet_model_has_no_opinion_on_persons(realdata, tmp_path):
    """It knows buses; of a person, of whom it has no class, it says nothing."""
    source = realdata.path("classifier/mobilenetv3_large_min.onnx")
    model = tmp_path / source.name
    model.symlink_to(source)
    table = {
        "bus": ["minibus", "trolleybus", "school bus"],
        "car": ["minivan", "sports car", "cab"],
    }
    model.with_suffix(".words.json").write_text(json.dumps({"words": table}))
    classifier = load_classifier(model, engine="onnxruntime", threads=1)
    image = cv2.imread(str(realdata.photo))

    bus = classifier.classify(image, (20.0, 230.0, 800.0, 750.0))
    inspection = InspectionResult(1, 1, "", classifier.name, bus.labels, bus.probabilities)

    assert set(bus.labels) == {"bus", "car", NO_WORD}
    assert classifier_result("bus", [inspection], TierSettings()).verdict is Verdict.YES
    person = classifier_result("person", [inspection], TierSettings())
    assert person.verdict is Verdict.NOT_RUN
    assert person.reason.startswith("no opinion")
    assert classifier.classify(image, (20.0, 400.0, 40.0, 440.0)).labels == ()  # 48 px of 224
    classifier.close()


def test_missing_file_is_named():
    with pytest.raises(ModelError, match=r"model nowhere\.onnx: does not exist"):
        load_classifier("nowhere.onnx", engine="onnxruntime")


def test_fake_fails_when_told_and_when_closed():
    fake = load_classifier("any", engine="fake")
    assert isinstance(fake, FakeClassifier)
    fake.classify(gradient(8, 8), (0, 0, 8, 8))
    fake.close()
    with pytest.raises(FrameError, match="as asked for"):
        fake.classify(gradient(8, 8), (0, 0, 8, 8))


@pytest.mark.parametrize("width", [1280, 640])
def test_demo_model_tells_things_from_decoys_on_the_crops_made_here(width):
    """The crop agrees with the one that the model was trained on, at two picture sizes."""
    classifier = load_classifier(MODEL, engine="onnxruntime", threads=1)
    world = build_world(WorldLayout(9100))
    lens = Lens(width, width * 9 // 16)
    renderer = Renderer(world, lens)
    right = []
    for name in CLASS_NAMES[:4]:
        for is_decoy in (False, True):
            board = next(b for b in world.boards if (b.class_name, b.is_decoy) == (name, is_decoy))
            x_m, y_m = board.foot(TIME_S)
            drop = world.layout.camera_height_m - board.height_m / 2
            size = max(board.width_m, 1.4 * board.height_m) / math.hypot(x_m, y_m, drop)
            zoom = 2 * math.tan(lens.hfov_wide_rad / 2) * 0.33 / size
            pose = CameraPose(
                math.atan2(y_m, x_m), math.atan2(drop, math.hypot(x_m, y_m)), 0.0, zoom
            )
            view = renderer.render(pose, TIME_S)
            seen = next(s for s in view.truth.objects if s.id == board.id)
            wanted = DECOY_NAMES[name] if is_decoy else name
            said = classifier.classify(view.image, seen.box_xyxy)
            right.append(said.labels[0] == wanted)
    classifier.close()
    assert sum(right) >= 7  # of 8: the model is right in 99 % of its evaluation

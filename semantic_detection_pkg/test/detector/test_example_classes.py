"""Classes by example: averaged, lowered by what they are not, from boxes in pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import text_encoders
import tiny_models
from ament_index_python.packages import get_package_share_directory
from tiny_models import patches

from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.cli import detect
from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX, EXAMPLE_PIXELS_MAX
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.example_view import example_view
from semantic_detection_pkg.detector.core.examples import MOST_EXAMPLES, Examples
from semantic_detection_pkg.detector.core.prompts import LONGEST_PROMPT
from semantic_detection_pkg.errors import ConfigurationError, FrameError

MAGENTA, ORANGE, RED, BLUE = (255, 0, 255), (0, 128, 255), (0, 0, 255), (255, 0, 0)  # BGR


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def model(tmp_path):
    return text_encoders.prompt_model_with_text(tmp_path)


def show(detector, name, image, box, *, is_negative=False):
    embedding = detector.embed_example(name, image, box)
    return detector.pipeline.add_example(name, embedding, is_negative=is_negative)


def best(detector, image, name):
    """The best score of a class in a picture; 0: none."""
    result = detector.pipeline.process(image)
    if name not in result.vocabulary:
        return 0.0
    scores = result.detections.scores[result.detections.class_ids == result.vocabulary.index(name)]
    return float(scores.max(initial=0.0))


def test_what_a_box_shows_is_found_in_other_pictures(model):
    shown = patches((MAGENTA, (16, 32)), (RED, (0, 0)))
    with load_detector(model, words=["green"], threads=1) as detector:
        assert show(detector, "boot", shown, (16, 32, 32, 48)) == ("green", "boot")
        other = patches((MAGENTA, (40, 8)))
        result = detector.pipeline.process(other)
        found = result.detections.boxes_xyxy[result.detections.class_ids == 1]
        assert len(found) > 0
        assert ((found[:, 0] > 30) & (found[:, 1] < 30)).all()
        assert best(detector, other, "boot") > best(detector, patches((RED, (0, 0))), "boot") + 0.1
        # The words may be set anew; the example is still known.
        assert detector.set_vocabulary(["boot", "red"]) == ("boot", "red")
        assert best(detector, other, "boot") > 0.9


def test_several_examples_are_averaged(model):
    with load_detector(model, words=["green"], threads=1) as detector:
        show(detector, "boot", patches((RED, (0, 0))), (0, 0, 16, 16))
        show(detector, "boot", patches((RED, (0, 0))), (0, 0, 16, 16))
        show(detector, "boot", patches(((255, 0, 0), (0, 0))), (0, 0, 16, 16))  # blue
        table = detector.pipeline._words
        np.testing.assert_allclose(table._embedding("boot"), unit(2, 0, 1), atol=1e-5)


def test_what_it_is_not_lowers_a_class_and_no_other(model):
    both = patches((MAGENTA, (0, 0)), (ORANGE, (32, 32)))
    with load_detector(model, words=["red"], threads=1) as detector:
        show(detector, "boot", both, (0, 0, 16, 16))
        assert detector.pipeline.vocabulary == ("red", "boot")
        before = {name: best(detector, patches((ORANGE, (32, 32))), name) for name in ("red",)}
        alone = best(detector, patches((MAGENTA, (0, 0))), "boot")
        wrong = score_of(detector, "boot", ORANGE)

        show(detector, "boot", both, (32, 32, 48, 48), is_negative=True)

        assert score_of(detector, "boot", ORANGE) < wrong - 0.1
        assert best(detector, patches((MAGENTA, (0, 0))), "boot") == pytest.approx(alone, abs=1e-5)
        assert best(detector, patches((ORANGE, (32, 32))), "red") == pytest.approx(before["red"])


def score_of(detector, name, colour) -> float:
    """What the model says of a class at a colour, whatever the threshold."""
    inputs = detector.pipeline._vocabulary.inputs
    row = detector.pipeline.vocabulary.index(name)
    rgb = np.array(colour[::-1]) / 255
    logit = inputs["cls_w"][0, row] @ rgb + inputs["cls_b"][0, row]
    return float(1 / (1 + np.exp(-logit)))


def test_negatives_lower_known_words_and_typed_ones_too(model):
    with load_detector(model, words=["red", "rope"], threads=1) as detector:
        wrong = score_of(detector, "red", ORANGE)
        right = score_of(detector, "red", RED)
        show(detector, "Red", patches((ORANGE, (0, 0))), (0, 0, 16, 16), is_negative=True)
        assert detector.pipeline.vocabulary == ("red", "rope")
        assert score_of(detector, "red", ORANGE) < wrong - 0.2
        assert score_of(detector, "red", RED) == pytest.approx(right, abs=1e-4)


@pytest.mark.parametrize("word", ["coat=red|green", "coat=red"])
def test_examples_of_a_class_with_a_name_of_its_own_count(model, word):
    with load_detector(model, words=[word, "blue"], threads=1) as detector:
        pipeline = detector.pipeline
        red = score_of(detector, "coat", RED)
        wrong = score_of(detector, "coat", ORANGE)
        show(detector, "Coat", patches((ORANGE, (0, 0))), (0, 0, 16, 16), is_negative=True)
        assert pipeline.vocabulary == ("coat", "blue")
        assert score_of(detector, "coat", ORANGE) < wrong - 0.2
        assert score_of(detector, "coat", RED) == pytest.approx(red, abs=1e-4)
        assert sum(one.negatives for one in pipeline.meanings if one.word == 0) == 1

        pipeline.forget_examples("coat")
        before = score_of(detector, "coat", BLUE)
        show(detector, "coat", patches((BLUE, (0, 0))), (0, 0, 16, 16))
        assert pipeline.vocabulary == ("coat", "blue")
        assert score_of(detector, "coat", BLUE) > before + 0.2
        assert [one.text for one in pipeline.meanings] == ["coat", "blue"]
        assert pipeline.meanings[0].origin is WordOrigin.EXAMPLES

        assert pipeline.forget_examples("coat") == ()
        assert pipeline.wanted_words == (word, "blue")
        assert score_of(detector, "coat", RED) == pytest.approx(red, abs=1e-6)


@pytest.mark.parametrize("name", ["Green", "rope"])
def test_an_example_of_what_a_class_looks_for_counts_for_that(model, name):
    """No second class with the same vector; what else the class looks for stays."""
    word = "coat=red|green|rope"
    with load_detector(model, words=[word, "boat=blue"], threads=1) as detector:
        pipeline = detector.pipeline
        show(detector, name, patches((MAGENTA, (0, 0))), (0, 0, 16, 16))
        assert (pipeline.vocabulary, pipeline.wanted_words) == (
            ("coat", "boat"),
            (word, "boat=blue"),
        )
        assert best(detector, patches((MAGENTA, (0, 0))), "coat") > 0.9
        assert best(detector, patches((RED, (0, 0))), "coat") > 0.9
        show(detector, name, patches((ORANGE, (0, 0))), (0, 0, 16, 16), is_negative=True)
        (told,) = [one for one in pipeline.meanings if one.text.lower() == name.lower()]
        assert (told.word, told.positives, told.negatives) == (0, 1, 1)
        assert pipeline.class_of("red") == pipeline.class_of("COAT") == "coat"
        assert pipeline.class_of("yeti") == ""

        assert pipeline.forget_examples(name) == ()
        assert pipeline.vocabulary == ("coat", "boat")


def test_examples_of_a_class_and_of_what_it_looks_for_count_together(model):
    with load_detector(model, words=["coat=red|green", "blue"], threads=1) as detector:
        pipeline = detector.pipeline
        show(detector, "coat", patches((RED, (0, 0))), (0, 0, 16, 16))
        show(detector, "red", patches((BLUE, (0, 0))), (0, 0, 16, 16))
        show(detector, "green", patches((ORANGE, (0, 0))), (0, 0, 16, 16), is_negative=True)
        assert pipeline.vocabulary == ("coat", "blue")
        (told,) = [one for one in pipeline.meanings if one.word == 0]
        assert (told.positives, told.negatives) == (2, 1)
        lowered = Examples((unit(1, 0, 0), unit(0, 0, 1)), (unit(255, 128, 0),)).embedding(None)
        (coat, _), _ = pipeline._words._fitting(pipeline.wanted_words)
        (found,) = pipeline._words._class_embeddings(coat)
        np.testing.assert_allclose(found, lowered, atol=1e-5)


def test_examples_that_leave_no_mean_are_left_out():
    there, back = Examples((unit(1, 0),)), Examples((unit(-1, 0),), (unit(0, 1),))
    joined = there.joined([back, Examples((unit(1, 0),))])
    assert (len(joined.positives), len(joined.negatives)) == (2, 1)
    assert np.isfinite(joined.embedding(None)).all()


def test_what_a_class_is_not_has_nobody_look_for_it(model):
    with load_detector(model, words=["red"], threads=1) as detector:
        show(detector, "blue", patches((ORANGE, (0, 0))), (0, 0, 16, 16), is_negative=True)
        assert detector.pipeline.vocabulary == ("red",)
        detector.pipeline.set_vocabulary(["red", "blue"])
        assert [one.negatives for one in detector.pipeline.meanings] == [0, 1]


def test_what_is_forgotten_takes_no_word_with_it_that_there_is_no_room_for(model):
    words = [f"word {number}" for number in range(300)]
    with load_detector(model, words=words, threads=1) as detector:
        pipeline = detector.pipeline
        show(detector, "boot", patches((MAGENTA, (0, 0))), (0, 0, 16, 16))
        assert pipeline.forget_examples("boot") == ("boot",)
        assert pipeline.wanted_words == tuple(words)
        assert len(pipeline.vocabulary) == 8
        assert pipeline.dropped_words == tuple(words[8:])

        pipeline.set_vocabulary(words[:7])
        show(detector, "boot", patches((MAGENTA, (0, 0))), (0, 0, 16, 16))
        pipeline.set_vocabulary([*words[:7], "boot", *words[8:]])
        # There is room now for a word that was never encoded: only that leaves, too.
        assert pipeline.forget_examples("boot")[0] == "boot"
        assert pipeline.vocabulary == tuple(words[:7])


def test_the_arithmetic_of_negatives():
    """No similarity left to what differs; what is almost the class itself is lowered by little."""
    positive, near, far = unit(1, 0, 0, 0), unit(1, 0.02, 0, 0), unit(1, 1, 1, 0)
    plain = Examples((positive,))
    lowered = plain.plus(far, is_negative=True).embedding(None)
    assert lowered @ positive == pytest.approx(1.0, abs=1e-6)
    assert lowered @ far == pytest.approx(0.0, abs=1e-6)
    barely = plain.plus(near, is_negative=True).embedding(None)
    assert barely @ positive == pytest.approx(1.0, abs=1e-6)
    assert 0.9 < barely @ near < 0.97
    # Of itself it says nothing new; several count each by what it adds.
    np.testing.assert_allclose(plain.plus(positive, is_negative=True).embedding(None), positive)
    second = unit(1, 1, -1, 1)
    two = plain.plus(far, is_negative=True).plus(second, is_negative=True).embedding(None)
    assert two @ positive == pytest.approx(1.0, abs=1e-6)
    assert (two @ far, two @ second) == pytest.approx((0.0, 0.0), abs=1e-5)
    opposite = unit(-1, 1, 0, 0)
    np.testing.assert_allclose(
        plain.plus(opposite, is_negative=True).embedding(None), positive, atol=1e-6
    )


REFUSALS = {
    "no area": ((10, 10, 10, 20), FrameError, "box 10, 10, 10, 20 px: a box of some area"),
    "turned": ((20, 10, 10, 20), FrameError, "a box of some area that shows part of the picture"),
    "outside": ((64, 0, 80, 10), FrameError, "of the picture of 64x64 px is needed"),
    "left of it": ((-9, 0, 0, 10), FrameError, "a box of some area"),
    "not a number": ((0, 0, float("nan"), 10), FrameError, "box 0, 0, nan, 10 px"),
    "black": ((0, 0, 16, 16), ConfigurationError, "says nothing of this example"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_boxes_that_show_nothing_are_one_line(model, case):
    box, error, message = REFUSALS[case]
    with load_detector(model, words=["red"]) as detector:
        with pytest.raises(error) as refused:
            show(detector, "boot", patches((RED, (40, 40))), box)
        assert detector.pipeline.vocabulary == ("red",)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "is_negative", "message"),
    [
        ("", False, "'' is not a word"),
        ("a|b", False, "is not one plain name"),
        ("boot=red", False, "is not one plain name"),
        ("yeti", True, "'yeti' is no class yet: something that it is comes first"),
    ],
)
def test_names_that_are_none_are_one_line(model, name, is_negative, message):
    with load_detector(model, words=["red"]) as detector:
        with pytest.raises(ConfigurationError, match=message.replace("|", r"\|")):
            show(detector, name, patches((RED, (0, 0))), (0, 0, 16, 16), is_negative=is_negative)
        assert detector.pipeline.vocabulary == ("red",)


def test_models_that_take_no_examples_say_so(tmp_path, model):
    model.with_name("prompts.example.onnx").unlink()
    with load_detector(model) as detector, pytest.raises(ConfigurationError) as refused:
        show(detector, "boot", patches((RED, (0, 0))), (0, 0, 16, 16))
    assert "no example network lies beside prompts.onnx; export it anew" in str(refused.value)
    baked = tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "baked.onnx")
    message = "the model's classes are baked"
    with load_detector(baked) as detector, pytest.raises(ConfigurationError, match=message):
        detector.pipeline.add_example("boot", unit(1, 0, 0))


def test_a_network_of_another_export_is_refused(model):
    path = model.with_name("prompts.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **(arrays | {"example_encoder": np.array("0" * 64)}))
    with load_detector(model) as detector:
        assert "example network prompts.example.onnx: its SHA-256" in detector.encoder_refusal
        with pytest.raises(ConfigurationError, match="of another checkpoint or export"):
            show(detector, "boot", patches((RED, (0, 0))), (0, 0, 16, 16))
        assert detector.set_vocabulary(["rope"]) == ("rope",)


def test_where_there_is_no_room_the_name_is_dropped_and_said(tmp_path):
    model = text_encoders.prompt_model_with_text(tmp_path, capacity=3)
    with load_detector(model) as detector:
        assert show(detector, "boot", patches((RED, (0, 0))), (0, 0, 16, 16)) == (
            "red", "green", "blue"
        )  # fmt: skip
        assert detector.dropped_words.endswith("dropped: boot")


def test_a_large_picture_is_looked_at_around_the_box_at_its_own_resolution():
    """A thing of 20 px in 1080p would be 7 px in 640; its surroundings are not."""
    view = example_view((1800, 1000, 1820, 1040), (1920, 1080), (640, 640))
    assert (view.region.width, view.region.height) == (640, 640)
    assert view.region[2:] == (1920, 1080)
    np.testing.assert_allclose(view.box_xyxy, (520, 560, 540, 600))
    whole = example_view((100, 100, 1800, 1000), (1920, 1080), (640, 640))
    assert whole.region == (0, 0, 1920, 1080)
    small = example_view((-5, 2, 20, 30), (100, 80), (640, 640))
    assert small.region == (0, 0, 100, 80)
    np.testing.assert_allclose(small.box_xyxy, (0, 64 + 12.8, 128, 64 + 192), atol=1e-9)


@pytest.mark.parametrize(
    ("box", "inside"),
    [((0, 0, 64, 64), 64), ((8, 16, 24, 32), 4), ((9, 17, 24, 32), 1), ((3, 3, 4, 4), 1)],
)
def test_masks_are_those_of_ultralytics_and_never_empty(box, inside):
    """Places from ceil(edge) on, by their index; of a box between two places the nearer one."""
    mask = example_view(box, (64, 64), (64, 64)).mask(8, 8)
    assert mask.shape == (1, 1, 8, 8)
    assert mask.sum() == inside


def test_detect_takes_words_and_examples(model, tmp_path, capsys):
    shown, other = tmp_path / "boot.png", tmp_path / "other.png"
    cv2.imwrite(str(shown), patches((MAGENTA, (16, 32))))
    cv2.imwrite(str(other), patches((MAGENTA, (40, 8)), (RED, (0, 40))))
    status = detect.main(
        ["--model", str(model), "--json", str(other), "--words", "red", "yellow raincoat",
         "--example", f"{shown}:16,32,32,48=boot"]
    )  # fmt: skip
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    found = json.loads(captured.out)["detections"]
    assert {one["class_name"]: one["class_id"] for one in found}["boot"] == 2
    boots = [one for one in found if one["class_name"] == "boot"]
    assert boots[0]["box_xyxy"][0] > 30


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ("{shown}:16,32,32,48", "PICTURE:x0,y0,x1,y1=NAME is needed"),
        ("{shown}:16,32,32=boot", "PICTURE:x0,y0,x1,y1=NAME is needed"),
        ("{shown}:1,1,1,9=boot", "box 1, 1, 1, 9 px: a box of some area"),
        ("{shown}:99,0,120,9=boot", "of the picture of 64x64 px is needed"),
        ("{none}:1,1,9,9=boot", "no such file"),
        ("{broken}:1,1,9,9=boot", "picture"),
        ("{shown}:16,32,32,48!=yeti", "'yeti' is no class yet"),
    ],
)
def test_examples_that_are_none_are_one_line(model, tmp_path, capsys, example, message):
    shown, broken = tmp_path / "boot.png", tmp_path / "broken.jpg"
    cv2.imwrite(str(shown), patches((MAGENTA, (16, 32))))
    broken.write_bytes(b"not a picture")
    text = example.format(shown=shown, broken=broken, none=tmp_path / "none.png")
    status = detect.main(["--model", str(model), str(shown), "--example", text])
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert captured.err.startswith("detect: --example ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([""], "vocabulary: '' is not a word"),
        (["red", "  "], "vocabulary: '  ' is not a word"),
        (["red", "..."], "vocabulary: '...' is not a word"),
        (["x" * 500], "...' has 500 letters, at most 200 are allowed"),
        (["rope"], "text encoder prompts.text.onnx: its SHA-256 is "),
    ],
)
def test_words_that_are_none_are_one_line(model, tmp_path, capsys, words, message):
    """The last: an encoder of another checkpoint lies beside the model; known words go on."""
    shown, encoder = tmp_path / "boot.png", model.with_name("prompts.text.onnx")
    cv2.imwrite(str(shown), patches((MAGENTA, (16, 32))))
    encoder.write_bytes(encoder.read_bytes() + b"\n")
    assert detect.main(["--model", str(model), str(shown), "--words", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert detect.main(["--model", str(model), str(shown), "--words", "red"]) == 0


def test_the_service_names_all_limits():
    text = (Path(get_package_share_directory("interfaces_pkg")) / "srv/AddExample.srv").read_text()
    for limit in (
        f"{EXAMPLE_BYTES_MAX >> 20} MiB",
        f"{EXAMPLE_PIXELS_MAX // 1_000_000} megapixels",
        f"{MOST_EXAMPLES} examples",
        f"{LONGEST_PROMPT} letters",
    ):
        assert limit in text


def test_300_words_are_looked_for_as_far_as_there_is_room(model, tmp_path, capsys):
    shown = tmp_path / "boot.png"
    cv2.imwrite(str(shown), patches((RED, (16, 32))))
    words = ["red", *(f"word {number}" for number in range(299))]
    assert detect.main(["--model", str(model), "--json", str(shown), "--words", *words]) == 0
    captured = capsys.readouterr()
    assert "red" in {one["class_name"] for one in json.loads(captured.out)["detections"]}
    (line,) = captured.err.splitlines()
    assert "the first 8 of 300 words are looked for, the model has room for no more" in line
    assert line.endswith(f"dropped: {', '.join(words[8:13])} and 287 more")

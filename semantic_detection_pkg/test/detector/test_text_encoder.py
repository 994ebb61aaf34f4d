"""Any word at run time: new words in pictures, the cache, files that do not fit."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import text_encoders

from semantic_detection_pkg.detector.backends import text_encoder, word_source
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.errors import ConfigurationError


@pytest.fixture
def model(tmp_path):
    return text_encoders.prompt_model_with_text(tmp_path)


def test_a_new_word_is_found_in_pictures(model):
    """Typed, encoded, folded: the next picture shows what the word looks for."""
    with load_detector(model, threads=1) as detector:
        assert detector.pipeline.vocabulary == ("red", "green", "blue")
        assert detector.set_vocabulary(["red", "Yellow Raincoat"]) == ("red", "Yellow Raincoat")
        embedding = detector.source.find(["yellow raincoat"])["yellow raincoat"]
        result = detector.pipeline.process(text_encoders.picture_of(embedding))
        assert "Yellow Raincoat" in {result.vocabulary[one] for one in result.detections.class_ids}
        nothing = detector.pipeline.process(text_encoders.picture_of(-embedding))
        assert 1 not in nothing.detections.class_ids


def test_new_words_score_as_if_they_were_in_the_file(model):
    """The same inputs of the network as from a vocabulary file with the embedding in it."""
    with load_detector(model, words=["rope"]) as detector:
        typed = detector.pipeline._vocabulary.inputs
        embedding = detector.source.find(["rope"])["rope"]
    path = model.with_name("prompts.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["names"] = np.array([*arrays["names"], "rope"])
    arrays["embeddings"] = np.concatenate((arrays["embeddings"], embedding[None]))
    np.savez(path, **arrays)
    with load_detector(model, words=["rope"]) as detector:
        assert "rope" in detector.pipeline.known_words
        for name, values in detector.pipeline._vocabulary.inputs.items():
            np.testing.assert_array_equal(values, typed[name])


def test_a_word_is_encoded_once(model, monkeypatch):
    """In this process, in the next one, however it is typed; others beside it go on being new."""
    encoded = []
    encode = text_encoder.TextEncoder.encode
    monkeypatch.setattr(
        text_encoder.TextEncoder,
        "encode",
        lambda self, prompts, checkpoint: (
            encoded.extend(prompts) or encode(self, prompts, checkpoint)
        ),
    )
    with load_detector(model, words=["Rope"]) as detector:
        first = detector.pipeline._vocabulary.inputs["cls_w"]
        detector.set_vocabulary(["red", "rope"])
    with load_detector(model) as detector:
        detector.set_vocabulary(["ROPE"])
        np.testing.assert_array_equal(detector.pipeline._vocabulary.inputs["cls_w"], first)
        assert encoded == ["rope"]
        detector.set_vocabulary(["rope", "boot|Boots", "rope=boot"][:2])
    assert encoded == ["rope", "boot", "boots"]


def damage(path):
    path.write_bytes(path.read_bytes()[:50])


def rubbish(path):
    path.write_bytes(b"PK\x03\x04 nothing")


def of_another_word(path):
    np.savez(path, prompt=np.array("boot"), embedding=np.ones(3, np.float32))


def not_finite(path):
    np.savez(path, prompt=np.array("rope"), embedding=np.full(3, np.nan, np.float32))


@pytest.mark.parametrize("spoil", [damage, rubbish, of_another_word, not_finite])
def test_what_is_damaged_in_the_cache_is_encoded_anew(model, spoil):
    with load_detector(model, words=["rope"]) as detector:
        wanted = detector.pipeline._vocabulary.inputs["cls_w"]
    (file,) = model.with_name("prompts.words").rglob("*.npz")
    spoil(file)
    for _ in range(2):
        with load_detector(model, words=["rope"]) as detector:
            np.testing.assert_array_equal(detector.pipeline._vocabulary.inputs["cls_w"], wanted)


def test_a_folder_that_cannot_be_written_costs_only_time(model, caplog):
    model.with_name("prompts.words").write_bytes(b"a file where the folder should be")
    with load_detector(model, words=["rope", "boot"]) as detector:
        assert detector.pipeline.vocabulary == ("rope", "boot")
    (said,) = (one.message for one in caplog.records if "word cache" in one.message)
    assert "cannot be written" in said


def test_the_cache_of_another_encoder_is_not_taken(tmp_path):
    model = text_encoders.prompt_model_with_text(tmp_path, seed=1)
    with load_detector(model, words=["rope"]) as detector:
        before = detector.pipeline._vocabulary.inputs["cls_w"]
    text_encoders.prompt_model_with_text(tmp_path, seed=2)
    with load_detector(model, words=["rope"]) as detector:
        assert not np.array_equal(before, detector.pipeline._vocabulary.inputs["cls_w"])


def without_data(model):
    model.with_name("prompts.text.onnx.data").unlink()


def other_data(model):
    path = model.with_name("prompts.text.onnx.data")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def short_data(model):
    path = model.with_name("prompts.text.onnx.data")
    path.write_bytes(path.read_bytes()[:64])


def without_tokens(model):
    model.with_name("prompts.text.tokens.json").unlink()


def other_tokens(model):
    model.with_name("prompts.text.tokens.json").write_text('{"version": 1}')


def binary_tokens(model):
    model.with_name("prompts.text.tokens.json").write_bytes(b"\xff\xfe\x00")


def other_export(model):
    """The encoder of another checkpoint of the same architecture, its three files whole."""
    other = model.parent / "other"
    other.mkdir()
    text_encoders.prompt_model_with_text(other, layer_seed=9)
    for name in ("prompts.text.onnx", "prompts.text.onnx.data", "prompts.text.tokens.json"):
        (other / name).replace(model.with_name(name))


def no_encoder(model):
    model.with_name("prompts.text.onnx").write_bytes(model.read_bytes())
    vocabulary_without_hash(model)


def rubbish_graph(model):
    model.with_name("prompts.text.onnx").write_bytes(b"version https://git-lfs")
    vocabulary_without_hash(model)


def other_name(model):
    """Of a vocabulary that does not name the encoder's hash, the checkpoints' names decide."""
    vocabulary_without_hash(model, {"model": np.array("tiny-2")})


def vocabulary_without_hash(model, changes=None):
    path = model.with_name("prompts.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "text_encoder"}
    np.savez(path, **(arrays | (changes or {})))


FAULTS = {
    without_data: "text encoder prompts.text.onnx: ",
    other_data: "SHA-256 of prompts.text.onnx.data is ",
    short_data: "text encoder prompts.text.onnx: ",
    without_tokens: "prompts.text.tokens.json: no such file",
    other_tokens: "prompts.text.tokens.json: is no tokenizer",
    binary_tokens: "prompts.text.tokens.json: ",
    other_export: "it is of another checkpoint or export; copy all files of one export",
    no_encoder: "it is no text encoder",
    rubbish_graph: "text encoder prompts.text.onnx: ",
    other_name: "is of 'tiny-1', the model is of 'tiny-2'",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda one: one.__name__)
def test_an_encoder_that_does_not_fit_is_one_line_and_known_words_go_on(model, spoil):
    spoil(model)
    with load_detector(model, words=["red"]) as detector:
        with pytest.raises(ConfigurationError) as refused:
            detector.set_vocabulary(["green", "rope"])
        assert detector.pipeline.vocabulary == ("red",)
        assert detector.set_vocabulary(["green"]) == ("green",)
    said = str(refused.value)
    assert FAULTS[spoil] in said
    assert "\n" not in said
    assert len(said) < 400


def test_the_library_may_be_missing(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with load_detector(model) as detector:
        assert "the Python package tokenizers is missing" in detector.encoder_refusal
        with pytest.raises(ConfigurationError, match="package tokenizers is missing"):
            detector.set_vocabulary(["rope"])


def test_without_an_encoder_the_known_words_are_named(tmp_path):
    model = text_encoders.prompt_model_with_text(tmp_path)
    model.with_name("prompts.text.onnx").unlink()
    with load_detector(model) as detector, pytest.raises(ConfigurationError) as refused:
        detector.set_vocabulary(["rope"])
    assert str(refused.value) == (
        "vocabulary: 'rope' is unknown; known: red, green, blue; any other needs the model's text "
        "encoder"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([""], "'' is not a word"),
        ([" \t"], "is not a word"),
        (["rope", "\x00"], "no text"),
        (["coat="], None),
        (["=coat"], "'=coat' is not a word"),
        (["coat=rope|"], "'coat=rope|' is not a word"),
        (["|"], "'|' is not a word"),
        (["rope", "Rope"], "'Rope' is given twice"),
        (["rope", "rope"], "'rope' is given twice"),
        (["x" * 201], "has 201 letters, at most 200"),
        (["xy" * 15], "has 30 tokens, at most 18 are allowed"),
        (["\ud800"], "is no text"),
        (["all=" + "|".join(f"w{n}" for n in range(9))], "'all' looks for 9 things, the model tak"),
    ],
)
def test_words_that_are_none_are_one_line(model, words, message):
    with load_detector(model, words=["red"]) as detector:
        if message is None:
            assert detector.set_vocabulary(words) == ("coat",)
            return
        with pytest.raises(ConfigurationError) as refused:
            detector.set_vocabulary(words)
        assert detector.pipeline.vocabulary == ("red",)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_of_three_hundred_words_it_says_which_are_dropped(model, monkeypatch):
    """Those that there is no room for are not even encoded."""
    encoded = []
    encode = word_source.TextEncoder.encode
    monkeypatch.setattr(
        word_source.TextEncoder,
        "encode",
        lambda self, prompts, checkpoint: (
            encoded.extend(prompts) or encode(self, prompts, checkpoint)
        ),
    )
    words = [f"word {number}" for number in range(300)]
    with load_detector(model) as detector:
        assert detector.set_vocabulary(words) == tuple(words[:8])
        assert detector.dropped_words == (
            "vocabulary: the first 8 of 300 words are looked for, the model has room for no more; "
            "dropped: word 8, word 9, word 10, word 11, word 12 and 287 more"
        )
        assert encoded == words[:8]
        detector.set_vocabulary(["red"])
        assert detector.dropped_words == ""


def test_synonyms_are_one_class(model):
    """A thing that looks like either is found under the one name, once."""
    with load_detector(model, threads=1) as detector:
        assert detector.set_vocabulary(["coat=rope|raincoat|red"]) == ("coat",)
        found = detector.source.find(["rope", "raincoat"])
        for embedding in (found["rope"], found["raincoat"], np.array([1.0, 0, 0])):
            result = detector.pipeline.process(text_encoders.picture_of(embedding))
            boxes = result.detections.boxes_xyxy
            assert len(boxes) > 0
            assert len(np.unique(boxes, axis=0)) == len(boxes)
            assert not result.detections.class_ids.any()
        assert detector.set_vocabulary(["rope|red", "boat"]) == ("rope", "boat")
        # Three meanings and one: four of the eight places are taken.
        rest = [f"w{number}" for number in range(5)]
        detector.set_vocabulary(["boat", "coat=rope|raincoat|red", *rest])
        assert detector.pipeline.dropped_words == ("w4",)


def test_from_the_cache_no_encoder_is_opened(model, monkeypatch):
    """So it costs next to nothing: `make bench` has the time."""

    def opened(*_, **__):
        raise RuntimeError("it is opened")

    words = ["yellow raincoat", "rope"]
    with load_detector(model, words=words) as detector:
        detector.set_vocabulary(["red"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
        detector.set_vocabulary(words)
        with pytest.raises(ConfigurationError, match="it is opened"):
            detector.set_vocabulary(["a new word"])


def test_weights_are_mapped_not_read(model):
    """So they take no memory while nothing is encoded."""
    graph = onnx.load(str(model.with_name("prompts.text.onnx")), load_external_data=False)
    outside = [one for one in graph.graph.initializer if one.external_data]
    assert len(outside) > 10
    assert model.with_name("prompts.text.onnx").stat().st_size < 60_000

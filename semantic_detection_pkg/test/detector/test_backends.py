"""Loading models: what is refused, and that it is said in one line."""

import numpy as np
import onnx
import pytest
import tiny_models
from onnx import TensorProto, helper

from semantic_detection_pkg.detector.backends.loading import (
    ENGINES,
    load_detector,
    open_backend,
)
from semantic_detection_pkg.detector.backends.names_file import read_names
from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.core.model_layout import Layout
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError
from simulation_pkg.fakes.engine import FakeBackend


@pytest.fixture
def model(tmp_path):
    return tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "colours.onnx")


def classifier() -> onnx.ModelProto:
    """A sound ONNX model that is no detector."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["images"], ["logits"], axes=[2, 3], keepdims=0)],
        "classifier",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def unknown_operator() -> onnx.ModelProto:
    model = classifier()
    model.graph.node[0].op_type = "Frobnicate"
    return model


def outputs(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def constant(**shapes: tuple[int, ...]) -> onnx.ModelProto:
    return tiny_models.constant_model(outputs(**shapes), {})


BAD_MODELS = {
    "text": (b"not a model at all", "is not an ONNX file"),
    "empty": (b"", "is not an ONNX file but empty; download or copy it again"),
    "truncated": (
        tiny_models.colour_model("raw").SerializeToString()[:-200],
        "is not an ONNX file but a part of one: .* bytes of .* or more; its download",
    ),
    "zeros": (bytes(1000), "is not an ONNX file"),
    "unknown operator": (
        unknown_operator().SerializeToString(),
        "ONNX Runtime cannot load it: This is an invalid model.* No Op registered for Frobnicate",
    ),
    "classifier": (
        classifier().SerializeToString(),
        "logits float32 1x3 is that of a classification model; export a -seg or a detect model",
    ),
    "two boxes": (
        constant(output0=(1, 39, 64), output1=(1, 39, 64)).SerializeToString(),
        "outputs are output0 float32 1x39x64, output1 float32 1x39x64; a segmentation model has",
    ),
    "three outputs": (
        constant(
            output0=(1, 39, 64), output1=(1, 32, 16, 16), output2=(1, 32, 16, 16)
        ).SerializeToString(),
        "a segmentation model has two",
    ),
    "no class": (
        constant(output0=(1, 36, 64), output1=(1, 32, 16, 16)).SerializeToString(),
        "no room for a class",
    ),
    "uint8 picture": (
        tiny_models.constant_model(
            outputs(output0=(1, 39, 64), output1=(1, 32, 16, 16)), {}, dtype=TensorProto.UINT8
        ).SerializeToString(),
        r"images tensor\(uint8\) 1x3x64x64 must be one of float32, float16",
    ),
    "too few names": (
        tiny_models.colour_model(
            "raw", tiny_models.ultralytics_metadata("raw", ("red", "green"))
        ).SerializeToString(),
        "2 class names for 3 classes",
    ),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_files_that_are_no_detector_are_refused_in_one_line(tmp_path, capfd, case):
    content, message = BAD_MODELS[case]
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=message) as raised:
        load_detector(path)

    assert "bad.onnx" in str(raised.value)
    assert "\n" not in str(raised.value)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx: does not exist"):
        load_detector(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="is not a file"):
        load_detector(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tensorflow"}, "'tensorflow' is unknown; allowed: onnxruntime, tensorrt$"),
        ({"buffers": "unified"}, "'unified' are unknown; allowed: auto, pinned, mapped"),
        ({"threads": -1}, "threads -1 must be >= 0"),
        ({"words": ["yeti"]}, "'yeti' is unknown; known: red, green, blue"),
        ({"names_file": "none.txt"}, "names file none.txt: no such file"),
    ],
)
def test_wrong_options(model, options, message):
    with pytest.raises(ConfigurationError, match=message):
        load_detector(model, **options)


def test_a_missing_provider_is_named_with_those_that_exist(model):
    with pytest.raises(ConfigurationError, match="'NoSuchProvider' .* available: .*CPUExecution"):
        OnnxBackend(model, providers=["NoSuchProvider"])


def test_a_model_is_described_and_runs(model):
    with load_detector(model, threads=1) as detector:
        assert detector.backend.name == "colours.onnx"
        assert detector.backend.device == "CPUExecutionProvider, 1 threads"
        assert detector.pipeline.info.layout is Layout.RAW
        assert detector.pipeline.vocabulary == tiny_models.COLOURS


def test_a_model_without_masks_says_what_needs_them(model, tmp_path):
    boxes = tiny_models.without_masks(tiny_models.colour_model("raw"))
    with load_detector(model) as detector:
        assert detector.notice == ""
    with load_detector(tiny_models.save(boxes, tmp_path / "boxes.onnx")) as detector:
        assert detector.notice.startswith("boxes.onnx gives boxes without masks")
        assert detector.notice.endswith("needs a -seg model")


def test_wrong_inputs_cost_one_frame(model):
    backend = open_backend("onnxruntime", model)
    picture = np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(FrameError, match=r"colours\.onnx: inference failed: .*invalid dimensions"):
        backend.infer({"images": picture[..., :32]})

    assert backend.infer({"images": picture})["output0"].shape == (1, 39, 64)


@pytest.mark.parametrize(
    "engine", ["fake", *sorted({*ENGINES} - {"tensorrt"})]
)  # its own test needs a plan
def test_closing_twice_is_fine_and_inference_then_fails(model, engine):
    backend = open_backend(engine, model)
    backend.close()
    backend.close()

    with pytest.raises(FrameError, match="closed"):
        backend.infer({"images": np.zeros((1, 3, 64, 64), np.float32)})


def test_a_names_file_replaces_the_models_names(tmp_path, model):
    names = tmp_path / "names.txt"
    names.write_text("rot\n  grün \nblau\n", encoding="utf-8")

    with load_detector(model, names_file=names) as detector:
        assert detector.pipeline.vocabulary == ("rot", "grün", "blau")


def test_a_blank_line_is_a_class_that_is_not_looked_for(tmp_path, model, colour_picture):
    names = tmp_path / "names.txt"
    names.write_text("rot\n\nblau\n", encoding="utf-8")

    with load_detector(model, names_file=names) as detector:
        result = detector.pipeline.process(colour_picture)
        assert result.vocabulary == ("rot", "blau")
        assert result.detections.class_ids.tolist() == [0, 1]


def test_classes_of_one_name_in_a_file_are_one_word(tmp_path, model, colour_picture):
    names = tmp_path / "names.txt"
    names.write_text("paint\nlawn\npaint\n", encoding="utf-8")

    with load_detector(model, names_file=names, words="paint") as detector:
        result = detector.pipeline.process(colour_picture)
        assert detector.pipeline.known_words == ("paint", "lawn")
        assert result.vocabulary == ("paint",)
        assert result.detections.class_ids.tolist() == [0, 0]  # the red and the blue patch


def test_names_with_commas_can_be_asked_for(tmp_path, model):
    names = tmp_path / "names.txt"
    names.write_text("bus, school\ncar\nlake\n", encoding="utf-8")

    for words in (
        "bus, school,car",
        'car, "bus, school"',
        "Bus,School, car",
        ["car", "bus, school"],
    ):
        with load_detector(model, names_file=names, words=words) as detector:
            assert set(detector.pipeline.vocabulary) == {"bus, school", "car"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n \n", "holds no name"),
        (b"", "holds no name"),
        (b"\xff\xfep\0e\0", "is UTF-16 text, or no text; save it as UTF-8"),
        (b"person\ncaf\xe9\n", "is not UTF-8: byte 0xe9 in line 2; save it as UTF-8"),
        (b"names: [a, b", "is no YAML"),
    ],
)
def test_names_files_that_hold_none_are_refused(tmp_path, content, message):
    path = tmp_path / "names.txt"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=rf"names file .*names.txt: {message}") as raised:
        read_names(path)

    assert "\n" not in str(raised.value)


def test_names_that_do_not_fit_say_how_to_give_others(tmp_path, model):
    names = tmp_path / "names.txt"
    names.write_text("a\n\nb\nc\nd\n", encoding="utf-8")

    with pytest.raises(ModelError, match=r"5 class names \(1 of them blank.* for 3 .*--names"):
        load_detector(model, names_file=names)
    names.write_text("0\n1\n2\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="'tent' is unknown; known: 0, 1, 2; .*--names"):
        load_detector(model, names_file=names, words=["tent"])


WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}


def test_default_words_of_a_prompt_model_come_from_its_metadata(tmp_path):
    model = tiny_models.prompt_model()
    helper.set_model_props(model, {"names": "{0: 'green'}"})
    path = tiny_models.save(model, tmp_path / "p.onnx")
    np.savez(tmp_path / "p.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))

    with load_detector(path) as detector:
        assert detector.pipeline.vocabulary == ("green",)
        assert detector.pipeline.known_words == ("red", "green")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda _: None, "no such file or directory; p.onnx takes its classes as an input"),
        (lambda path: path.write_bytes(b"rubbish"), "p.vocabulary.npz: .*takes its classes"),
        (lambda path: path.write_bytes(b""), "p.vocabulary.npz: .*takes its classes"),
        (lambda path: np.savez(path, names=np.array(["a"])), "array 'embeddings' is missing"),
        (
            lambda path: np.savez(path, **tiny_models.prompt_side_file(WORDS, levels=2)),
            r"fold_w is float32 \(2, 3, 3\); with this model it must be float32 \(3, 3, 3\)",
        ),
        (
            lambda path: np.savez(
                path, **tiny_models.prompt_side_file(WORDS) | {"names": np.array([{}, {}])}
            ),
            "allow_pickle=False",
        ),
    ],
    ids=["missing", "rubbish", "empty", "incomplete", "other model", "pickled"],
)
def test_side_files_that_do_not_fit_are_refused(tmp_path, write, message):
    path = tiny_models.save(tiny_models.prompt_model(), tmp_path / "p.onnx")
    write(tmp_path / "p.vocabulary.npz")

    with pytest.raises(ConfigurationError, match=message) as raised:
        load_detector(path)

    assert "p.vocabulary.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.long
def test_a_damaged_side_file_is_refused_in_one_line_wherever_it_is_damaged(tmp_path):
    """Cut short, a byte changed, an array alone: ZIP, deflate and NPY have errors of their own."""
    path = tiny_models.save(tiny_models.prompt_model(), tmp_path / "p.onnx")
    side_file = tmp_path / "p.vocabulary.npz"
    np.savez_compressed(side_file, **tiny_models.prompt_side_file(WORDS))
    content = side_file.read_bytes()
    np.save(tmp_path / "alone.npy", np.ones(3))
    damaged = [content[:-30], content[: len(content) // 2], (tmp_path / "alone.npy").read_bytes()]
    for place in range(0, len(content), 11):
        damaged.append(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    refusals = []
    for one in damaged:
        side_file.write_bytes(one)
        try:
            load_detector(path, threads=1).close()  # a date, say, may be any
        except ConfigurationError as error:
            refusals.append(str(error))

    assert len(refusals) > 0.5 * len(damaged)
    assert not any("\n" in text or "p.vocabulary.npz" not in text for text in refusals)
    assert sum("is damaged, or no NPZ file" in text for text in refusals) > 0.5 * len(refusals)


@pytest.mark.parametrize(
    ("model", "side_file", "is_refused"),
    [
        ("'yoloe-11s'", "yoloe-26s", True),
        ("'yoloe-11s'", "yoloe-11s", False),
        ("'yoloe-11s'", None, False),
        (None, "yoloe-26s", False),
    ],
)
def test_embeddings_of_another_checkpoint_are_refused(tmp_path, model, side_file, is_refused):
    onnx_model = tiny_models.prompt_model()
    helper.set_model_props(onnx_model, {"prompt_model": model} if model else {})
    path = tiny_models.save(onnx_model, tmp_path / "p.onnx")
    mark = {"model": np.array(side_file)} if side_file else {}
    np.savez(tmp_path / "p.vocabulary.npz", **tiny_models.prompt_side_file(WORDS), **mark)
    if not is_refused:
        load_detector(path).close()
        return
    with pytest.raises(
        ConfigurationError,
        match=r"p\.vocabulary\.npz: .*embeddings are of 'yoloe-26s', p\.onnx is of 'yoloe-11s'",
    ):
        load_detector(path)


def test_the_fake_is_an_engine_like_the_others(model):
    with load_detector(model, engine="fake") as detector:
        assert isinstance(detector.backend, FakeBackend)
        found = detector.pipeline.process(np.zeros((64, 64, 3), np.uint8)).detections
    assert len(found) == 1
    assert detector.backend.is_closed

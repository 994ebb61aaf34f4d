"""NVIDIA's own builder, ONNX parser and runtime, on any x86-64 machine, a GPU or not.

TensorRT for RTX has TensorRT's interface and comes from PyPI (`tools/setup/tensorrt.sh`).
Plans are built for real. What is refused is refused by the fake in the same words: other tests may
rely on it. That a plan computes the right thing needs a GPU: `test_tensorrt_gpu.py`.
"""

import json
from pathlib import Path

import build_engine
import numpy as np
import onnx
import pytest
import tiny_models
from fake_builder import FakeBuilding
from fake_cuda import FakeCuda
from model_export.builder import Recipe, build_plan
from onnx import TensorProto, helper, numpy_helper

from semantic_detection_pkg.detector.backends.loading import open_backend
from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.backends.trt.engine import deserialize
from semantic_detection_pkg.detector.backends.trt.families import RTX, capabilities, title
from semantic_detection_pkg.detector.backends.trt.manifest import manifest_path, read_manifest
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file, read_plan
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.errors import ConfigurationError, ModelError, SemanticDetectionError
from semantic_detection_pkg.health.checkup import Machine

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "models" / "demo"
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}
PICTURE = ("images", TensorProto.FLOAT, [1, 3, 64, 64])


@pytest.fixture(scope="module")
def real():
    return pytest.importorskip(
        "tensorrt_rtx_bindings",
        reason="tensorrt-rtx-cu13-bindings is not installed: tools/setup/tensorrt.sh .venv",
        exc_type=ImportError,
    )


def fake():
    return FakeBuilding(FakeCuda(), "1.7.1.116")


@pytest.fixture(scope="module")
def no_gpu():
    try:
        find_platform(RTX)
    except ConfigurationError:
        return
    pytest.skip("this machine has a GPU; these are for those without")


def graph_of(nodes, inputs=(PICTURE,), outputs=(), constants=None, **options):
    """A model of these nodes, whatever the checker would say of them."""
    values = [
        [helper.make_tensor_value_info(*value) for value in group] for group in (inputs, outputs)
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("their.own", 1)]
    graph = helper.make_graph(nodes, "made", *values, arrays)
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **options)


def one_node(operator, inputs=("images",), shape=(1, 3, 64, 64), element=TensorProto.FLOAT, **more):
    node = helper.make_node(operator, list(inputs), ["y"], "the_node", **more)
    return graph_of([node], outputs=[("y", element, list(shape))])


def anchors_model(output: str, *shape: int) -> onnx.ModelProto:
    """A model whose output has this shape and comes from its picture."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "table"], [output]),
    ]
    constants = {"table": np.ones(shape, np.float32)}
    outputs = [(output, TensorProto.FLOAT, list(shape))]
    return graph_of(nodes, outputs=outputs, constants=constants)


def queries_model() -> onnx.ModelProto:
    """Two outputs, as RF-DETR and D-FINE have them."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "boxes"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["pred_boxes"]),
        helper.make_node("Mul", ["mean", "table"], ["logits"]),
    ]
    constants = {
        "boxes": np.ones((1, 30, 4), np.float32),
        "table": np.ones((1, 30, 7), np.float32),
    }
    outputs = [("pred_boxes", 1, [1, 30, 4]), ("logits", 1, [1, 30, 7])]
    return graph_of(nodes, outputs=outputs, constants=constants)


def batch_model(batch: int | str) -> onnx.ModelProto:
    node = helper.make_node("Conv", ["images", "kernel"], ["y"])
    return graph_of(
        [node],
        [("images", TensorProto.FLOAT, [batch, 3, 64, 64])],
        [("y", TensorProto.FLOAT, [batch, 4, 62, 62])],
        {"kernel": np.ones((4, 3, 3, 3), np.float32)},
    )


LAYOUTS = {
    "raw": lambda: tiny_models.colour_model("raw"),
    "end to end": lambda: tiny_models.colour_model("end_to_end"),
    "raw, boxes": lambda: tiny_models.without_masks(tiny_models.colour_model("raw")),
    "end to end, boxes": lambda: tiny_models.without_masks(tiny_models.colour_model("end_to_end")),
    "words at run time": tiny_models.prompt_model,
    "YOLOX": lambda: anchors_model("output", 1, 84, 8),
    "YOLOv5": lambda: anchors_model("output0", 1, 252, 8),
    "queries": queries_model,
    "three tiles": lambda: batch_model(3),
    "any number of tiles": lambda: batch_model("batch"),
    "demo detector": lambda: onnx.load(DEMO / "demo_detector.onnx"),
    "demo classifier": lambda: onnx.load(DEMO / "demo_classifier.onnx"),
}


def build(tensorrt, content: bytes, folder: Path, precision="fp32", workspace_mb=1024, **more):
    path = folder / "model.onnx"
    path.write_bytes(content)
    recipe = Recipe(precision, workspace_mb, folder / "timing.cache", **more)
    return build_plan(tensorrt, content, path, recipe)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_becomes_a_plan_with_the_tensors_that_it_has(
    real, tmp_path, layout, precision
):
    content = LAYOUTS[layout]().SerializeToString()
    more = {"batch": 4} if layout == "any number of tiles" else {}
    built = build(real, content, tmp_path, precision, **more)

    path = tmp_path / "model.engine"
    path.write_bytes(built.content)
    plan = read_plan(path)
    assert (plan.family, plan.version) == (RTX, "1.7.1")
    assert family_of_file(path) is RTX
    model = OnnxBackend(tmp_path / "model.onnx", threads=1)

    def fixed(specs):
        return {(spec.name, tuple(n or 4 for n in spec.shape), spec.dtype) for spec in specs}

    assert fixed(built.inputs) == fixed(model.inputs)
    assert fixed(built.outputs) == fixed(model.outputs)
    told = build(fake(), content, tmp_path, precision, **more)
    assert (told.inputs, told.outputs) == (built.inputs, built.outputs)


def test_half_of_the_weights_is_half_of_the_plan(real, tmp_path):
    content = (DEMO / "demo_classifier.onnx").read_bytes()
    whole, half = (build(real, content, tmp_path, kind) for kind in ("fp32", "fp16"))
    weights = sum(tensor.ByteSize() for tensor in onnx.load_from_string(content).graph.initializer)
    assert 0.3 * weights < len(whole.content) - len(half.content) < 0.8 * weights


def cut(model: onnx.ModelProto, share: float) -> bytes:
    content = model.SerializeToString()
    return content[: int(len(content) * share)]


def external() -> bytes:
    model = tiny_models.colour_model("raw")
    onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights.data", size_threshold=0, convert_attribute=True
    )
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    return model.SerializeToString()


def large_convolution() -> bytes:
    node = helper.make_node("Conv", ["images", "kernel"], ["y"])
    kernel = np.zeros((1, 1024, 1, 1), np.float32)
    shapes = [1, 1024, 256, 256], [1, 1, 256, 256]
    sides = [[(name, 1, shape)] for name, shape in zip(("images", "y"), shapes, strict=True)]
    return graph_of([node], *sides, {"kernel": kernel}).SerializeToString()


def too_large() -> bytes:
    shape = [1 << 20, 1 << 20, 1 << 10]
    node = helper.make_node("Relu", ["images"], ["y"])
    return graph_of([node], [("images", 1, shape)], [("y", 1, shape)]).SerializeToString()


def texts() -> bytes:
    node = helper.make_node("Identity", ["images"], ["y"])
    sides = [[(name, TensorProto.STRING, [1, 3])] for name in ("images", "y")]
    return graph_of([node], *sides).SerializeToString()


def plain(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString()


# What to build, with how much memory, and the end of the line that refuses it.
REFUSED = {
    "an operator that nobody knows": (
        lambda: plain(one_node("Frobnicate")),
        r"cannot read it: operator Frobnicate \(node 'the_node'\): .*Plugin not found",
    ),
    "somebody's own operator": (
        lambda: plain(one_node("Frobnicate", domain="their.own")),
        r"cannot read it: operator Frobnicate \(node 'the_node'\): .*Plugin not found",
    ),
    "an operator of ONNX that it has not": (
        lambda: plain(one_node("Det", shape=(1, 3))),
        r"cannot read it: operator Det \(node 'the_node'\): is not supported$",
    ),
    "ONNX Runtime's INT8": (
        lambda: plain(
            graph_of(
                [helper.make_node("ConvInteger", ["images", "kernel"], ["y"], "the_node")],
                [("images", TensorProto.UINT8, [1, 3, 64, 64])],
                [("y", TensorProto.INT32, [1, 4, 62, 62])],
                {"kernel": np.zeros((4, 3, 3, 3), np.int8)},
            )
        ),
        r"cannot read it: operator ConvInteger \(node 'the_node'\): is not supported$",
    ),
    "an input from nowhere": (
        lambda: plain(one_node("Add", ("images", "nowhere"))),
        r"cannot read it: operator Add \(node 'the_node'\): .*Node input was not registered",
    ),
    "half a file": (
        lambda: cut(tiny_models.colour_model("raw"), 0.5),
        "cannot read it: .*Failed to parse the ONNX model",
    ),
    "a file without its end": (
        lambda: cut(tiny_models.colour_model("raw"), 0.999),
        "cannot read it: .*Failed to parse the ONNX model",
    ),
    "no graph": (
        lambda: plain(onnx.ModelProto(ir_version=9)),
        "cannot build it: .*Network must have at least one output",
    ),
    "weights that are not beside it": (external, "cannot read it: Failed to import initializer: "),
    "texts": (texts, "cannot read it: .*Failed to convert ONNX date type to TensorRT data type"),
    "a size that it cannot": (too_large, "cannot read it: .*Failed to add input to the network"),
    "no workspace": (
        large_convolution,
        r"cannot build it: .*OutOfMemory \(Requested size was \d+ bytes.\); allow it more memory: "
        "--workspace$",
    ),
    "suppression inside": (
        lambda: plain(tiny_models.colour_model("embedded_nms")),
        "cannot build it: .*no runners that implement it.*; an operator of the model has no "
        r"implementation here; where it is embedded suppression of boxes, export without it",
    ),
}


@pytest.mark.parametrize("builder", ["real", "fake"])
@pytest.mark.parametrize("case", REFUSED)
def test_the_fake_refuses_what_the_real_one_refuses(request, tmp_path, case, builder):
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    make, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as raised:
        build(tensorrt, make(), tmp_path, workspace_mb=64)
    text = str(raised.value)
    assert text.startswith("model.onnx: TensorRT for RTX 1.7.1 ")
    assert "\n" not in text


@pytest.mark.parametrize("builder", ["real", "fake"])
@pytest.mark.parametrize(
    ("shape", "more", "message"),
    [
        (["batch", 3, "height", "width"], {}, "input images -1x3x-1x-1 is open in more than its"),
        ([1, 3, "height", 64], {"size": (64, 64)}, "input images 1x3x-1x64 is open in more than"),
        ([1, 3, 64, 64], {"batch": 4}, "its batch is 1, --batch 4 asks for another one; export"),
    ],
)
def test_what_is_open_is_refused_by_its_name(request, tmp_path, builder, shape, more, message):
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    node = helper.make_node("Relu", ["images"], ["y"])
    sides = [[(name, TensorProto.FLOAT, shape)] for name in ("images", "y")]
    with pytest.raises(ModelError, match=message) as raised:
        build(tensorrt, graph_of([node], *sides).SerializeToString(), tmp_path, **more)
    assert "\n" not in str(raised.value)


def test_a_size_that_the_model_leaves_open_is_given_to_it(real, tmp_path):
    node = helper.make_node("Conv", ["images", "kernel"], ["y"])
    sides = [[(name, 1, ["batch", 3, "height", "width"])] for name in ("images", "y")]
    kernel = {"kernel": np.ones((3, 3, 3, 3), np.float32)}
    content = graph_of([node], *sides, kernel).SerializeToString()
    built = build(real, content, tmp_path, batch=2, size=(64, 96))
    assert [spec.shape for spec in (*built.inputs, *built.outputs)] == [
        (2, 3, 64, 96),
        (2, 3, 62, 94),
    ]


PUBLISHED = {
    "coco_seg_640.onnx": "",
    "models/yolox_nano_416.onnx": "",
    "classifier/mobilenetv3_large_min.onnx": "",
    "models/yolov8n-seg_int8.onnx": "operator DynamicQuantizeLinear .*: is not supported",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_models_that_others_published(real, realdata, tmp_path, name):
    if not (realdata.folder / name).is_file():
        pytest.skip(f"{realdata.folder / name} is missing")
    content = (realdata.folder / name).read_bytes()
    if PUBLISHED[name]:
        with pytest.raises(ModelError, match=PUBLISHED[name]) as raised:
            build(real, content, tmp_path)
        assert "\n" not in str(raised.value)
        return
    built = build(real, content, tmp_path, "fp16")
    model = OnnxBackend(realdata.folder / name, threads=1)
    assert [spec.name for spec in built.outputs] == [spec.name for spec in model.outputs]


@pytest.mark.parametrize("builder", ["real", "fake"])
def test_more_memory_and_the_weights_beside_it_are_what_was_missing(request, tmp_path, builder):
    """What was refused above for a lack of something is built where it is there."""
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    assert build(tensorrt, large_convolution(), tmp_path, workspace_mb=1024).content
    model = tiny_models.colour_model("raw")
    onnx.save(
        model,
        tmp_path / "apart.onnx",
        save_as_external_data=True,
        location="weights.data",
        size_threshold=0,
    )
    for precision in ("fp32", "fp16"):
        assert build(tensorrt, (tmp_path / "apart.onnx").read_bytes(), tmp_path, precision).outputs


@pytest.mark.parametrize("builder", ["real", "fake"])
def test_an_error_before_the_build_is_not_its_reason(request, tmp_path, builder):
    """Whatever the log held before: the reason is that of this build."""
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    for case, words in (("half a file", "parse"), ("no workspace", "OutOfMemory")):
        with pytest.raises(ModelError, match=words):
            build(tensorrt, REFUSED[case][0](), tmp_path, workspace_mb=64)


@pytest.mark.parametrize("builder", ["real", "fake"])
def test_a_plan_for_one_kind_of_card(request, tmp_path, builder):
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    assert capabilities(tensorrt) == ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
    content = LAYOUTS["raw"]().SerializeToString()
    assert build(tensorrt, content, tmp_path, capability="8.9").content
    with pytest.raises(ConfigurationError, match=r"'9\.0': TensorRT for RTX 1\.7\.1 builds for 7"):
        build(tensorrt, content, tmp_path, capability="9.0")


@pytest.fixture
def tool(real, monkeypatch):
    """build_engine where there is TensorRT for RTX and no GPU."""

    def no_platform(_):
        raise ConfigurationError("no usable NVIDIA GPU")

    monkeypatch.setattr(build_engine, "find_platform", no_platform)
    return lambda *words: build_engine.main(
        [*map(str, words), "--library", "tensorrt_rtx", "--force"], Machine()
    )


@pytest.mark.parametrize("capability", ["", "8.6"])
def test_the_tool_builds_and_describes_without_a_gpu(tool, tmp_path, capsys, capability):
    np.savez(tmp_path / "colours.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))
    model = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    out = tmp_path / "out"
    more = ["--compute-capability", capability] if capability else []
    assert tool(model, "--out", out, *more) == 0, capsys.readouterr().err

    # No timing cache: this library has none.
    assert {path.name for path in out.iterdir()} == {
        "colours.engine",
        "colours.manifest.json",
        "colours.vocabulary.npz",
    }
    said = capsys.readouterr().out
    assert f"1.7.1 builds for GPUs (compute capability {capability or 'any'})" in said
    assert "colours.engine: not tried, nothing here can run it" in said
    document = json.loads((out / "colours.manifest.json").read_text())
    assert document["library"] == "tensorrt_rtx"
    assert document["tensorrt"] == "1.7.1.116"
    assert (document["device_name"], document["compute_capability"]) == ("", capability or "any")
    assert document["inputs"][1] == {"name": "cls_w", "shape": [3, 8, 3], "dtype": "float32"}
    manifest = read_manifest(manifest_path(out / "colours.engine"))
    assert manifest.plan.sha256 == read_plan(out / "colours.engine").sha256


def test_a_capability_that_it_has_not_is_refused_before_anything_is_built(tool, tmp_path, capsys):
    model = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    assert tool(model, "--compute-capability", "9.0") == 2
    said = capsys.readouterr().err
    assert said.startswith("build_engine: compute capability '9.0': TensorRT for RTX 1.7.1 builds")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["colours.onnx"]


def test_without_a_driver_a_plan_is_refused_in_one_line(real, no_gpu, tool, tmp_path):
    model = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    assert tool(model, "--out", tmp_path) == 0
    plan = tmp_path / "colours.engine"
    with pytest.raises(SemanticDetectionError) as way_in:
        open_backend("tensorrt", plan)
    with pytest.raises(ConfigurationError) as runtime:
        deserialize(real, read_plan(plan))
    assert "\n" not in str(way_in.value) + str(runtime.value)
    assert "inference engine 'tensorrt': " in str(way_in.value)
    assert str(runtime.value).startswith(
        "colours.engine: TensorRT for RTX 1.7.1 finds no usable NVIDIA GPU (cudaError 35: "
    )
    assert str(runtime.value).endswith("or choose the engine 'onnxruntime'")


def other_tag(content: bytes) -> bytes:
    return b"ftrt" + content[4:]


DAMAGE = {
    "cut off": (lambda content: content[:-40], r"plan\.header\.size == blobSize failed"),
    "TensorRT's tag": (other_tag, r"magicTag == kEXPECTED_MAGIC_TAG failed"),
}


@pytest.mark.parametrize("builder", ["real", "fake"])
@pytest.mark.parametrize("case", DAMAGE)
def test_the_fake_refuses_damaged_plans_as_the_real_one(request, tmp_path, case, builder):
    tensorrt = request.getfixturevalue("real") if builder == "real" else fake()
    damage, message = DAMAGE[case]
    built = build(tensorrt, LAYOUTS["raw"]().SerializeToString(), tmp_path)
    path = tmp_path / "model.engine"
    path.write_bytes(damage(built.content))
    with pytest.raises(ModelError, match=f"{title(tensorrt)} refuses this plan: .*{message}") as at:
        deserialize(tensorrt, read_plan(path))
    assert "\n" not in str(at.value)


def test_the_fake_without_a_driver_says_what_the_real_one_says(real, no_gpu, tmp_path):
    messages = []
    for tensorrt in (real, fake()):
        if tensorrt is not real:
            tensorrt.has_driver = False
        built = build(tensorrt, LAYOUTS["raw"]().SerializeToString(), tmp_path)
        path = tmp_path / "model.engine"
        path.write_bytes(built.content)
        with pytest.raises(ConfigurationError) as raised:
            deserialize(tensorrt, read_plan(path))
        messages.append(str(raised.value))
    assert messages[0] == messages[1]

"""What NVIDIA's own builder, parser and runtime refuse, the fake refuses in the same words.

So other tests may rely on it. The real one is TensorRT for RTX, as in `test_tensorrt_real.py`.
"""

import numpy as np
import onnx
import pytest
import tiny_models
from onnx import TensorProto, helper
from plan_building import LAYOUTS, build, fake, graph_of, one_node

from semantic_detection_pkg.detector.backends.trt.engine import deserialize
from semantic_detection_pkg.detector.backends.trt.families import title
from semantic_detection_pkg.detector.backends.trt.plan import read_plan
from semantic_detection_pkg.errors import ConfigurationError, ModelError


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
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
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
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
    node = helper.make_node("Relu", ["images"], ["y"])
    sides = [[(name, TensorProto.FLOAT, shape)] for name in ("images", "y")]
    with pytest.raises(ModelError, match=message) as raised:
        build(tensorrt, graph_of([node], *sides).SerializeToString(), tmp_path, **more)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("builder", ["real", "fake"])
def test_more_memory_and_the_weights_beside_it_are_what_was_missing(request, tmp_path, builder):
    """What was refused above for a lack of something is built where it is there."""
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
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
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
    for case, words in (("half a file", "parse"), ("no workspace", "OutOfMemory")):
        with pytest.raises(ModelError, match=words):
            build(tensorrt, REFUSED[case][0](), tmp_path, workspace_mb=64)


def other_tag(content: bytes) -> bytes:
    return b"ftrt" + content[4:]


DAMAGE = {
    "cut off": (lambda content: content[:-40], r"plan\.header\.size == blobSize failed"),
    "TensorRT's tag": (other_tag, r"magicTag == kEXPECTED_MAGIC_TAG failed"),
}


@pytest.mark.parametrize("builder", ["real", "fake"])
@pytest.mark.parametrize("case", DAMAGE)
def test_the_fake_refuses_damaged_plans_as_the_real_one(request, tmp_path, case, builder):
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
    damage, message = DAMAGE[case]
    built = build(tensorrt, LAYOUTS["raw"]().SerializeToString(), tmp_path)
    path = tmp_path / "model.engine"
    path.write_bytes(damage(built.content))
    with pytest.raises(ModelError, match=f"{title(tensorrt)} refuses this plan: .*{message}") as at:
        deserialize(tensorrt, read_plan(path))
    assert "\n" not in str(at.value)


def test_the_fake_without_a_driver_says_what_the_real_one_says(tensorrt_rtx, no_gpu, tmp_path):
    messages = []
    for tensorrt in (tensorrt_rtx, fake()):
        if tensorrt is not tensorrt_rtx:
            tensorrt.has_driver = False
        built = build(tensorrt, LAYOUTS["raw"]().SerializeToString(), tmp_path)
        path = tmp_path / "model.engine"
        path.write_bytes(built.content)
        with pytest.raises(ConfigurationError) as raised:
            deserialize(tensorrt, read_plan(path))
        messages.append(str(raised.value))
    assert messages[0] == messages[1]

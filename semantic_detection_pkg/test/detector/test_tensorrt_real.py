"""NVIDIA's own builder, ONNX parser and runtime, on any x86-64 machine, a GPU or not.

TensorRT for RTX has TensorRT's interface and comes from PyPI (`tools/setup/tensorrt.sh`).
Plans are built for real. What is refused: `test_tensorrt_refusals.py`. That a plan computes the
right thing needs a GPU: `test_tensorrt_gpu.py`.
"""

import json

import build_engine
import numpy as np
import onnx
import pytest
import tiny_models
from onnx import helper
from plan_building import DEMO, LAYOUTS, build, fake, graph_of

from semantic_detection_pkg.detector.backends.loading import open_backend
from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.backends.trt.engine import deserialize
from semantic_detection_pkg.detector.backends.trt.families import RTX, capabilities
from semantic_detection_pkg.detector.backends.trt.manifest import manifest_path, read_manifest
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file, read_plan
from semantic_detection_pkg.errors import ConfigurationError, ModelError, SemanticDetectionError
from semantic_detection_pkg.health.checkup import Machine

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_becomes_a_plan_with_the_tensors_that_it_has(
    tensorrt_rtx, tmp_path, layout, precision
):
    content = LAYOUTS[layout]().SerializeToString()
    more = {"batch": 4} if layout == "any number of tiles" else {}
    built = build(tensorrt_rtx, content, tmp_path, precision, **more)

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


def test_half_of_the_weights_is_half_of_the_plan(tensorrt_rtx, tmp_path):
    content = (DEMO / "demo_classifier.onnx").read_bytes()
    whole, half = (build(tensorrt_rtx, content, tmp_path, kind) for kind in ("fp32", "fp16"))
    weights = sum(tensor.ByteSize() for tensor in onnx.load_from_string(content).graph.initializer)
    assert 0.3 * weights < len(whole.content) - len(half.content) < 0.8 * weights


def test_a_size_that_the_model_leaves_open_is_given_to_it(tensorrt_rtx, tmp_path):
    node = helper.make_node("Conv", ["images", "kernel"], ["y"])
    sides = [[(name, 1, ["batch", 3, "height", "width"])] for name in ("images", "y")]
    kernel = {"kernel": np.ones((3, 3, 3, 3), np.float32)}
    content = graph_of([node], *sides, kernel).SerializeToString()
    built = build(tensorrt_rtx, content, tmp_path, batch=2, size=(64, 96))
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
def test_models_that_others_published(tensorrt_rtx, realdata, tmp_path, name):
    content = realdata.path(name).read_bytes()
    if PUBLISHED[name]:
        with pytest.raises(ModelError, match=PUBLISHED[name]) as raised:
            build(tensorrt_rtx, content, tmp_path)
        assert "\n" not in str(raised.value)
        return
    built = build(tensorrt_rtx, content, tmp_path, "fp16")
    model = OnnxBackend(realdata.folder / name, threads=1)
    assert [spec.name for spec in built.outputs] == [spec.name for spec in model.outputs]


@pytest.mark.parametrize("builder", ["real", "fake"])
def test_a_plan_for_one_kind_of_card(request, tmp_path, builder):
    tensorrt = request.getfixturevalue("tensorrt_rtx") if builder == "real" else fake()
    assert capabilities(tensorrt) == ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
    content = LAYOUTS["raw"]().SerializeToString()
    assert build(tensorrt, content, tmp_path, capability="8.9").content
    with pytest.raises(ConfigurationError, match=r"'9\.0': TensorRT for RTX 1\.7\.1 builds for 7"):
        build(tensorrt, content, tmp_path, capability="9.0")


@pytest.fixture
def tool(tensorrt_rtx, monkeypatch):
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
    assert "colours.engine: not tried: no usable NVIDIA GPU" in said
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


def test_without_a_driver_a_plan_is_refused_in_one_line(tensorrt_rtx, no_gpu, tool, tmp_path):
    model = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    assert tool(model, "--out", tmp_path) == 0
    plan = tmp_path / "colours.engine"
    with pytest.raises(SemanticDetectionError) as way_in:
        open_backend("tensorrt", plan)
    with pytest.raises(ConfigurationError) as runtime:
        deserialize(tensorrt_rtx, read_plan(plan))
    assert "\n" not in str(way_in.value) + str(runtime.value)
    assert "inference engine 'tensorrt': " in str(way_in.value)
    assert str(runtime.value).startswith(
        "colours.engine: TensorRT for RTX 1.7.1 finds no usable NVIDIA GPU (cudaError 35: "
    )
    assert str(runtime.value).endswith("or choose the engine 'onnxruntime'")

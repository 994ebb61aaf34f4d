"""On a machine with a GPU: plans are built for real, run, and found to compute what ONNX does."""

import build_engine
import numpy as np
import pytest
import tiny_models

from semantic_detection_pkg.detector.backends.loading import load_detector, open_backend
from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.detector.core.settings import Buffers
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError

pytestmark = pytest.mark.timeout(600)  # the builder takes its time
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


@pytest.fixture(scope="module")
def platform():
    try:
        return find_platform()
    except ConfigurationError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def plan(platform, tmp_path_factory):
    """A plan in FP32 with its vocabulary, and the ONNX model that it is from."""
    folder = tmp_path_factory.mktemp("plans")
    onnx = tiny_models.save(tiny_models.prompt_model(), folder / "colours.onnx")
    np.savez(folder / "colours.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))
    arguments = [str(onnx), "--precision", "fp32", "--runs", "5", "--workspace", "256", "--force"]
    assert build_engine.main(arguments) == 0
    return folder / "colours.engine"


@pytest.mark.parametrize("buffers", [Buffers.PINNED, Buffers.MAPPED])
def test_a_plan_computes_what_the_model_does(platform, plan, buffers):
    model = OnnxBackend(plan.with_suffix(".onnx"), threads=1)
    backend = TensorRtBackend(plan, platform, buffers)
    random = np.random.default_rng(1)
    picture = backend.allocate((1, 3, 64, 64), "float32")
    for _ in range(20):
        picture[:] = random.random(picture.shape)
        inputs = {
            "images": picture,
            "cls_w": random.normal(size=(3, 8, 3)).astype(np.float32),
            "cls_b": random.normal(size=(3, 8)).astype(np.float32),
        }
        ours, theirs = backend.infer(inputs), model.infer(inputs)
        for name, value in theirs.items():
            # TensorFloat-32 may be used: ten bits of fraction.
            np.testing.assert_allclose(ours[name], value, rtol=2e-3, atol=2e-3)
    assert backend.is_graph_used
    assert backend.stage_times().compute > 0
    backend.close()
    backend.close()
    with pytest.raises(FrameError, match="closed"):
        backend.infer(inputs)


def test_engines_come_and_go(platform, plan):
    for _ in range(20):
        backend = open_backend("tensorrt", plan)
        inputs = {
            spec.name: backend.allocate(tuple(n or 0 for n in spec.shape), spec.dtype)
            for spec in backend.inputs
        }
        for _ in range(3):
            backend.infer(inputs)
        backend.close()


def test_the_detector_finds_the_same(plan, colour_picture):
    found = {}
    for engine, model in (("onnxruntime", plan.with_suffix(".onnx")), ("tensorrt", plan)):
        with load_detector(model, engine=engine) as detector:
            for words in (["red"], ["blue", "green"]):
                detector.pipeline.set_vocabulary(words)
                detections = detector.pipeline.process(colour_picture).detections
                found.setdefault(engine, []).append(np.sort(detections.boxes_xyxy, axis=0))
    for ours, theirs in zip(found["tensorrt"], found["onnxruntime"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.1)


def test_tensorrt_itself_refuses_a_damaged_plan(platform, plan, tmp_path):
    damaged = tmp_path / "damaged.engine"
    damaged.write_bytes(plan.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"damaged\.engine: TensorRT .* refuses this plan: ") as at:
        TensorRtBackend(damaged, platform)
    assert "\n" not in str(at.value)

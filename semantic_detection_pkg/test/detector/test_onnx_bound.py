"""ONNX Runtime with tensors bound to a device, and what happens where CUDA does not start.

The tensors are bound on the CPU here: the calls are the same.
"""

import logging

import numpy as np
import onnxruntime
import pytest
import tiny_models

from semantic_detection_pkg.detector.backends.loading import load_detector, open_backend
from semantic_detection_pkg.detector.backends.onnx import CPU, CUDA, BoundOnnxBackend, OnnxBackend
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


@pytest.fixture
def model(tmp_path):
    np.savez(tmp_path / "colours.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))
    return tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")


@pytest.fixture
def cuda_that_is_the_cpu(monkeypatch):
    """An ONNX Runtime that says it has CUDA; what it computes there, the CPU does."""
    session, value = onnxruntime.InferenceSession, onnxruntime.OrtValue

    class Session(session):
        def __init__(self, path, sess_options, providers):
            super().__init__(path, sess_options=sess_options, providers=[CPU])
            self.wanted = providers

        def get_providers(self):
            return list(self.wanted)

    class Value:
        @staticmethod
        def ortvalue_from_shape_and_type(shape, dtype, device, index):
            assert (device, index) == ("cuda", 0)
            return value.ortvalue_from_shape_and_type(shape, dtype, "cpu", 0)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "OrtValue", Value)


def some_inputs(backend, seed):
    random = np.random.default_rng(seed)
    return {spec.name: random.random(spec.shape).astype(spec.dtype) for spec in backend.inputs}


def test_bound_tensors_hold_what_free_ones_do(model):
    bound, free = BoundOnnxBackend(model, 1, CPU, "cpu"), OnnxBackend(model, threads=1)
    for seed in range(3):
        inputs = some_inputs(free, seed)
        ours, theirs = bound.infer(inputs), free.infer(inputs)
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value)
    # Whatever lies in memory in another way is the same picture.
    turned = dict(inputs, images=np.asfortranarray(inputs["images"]))
    np.testing.assert_array_equal(bound.infer(turned)["output0"], ours["output0"])
    bound.close()
    bound.close()
    with pytest.raises(FrameError, match="closed"):
        bound.infer(inputs)


def test_results_are_the_callers_own(model):
    """A result of before is not overwritten by the next frame while somebody still reads it."""
    bound = BoundOnnxBackend(model, 1, CPU, "cpu")
    first = bound.infer(some_inputs(bound, 0))["output0"]
    kept = first.copy()
    again = bound.infer(some_inputs(bound, 1))["output0"]
    assert not np.array_equal(again, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((1, 3, 64, 65), np.float32)}, "input images float32 .*must be images"),
        ({"images": np.zeros((1, 3, 64, 64))}, "input images float64 .* must be images float32"),
        ({"extra": np.zeros(1)}, "inputs cls_b, cls_w, extra, images are given, cls_b, cls_w, im"),
    ],
)
def test_wrong_inputs_cost_one_frame(model, change, message):
    bound = BoundOnnxBackend(model, 1, CPU, "cpu")
    inputs = some_inputs(bound, 0)
    with pytest.raises(FrameError, match=message):
        bound.infer({**inputs, **change})
    assert bound.infer(inputs).keys() == {"output0", "output1"}


def test_a_model_for_any_number_of_pictures_is_not_bound(tmp_path):
    model = tiny_models.constant_model(
        {"output0": np.ones((1, 7, 84), np.float32)}, {}, input_shape=("batch", 3, 64, 64)
    )
    path = tiny_models.save(model, tmp_path / "any.onnx")
    bound = BoundOnnxBackend(path, 1, CPU, "cpu")
    for count in (1, 3):
        assert bound.infer({"images": np.zeros((count, 3, 64, 64), np.float32)})["output0"].all()


def test_where_cuda_starts_the_detector_uses_it(
    model, cuda_that_is_the_cpu, caplog, colour_picture
):
    found = {}
    for device in ("cpu", "cuda"):
        with load_detector(model, device=device, threads=1) as detector:
            name = {"cpu": CPU, "cuda": CUDA}[device]
            assert detector.backend.device.startswith(name)
            for words in (["red"], ["blue", "green"]):
                detector.pipeline.set_vocabulary(words)
                boxes = detector.pipeline.process(colour_picture).detections.boxes_xyxy
                found.setdefault(device, []).append(boxes.tolist())
    assert found["cpu"] == found["cuda"]
    assert [len(boxes) for boxes in found["cuda"]] == [1, 6]
    assert caplog.records == []


def said_first(caplog) -> str:
    return caplog.records[0].getMessage()


def said(caplog) -> str:
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage()
    return record.getMessage()


def test_without_cuda_the_cpu_computes_and_a_line_says_so(model, caplog):
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    backend = open_backend("onnxruntime", model, device="cuda")
    assert backend.device.startswith(CPU)
    assert said(caplog).startswith("colours.onnx: computes on the CPU, not on the GPU: this ONNX R")
    assert "install onnxruntime-gpu" in caplog.text
    with load_detector(model, device="cuda", threads=1) as detector:
        assert detector.fallback == said_first(caplog)
    with load_detector(model, threads=1) as detector:
        assert detector.fallback == ""


def test_where_cuda_does_not_start_the_cpu_computes_and_a_line_says_so(
    model, cuda_that_is_the_cpu, caplog, monkeypatch
):
    """So does ONNX Runtime where a library of CUDA is missing: it goes on with the others."""
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda _: [CPU])
    backend = open_backend("onnxruntime", model, device="cuda")
    assert backend.device.startswith(CPU)
    assert "CUDAExecutionProvider did not start (CPUExecutionProvider did)" in said(caplog)


def test_without_memory_on_the_gpu_the_cpu_computes_and_a_line_says_so(
    model, cuda_that_is_the_cpu, caplog, monkeypatch
):
    def refuse(*_):
        raise RuntimeError("CUDA failure 2: out of\nmemory ; GPU=0")

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", refuse)
    backend = open_backend("onnxruntime", model, device="cuda")
    assert backend.device.startswith(CPU)
    assert "CUDA failure 2: out of memory" in said(caplog)


def test_a_model_that_is_no_good_is_refused_as_on_the_cpu(tmp_path, cuda_that_is_the_cpu, caplog):
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny_models.colour_model("raw").SerializeToString().replace(b"Pool", b"Poof"))
    with pytest.raises(ModelError) as raised:
        open_backend("onnxruntime", path, device="cuda")
    assert "\n" not in str(raised.value)
    assert caplog.records == []


def test_other_devices_are_refused(model):
    with pytest.raises(ConfigurationError, match="device 'npu' is unknown; allowed: cpu, cuda"):
        open_backend("onnxruntime", model, device="npu")

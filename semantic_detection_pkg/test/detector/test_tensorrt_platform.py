"""What a machine without CUDA, TensorRT or a GPU is told: one line, and what to do."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from fake_cuda import FakeCuda, Status
from fake_gpu import arithmetic, arithmetic_plan
from fake_tensorrt import FakeTensorRt

from semantic_detection_pkg.detector.backends.loading import open_backend
from semantic_detection_pkg.detector.backends.trt import platform
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.errors import ConfigurationError

OTHERWISE = "or choose the engine 'onnxruntime'"


@pytest.fixture
def modules(monkeypatch):
    """Modules that can be imported, by name; a value that is an error is raised."""
    importable: dict[str, object] = {}

    def import_module(name: str) -> object:
        module = importable.get(name, ModuleNotFoundError(f"No module named {name!r}"))
        if isinstance(module, Exception):
            raise module
        return module

    monkeypatch.setattr(platform, "import_module", import_module)
    return importable


@pytest.mark.parametrize("path", ["cuda.bindings.runtime", "cuda.cudart"])
def test_cuda_is_found_under_either_name(modules, path):
    cuda = FakeCuda()
    modules.update({path: cuda, "tensorrt": FakeTensorRt(cuda, arithmetic)})
    found = find_platform()
    assert found.cuda.runtime is cuda
    assert str(found.device) == "Orin (compute capability 8.7)"
    assert found.device.is_integrated


def no_driver_of_old() -> FakeCuda:
    cuda = FakeCuda()
    failure = RuntimeError("Failed to dlopen libcuda.so.1")
    cuda.failures["cudaGetDeviceCount", 1] = failure
    return cuda


def no_driver() -> FakeCuda:
    cuda = FakeCuda()
    cuda.failures["cudaGetDeviceCount", 1] = Status.cudaErrorInsufficientDriver
    return cuda


def no_device() -> FakeCuda:
    cuda = FakeCuda()
    cuda.devices = 0
    return cuda


CUDA, TENSORRT = "cuda.bindings.runtime", "tensorrt"
LACKING = {
    "no cuda-python": ({}, "cuda-python cannot be imported .*'cuda.bindings.runtime'.*install"),
    "no TensorRT": ({CUDA: FakeCuda()}, "tensorrt cannot be imported .*python3-libnvinfer"),
    "no libnvinfer": (
        {CUDA: FakeCuda(), TENSORRT: ImportError("libnvinfer.so.10: cannot open shared\nobject")},
        "libnvinfer.so.10: cannot open shared object",
    ),
    "no driver, raised": (
        {CUDA: no_driver_of_old(), TENSORRT: SimpleNamespace()},
        r"no usable NVIDIA GPU \(cudaGetDeviceCount: Failed to dlopen libcuda.so.1\); start the",
    ),
    "no driver, returned": (
        {CUDA: no_driver(), TENSORRT: SimpleNamespace()},
        r"GPU \(cudaGetDeviceCount: cudaErrorInsufficientDriver\); .*'runtime: nvidia'",
    ),
    "no device": ({CUDA: no_device(), TENSORRT: SimpleNamespace()}, r"GPU \(0 devices\)"),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_is_missing_is_named_with_its_remedy(modules, case):
    importable, message = LACKING[case]
    modules.update(importable)
    with pytest.raises(ConfigurationError, match=message) as raised:
        find_platform()
    text = str(raised.value)
    assert text.startswith("inference engine 'tensorrt': ")
    assert text.endswith(OTHERWISE)
    assert "\n" not in text


def test_here_as_it_is(tmp_path, monkeypatch):
    """The whole way in, with whatever this machine has; without TensorRT it is a refusal."""
    path = tmp_path / "model.engine"
    path.write_bytes(arithmetic_plan())
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as if it were not installed
    with pytest.raises(ConfigurationError, match="inference engine 'tensorrt': the Python package"):
        open_backend("tensorrt", path)


def test_the_real_cuda_python_says_that_there_is_no_gpu(monkeypatch):
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    try:
        count = runtime.cudaGetDeviceCount()[1]
    except RuntimeError:
        count = 0
    if count:
        pytest.skip("this machine has a GPU; the refusal is for those without")
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    with pytest.raises(ConfigurationError, match=r"no usable NVIDIA GPU \(cudaGetDeviceCount: "):
        find_platform()

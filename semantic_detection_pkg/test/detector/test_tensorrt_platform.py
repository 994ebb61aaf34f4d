"""What a machine without CUDA, TensorRT or a GPU is told: one line, and what to do."""

import struct
import sys
from types import ModuleType, SimpleNamespace

import pytest
from fake_cuda import FakeCuda, Status
from fake_gpu import arithmetic, arithmetic_plan
from fake_tensorrt import FakeTensorRt

from semantic_detection_pkg.detector.backends.loading import open_backend
from semantic_detection_pkg.detector.backends.trt import platform
from semantic_detection_pkg.detector.backends.trt.families import (
    FAMILIES,
    RTX,
    family_of,
    title,
)
from semantic_detection_pkg.detector.backends.trt.platform import find_platform, survey
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
    monkeypatch.setattr(platform, "has_driver", lambda: False)
    return importable


@pytest.mark.parametrize("path", ["cuda.bindings.runtime", "cuda.cudart"])
def test_cuda_is_found_under_either_name(modules, path):
    cuda = FakeCuda()
    modules.update({path: cuda, "tensorrt": FakeTensorRt(cuda, arithmetic)})
    found = find_platform()
    assert found.cuda.runtime is cuda
    assert str(found.device) == "Orin (compute capability 8.7)"
    assert found.device.is_integrated


RTX_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")


@pytest.mark.parametrize("name", RTX_MODULES)
def test_tensorrt_for_rtx_does_where_tensorrt_is_not(modules, name):
    cuda = FakeCuda()
    rtx = FakeTensorRt(cuda, arithmetic, "1.7.1.116")
    modules.update({"cuda.bindings.runtime": cuda, name: rtx})
    for wanted in (None, *FAMILIES):
        assert find_platform(wanted).tensorrt is rtx
    assert family_of(rtx) is RTX
    assert title(rtx) == "TensorRT for RTX 1.7.1"


def test_of_both_the_one_that_built_the_plan_is_taken(modules):
    cuda = FakeCuda()
    both = {
        "tensorrt": FakeTensorRt(cuda, arithmetic),
        "tensorrt_rtx_bindings": FakeTensorRt(cuda, arithmetic, "1.7.1.116"),
    }
    modules.update({"cuda.bindings.runtime": cuda, **both})
    assert find_platform().tensorrt is both["tensorrt"]
    assert find_platform(FAMILIES[0]).tensorrt is both["tensorrt"]
    assert find_platform(RTX).tensorrt is both["tensorrt_rtx_bindings"]


@pytest.mark.parametrize(
    ("plan", "library"),
    [
        (arithmetic_plan(), "TensorRT 10.3.0"),
        (arithmetic_plan(version=(1, 7, 1, 116), family=RTX), "TensorRT for RTX 1.7.1"),
    ],
)
def test_the_engine_opens_a_plan_with_the_library_that_built_it(modules, tmp_path, plan, library):
    cuda = FakeCuda()
    modules.update(
        {
            "cuda.bindings.runtime": cuda,
            "tensorrt": FakeTensorRt(cuda, arithmetic),
            "tensorrt_rtx_bindings": FakeTensorRt(cuda, arithmetic, "1.7.1.116"),
        }
    )
    path = tmp_path / "model.engine"
    for header in (b"", b'{"names": {}}'):  # raw, and as Ultralytics writes it
        content = struct.pack("<i", len(header)) + header if header else b""
        path.write_bytes(content + plan)
        backend = open_backend("tensorrt", path)
        assert backend.device == f"Orin, {library}, mapped buffers"
        backend.close()


def test_what_is_there_but_does_not_load_is_said_and_the_other_one_taken(modules, caplog):
    cuda = FakeCuda()
    rtx = FakeTensorRt(cuda, arithmetic, "1.7.1.116")
    broken = ImportError("libnvdla_compiler.so: cannot open shared\nobject")
    modules.update({"cuda.bindings.runtime": cuda, "tensorrt": broken, "tensorrt_rtx": rtx})
    assert find_platform().tensorrt is rtx
    assert [record.getMessage() for record in caplog.records] == [
        "tensorrt_rtx is taken: libnvdla_compiler.so: cannot open shared object"
    ]


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
    "no TensorRT": (
        {CUDA: FakeCuda()},
        "tensorrt cannot be imported .*python3-libnvinfer.*tensorrt.in",
    ),
    "no libnvinfer": (
        {CUDA: FakeCuda(), TENSORRT: ImportError("libnvinfer.so.10: cannot open shared\nobject")},
        "libnvinfer.so.10: cannot open shared object",
    ),
    "no driver, raised": (
        {CUDA: no_driver_of_old(), TENSORRT: SimpleNamespace()},
        r"no NVIDIA driver \(libcuda.so.1\) here: install it; in a container: .*'runtime: nvidia'",
    ),
    "no driver, returned": (
        {CUDA: no_driver(), TENSORRT: SimpleNamespace()},
        r"no NVIDIA driver \(libcuda.so.1\) here: install it; in a container: .*'runtime: nvidia'",
    ),
    "no device": ({CUDA: no_device(), TENSORRT: SimpleNamespace()}, r"GPU \(0 devices\)"),
}


def test_a_survey_says_what_is_there_and_what_is_not(modules):
    found, missing = survey()
    assert found == []
    assert len(missing) == 2
    assert missing[0].startswith("the Python package cuda-python cannot be imported")
    assert missing[1].startswith("the Python package tensorrt cannot be imported")
    assert not any("onnxruntime" in text or text.endswith((",", ";", " ")) for text in missing)

    cuda = FakeCuda()
    rtx = FakeTensorRt(cuda, arithmetic, "1.7.1.116")
    modules.update({"cuda.bindings.runtime": cuda, "tensorrt_rtx_bindings": rtx})
    here = [
        "cuda-python (cuda.bindings.runtime)",
        "Orin (compute capability 8.7)",
        "TensorRT for RTX 1.7.1 (tensorrt_rtx_bindings)",
    ]
    assert survey() == (here, [])
    assert survey(RTX) == (here, [])
    found, missing = survey(FAMILIES[0])
    assert found == here
    (text,) = missing
    assert text.startswith("TensorRT, which built the model's plan: on a Jetson: apt install")

    modules["tensorrt"] = FakeTensorRt(cuda, arithmetic)
    assert survey(FAMILIES[0]) == ([*here[:2], "TensorRT 10.3.0 (tensorrt)", here[2]], [])


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


def test_a_driver_that_is_too_old_is_not_called_missing(modules, monkeypatch):
    monkeypatch.setattr(platform, "has_driver", lambda: True)
    modules.update({CUDA: no_driver(), TENSORRT: SimpleNamespace()})
    with pytest.raises(ConfigurationError, match=r"GPU \(.*cudaErrorInsufficientDriver\); start"):
        find_platform()


def test_here_as_it_is(tmp_path, monkeypatch):
    """The whole way in, with whatever this machine has; without TensorRT it is a refusal."""
    path = tmp_path / "model.engine"
    path.write_bytes(arithmetic_plan())
    for family in FAMILIES:
        for name in family.modules:
            monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(ConfigurationError, match="inference engine 'tensorrt': the Python package"):
        open_backend("tensorrt", path)


def test_the_real_cuda_python_says_that_there_is_no_gpu(monkeypatch):
    runtime = pytest.importorskip(
        "cuda.bindings.runtime",
        reason="cuda-bindings is missing: requirements/dev.in; wheels for x86-64 and aarch64 only",
    )
    try:
        count = runtime.cudaGetDeviceCount()[1]
    except RuntimeError:
        count = 0
    if count:
        pytest.skip("this machine has a GPU; the refusal is for those without")
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    with pytest.raises(ConfigurationError, match="no NVIDIA driver|no usable NVIDIA GPU"):
        find_platform()

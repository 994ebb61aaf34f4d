"""`backends/trt/api.py` against the bindings that NVIDIA publishes: every name, every parameter.

TensorRT: the compiled extension of its wheels is imported over an empty libnvinfer and says what
it has (names, parameters, their order and defaults). TensorRT for RTX is imported whole, with its
library. What they compute is not covered, a GPU is needed for that (`test_tensorrt_gpu.py`). CUDA:
the compiled cuda-bindings are imported as they are.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path

import pytest
from fake_cuda import (
    CaptureMode,
    DeviceAttribute,
    FakeCuda,
    MemcpyKind,
    Status,
)
from fake_tensorrt import FakeTensorRt, Severity

from semantic_detection_pkg.detector.backends.trt import api

_PROGRAM = Path(__file__).resolve().parents[3] / "test" / "support" / "tensorrt_signatures.py"
# Folders with a `tensorrt_bindings` each, of other versions than the installed one.
_VARIABLE = "SEMANTIC_DETECTION_TENSORRT_BINDINGS"
_FOLDERS = [folder for folder in os.environ.get(_VARIABLE, "").split(os.pathsep) if folder]

CLASSES = {
    api.ExecutionContext: "IExecutionContext",
    api.Engine: "ICudaEngine",
    api.Runtime: "Runtime",
    api.TimingCache: "ITimingCache",
    api.BuilderConfig: "IBuilderConfig",
    api.Builder: "Builder",
    api.ParserError: "ParserError",
    api.OnnxParser: "OnnxParser",
    api.Tensor: "ITensor",
    api.Network: "INetworkDefinition",
    api.OptimizationProfile: "IOptimizationProfile",
}
CLASSES_OF_RTX = {api.RtxBuilderConfig: "IBuilderConfig"}
CONSTANTS = {
    ("TensorIOMode", "INPUT"),
    ("TensorFormat", "LINEAR"),
    ("MemoryPoolType", "WORKSPACE"),
    ("ILogger", "Severity"),
}
RTX_MODULE = "tensorrt_rtx_bindings"


@pytest.fixture(scope="module", params=["installed", RTX_MODULE, *_FOLDERS])
def bindings(request) -> dict:
    folder = [] if request.param == "installed" else [request.param]
    if request.param == RTX_MODULE and util.find_spec(RTX_MODULE) is None:
        pytest.skip("tensorrt-rtx-cu13-bindings is missing: tools/setup/tensorrt.sh, x86-64 only")
    if not folder and not any(util.find_spec(name) for name in ("tensorrt", "tensorrt_bindings")):
        pytest.skip("tensorrt-cu12-bindings is missing: requirements/dev.in, x86-64 only")
    command = [sys.executable, str(_PROGRAM), *folder]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def members(protocol: type) -> dict[str, object]:
    """What a protocol declares itself; not what it inherits."""
    return {
        name: value
        for name, value in vars(protocol).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }


def is_rtx(bindings: dict) -> bool:
    return bindings["version"].startswith("1.")


def parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


def overloads(text: str) -> list[list[str]]:
    """Parameters of each signature that pybind11 puts at the top of a method's help."""
    found = []
    for line in re.findall(r"^(?:\d+\. )?\w+\((.*)\) -> .*$", text, re.MULTILINE):
        inner = re.sub(r"\[[^\]]*\]|<[^>]*>", "", line)
        found.append([part.strip() for part in inner.split(",")][1:])
    return found


def fits(ours: list[str], theirs: list[str]) -> bool:
    """Whether a call with our parameters is a call of theirs: the others have defaults."""
    names = [part.split(":")[0].strip() for part in theirs]
    return names[: len(ours)] == ours and all("=" in part for part in theirs[len(ours) :])


@pytest.mark.parametrize(
    ("ours", "is_fit"),
    [
        (["name", "index"], True),
        (["name", "index", "flag"], True),
        (["name"], False),  # theirs needs more
        (["index", "name"], False),
        (["title", "index"], False),
        (["name", "index", "flag", "more"], False),
    ],
)
def test_the_comparison_can_fail(ours, is_fit):
    (theirs,) = overloads("call(self: X, name: str, index: Dict[int, str], flag: int = 0) -> bool")
    assert fits(ours, theirs) is is_fit


@pytest.mark.parametrize(
    "protocol", CLASSES | CLASSES_OF_RTX, ids=lambda protocol: protocol.__name__
)
def test_tensorrt_has_what_is_used(bindings, protocol):
    if protocol in CLASSES_OF_RTX and not is_rtx(bindings):
        return  # `builder.check_capability` refuses before it is used
    kind = (CLASSES | CLASSES_OF_RTX)[protocol]
    real = bindings["classes"][kind]
    assert members(protocol)
    for name in vars(protocol).get("__annotations__", {}):
        assert real[name] == "property", name
    for name, value in members(protocol).items():
        assert name in real, f"{kind}.{name} in {bindings['version']}"
        if isinstance(value, property):
            assert real[name] == "property"
        else:
            found = overloads(real[name])
            assert any(fits(parameters(value), theirs) for theirs in found), (name, found)


def test_the_module_tensorrt_has_what_is_used(bindings):
    classes = bindings["classes"]
    for protocol in (api.TensorRt, api.TensorRtBuilding):
        for name, value in members(protocol).items():
            if name in bindings["functions"]:
                theirs = bindings["functions"][name].strip("()").split(", ")
            else:
                (theirs,) = overloads(classes[name]["__init__"])
            assert fits(parameters(value), theirs), (name, theirs)
    for kind, name in CONSTANTS:
        assert name in classes[kind], (kind, name)
    assert re.match(r"1\.\d|1[01]\.\d+\.\d+", bindings["version"])


def test_fp16_is_a_flag_up_to_version_10(bindings):
    is_weakly_typed = bindings["version"].startswith("10.")
    assert ("FP16" in bindings["classes"]["BuilderFlag"]) == is_weakly_typed


def test_compute_capabilities_are_named_as_we_read_them(bindings):
    if is_rtx(bindings):
        names = {name for name in bindings["classes"]["ComputeCapability"] if name[:2] == "SM"}
        assert names >= {"SM75", "SM86", "SM89", "SM120"}
        assert all(re.fullmatch(r"SM\d{2,3}", name) for name in names)


def test_tensorrt_takes_our_logger_and_names_severities_as_we_do(bindings):
    assert bindings["severities"] == [severity.name for severity in Severity]
    assert bindings["log"][-1] == "an error"


@pytest.fixture(scope="module", params=["cuda.bindings.runtime", "cuda.cudart"])
def cuda(request):
    pytest.importorskip(
        "cuda.bindings.runtime",
        reason="cuda-bindings is missing: requirements/dev.in; wheels for x86-64 and aarch64 only",
    )
    try:
        return import_module(request.param)
    except ImportError:
        pytest.skip(f"{request.param} is not in this version of cuda-bindings")


@pytest.mark.filterwarnings("ignore")
def test_cuda_has_what_is_used(cuda):
    for name, value in members(api.CudaRuntime).items():
        text = getattr(cuda, name).__doc__.splitlines()[0]
        inner = re.fullmatch(rf"{name}\((.*)\)", text)
        assert inner is not None, text
        # "size_t size" in some, "kind: cudaMemcpyKind" in others.
        theirs = [part.split(":")[0].split()[-1] for part in inner[1].split(",") if part.strip()]
        assert theirs == parameters(value), name


def test_the_constants_of_the_fake_are_those_of_cuda(cuda):
    for name in api.CudaRuntime.__annotations__:
        ours, theirs = getattr(FakeCuda, name), getattr(cuda, name)
        if isinstance(ours, int):
            assert ours == theirs, name
    for ours, theirs in (
        (MemcpyKind, cuda.cudaMemcpyKind),
        (CaptureMode, cuda.cudaStreamCaptureMode),
        (DeviceAttribute, cuda.cudaDeviceAttr),
        (Status, cuda.cudaError_t),
    ):
        assert {item.name: item.value for item in ours} == {
            item.name: int(theirs[item.name]) for item in ours
        }


def test_cuda_answers_as_the_runner_reads_it(cuda):
    """A tuple that begins with a status that is a number and has a name."""
    try:
        status, *_ = cuda.cudaGetDeviceCount()
    except RuntimeError:  # so cuda-python says before 12.9 that there is no driver
        return
    assert isinstance(status.name, str)
    assert int(status) >= 0


def test_what_cuda_calls_the_device_is_there(cuda):
    properties = cuda.cudaDeviceProp()
    assert isinstance(properties.name, bytes)
    assert (properties.major, properties.minor) == (0, 0)


def test_the_fakes_have_what_is_used_with_the_same_parameters():
    for protocol, fake in ((api.CudaRuntime, FakeCuda), (api.TensorRt, FakeTensorRt)):
        for name, value in members(protocol).items():
            assert parameters(getattr(fake, name)) == parameters(value), name

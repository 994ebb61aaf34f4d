"""The libraries and the GPU of this machine, or one line that says what is missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from semantic_detection_pkg.detector.backends.trt.api import CudaRuntime, TensorRt
from semantic_detection_pkg.detector.backends.trt.cuda import Cuda, CudaError, Device
from semantic_detection_pkg.errors import ConfigurationError

_ENGINE = "inference engine 'tensorrt'"
_ELSE = "or choose the engine 'onnxruntime'"
# The second one is that of cuda-python before 12.8; 13 no longer has it.
_CUDA_MODULES = ("cuda.bindings.runtime", "cuda.cudart")


@dataclass(frozen=True)
class Platform:
    """What runs plans: CUDA, TensorRT, and the GPU that they see."""

    cuda: Cuda
    tensorrt: TensorRt
    device: Device


def find_platform() -> Platform:
    """Import what is needed and look at the GPU.

    Raises:
        ConfigurationError: something is missing; the message says what and what to do.
    """
    cuda = Cuda(_import_cuda())
    tensorrt = _import_tensorrt()
    return Platform(cuda, tensorrt, find_device(cuda))


def find_device(cuda: Cuda) -> Device:
    """The first GPU.

    Raises:
        ConfigurationError: there is none, or no driver.
    """
    try:
        count = cuda.call(cuda.runtime.cudaGetDeviceCount)
        if count:
            return cuda.device()
        reason = "0 devices"
    except CudaError as error:
        reason = str(error)
    raise ConfigurationError(
        f"{_ENGINE}: no usable NVIDIA GPU ({reason}); start the container with 'runtime: nvidia', "
        f"{_ELSE}"
    )


def _import_cuda() -> CudaRuntime:
    reason: Exception | None = None
    for name in _CUDA_MODULES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the old path says that it is old
                module: Any = import_module(name)
            return module
        except ImportError as error:
            reason = reason or error
    raise ConfigurationError(
        f"{_ENGINE}: the Python package cuda-python cannot be imported ({_line(reason)}); install "
        f"the version that fits the driver (JetPack 6.2: cuda-python 12.6), {_ELSE}"
    )


def _import_tensorrt() -> TensorRt:
    try:
        module: Any = import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"{_ENGINE}: the Python package tensorrt cannot be imported ({_line(error)}); on a "
            f"Jetson: apt install python3-libnvinfer, and the system's Python, {_ELSE}"
        ) from None
    return module


def _line(error: Exception | None) -> str:
    return " ".join(str(error).split())

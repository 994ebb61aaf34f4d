"""The libraries and the GPU of this machine, or one line that says what is missing."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from semantic_detection_pkg.detector.backends.trt.api import CudaRuntime, TensorRt
from semantic_detection_pkg.detector.backends.trt.cuda import (
    DRIVER,
    Cuda,
    CudaError,
    Device,
    has_driver,
)
from semantic_detection_pkg.detector.backends.trt.families import (
    FAMILIES,
    Family,
    family_of,
    title,
)
from semantic_detection_pkg.detector.backends.trt.plan import BUILD_HINT
from semantic_detection_pkg.errors import ConfigurationError

_log = logging.getLogger(__name__)
_ENGINE = "inference engine 'tensorrt'"
_ELSE = "or choose the engine 'onnxruntime'"
NO_DRIVER = (
    f"no NVIDIA driver ({DRIVER}) here: install it; in a container: start it with 'runtime: nvidia'"
)
# The second one is that of cuda-python before 12.8; 13 no longer has it.
_CUDA_MODULES = ("cuda.bindings.runtime", "cuda.cudart")


@dataclass(frozen=True)
class Platform:
    """What runs plans: CUDA, TensorRT, and the GPU that they see."""

    cuda: Cuda
    tensorrt: TensorRt
    device: Device


def find_platform(wanted: Family | None = None) -> Platform:
    """Import what is needed and look at the GPU.

    Args:
        wanted: library that a plan needs; the other one is taken where it is missing.

    Raises:
        ConfigurationError: something is missing; the message says what and what to do.
    """
    cuda = Cuda(_import_cuda())
    tensorrt = find_library(wanted)
    return Platform(cuda, tensorrt, find_device(cuda))


def find_cuda() -> tuple[Cuda, Device]:
    """Import CUDA alone and look at the GPU.

    Raises:
        ConfigurationError: cuda-python, the driver or the GPU is missing.
    """
    cuda = Cuda(_import_cuda())
    return cuda, find_device(cuda)


def find_library(wanted: Family | None = None) -> TensorRt:
    """Import TensorRT or TensorRT for RTX, whichever is there.

    Args:
        wanted: the one to prefer; None: TensorRT.

    Raises:
        ConfigurationError: neither is there, or what is there does not load.
    """
    broken = []
    for family in sorted(FAMILIES, key=lambda family: family is not wanted):
        for name in family.modules:
            try:
                module: Any = import_module(name)
            except ModuleNotFoundError as error:
                if error.name not in (None, name):
                    broken.append(_line(error))
            except (ImportError, OSError) as error:
                broken.append(_line(error))
            else:
                if broken:
                    _log.warning("%s is taken: %s", name, "; ".join(broken))
                return cast(TensorRt, module)
    reason = "; ".join(broken) or "no module " + ", ".join(
        name for family in FAMILIES for name in family.modules
    )
    raise ConfigurationError(
        f"{_ENGINE}: the Python package tensorrt cannot be imported ({reason}); "
        f"{'; '.join(family.remedy for family in FAMILIES)}; {_ELSE}"
    )


def survey(plan: Family | None = None) -> tuple[list[str], list[str]]:
    """Return what is here of what `find_platform` needs, and what is missing, with its remedy.

    Args:
        plan: whose plan is to be run; None: any.
    """
    found: list[str] = []
    missing: list[str] = []
    try:
        cuda = Cuda(_import_cuda())
        found.append(f"cuda-python ({cuda.runtime.__name__})")
        found.append(str(find_device(cuda)))
    except ConfigurationError as error:
        missing.append(bare(error))
    libraries = []
    for family in FAMILIES:
        try:
            library = find_library(family)
        except ConfigurationError as error:
            missing.append(bare(error))
            break
        if family_of(library) is family:
            libraries.append(family)
            found.append(f"{title(library)} ({library.__name__})")
    if libraries and plan is not None and plan not in libraries:
        missing.append(
            f"{plan.title}, which built the model's plan: {plan.remedy}, or {BUILD_HINT}"
        )
    return found, missing


def bare(error: ConfigurationError) -> str:
    """Return the message without the engine's name and without the way out."""
    text = str(error).removeprefix(f"{_ENGINE}: ").removesuffix(_ELSE)
    return text.rstrip(" ,;")


def find_device(cuda: Cuda) -> Device:
    """Find the first GPU.

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
        if not has_driver():  # CUDA calls one that is missing too old
            raise ConfigurationError(f"{_ENGINE}: {NO_DRIVER}, {_ELSE}") from None
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


def _line(error: Exception | None) -> str:
    return " ".join(str(error).split())

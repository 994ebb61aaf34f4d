"""From a plan to an engine: TensorRT's reasons for saying no, and the engine's tensors."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from semantic_detection_pkg.detector.backends.trt.api import Engine, Runtime, TensorRt
from semantic_detection_pkg.detector.backends.trt.families import title
from semantic_detection_pkg.detector.backends.trt.plan import BUILD_HINT, Plan
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.errors import ConfigurationError, ModelError

_log = logging.getLogger(__name__)
_ERRORS_KEPT = 8
# CUDA's numbers for: driver missing or too old, no device, driver and system do not fit.
_NO_GPU = re.compile(r"cudaError (?:35|100|803|804)\b[^)]*")


class TensorRtMessages:
    """What TensorRT said: errors are kept for the exception, all goes to the log."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=_ERRORS_KEPT)

    def add(self, severity: str, message: str) -> None:
        """Log one message; severity as TensorRT names it."""
        line = " ".join(message.split())
        if severity in ("INTERNAL_ERROR", "ERROR"):
            self.errors.append(line)
            _log.debug("TensorRT: %s", line)
        elif severity == "WARNING":
            _log.info("TensorRT: %s", line)


@cache
def logger(tensorrt: TensorRt) -> tuple[Any, TensorRtMessages]:
    """Return the logger of this process: TensorRT keeps the first one for good."""
    messages = TensorRtMessages()

    class Logger(tensorrt.ILogger):  # type: ignore[name-defined]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            messages.add(severity.name, msg)

    return Logger(), messages


def deserialize(tensorrt: TensorRt, plan: Plan) -> tuple[Runtime, Engine]:
    """Make the engine; its runtime must live longer than it.

    Raises:
        ConfigurationError: there is no GPU, or no driver for it.
        ModelError: TensorRT refuses the plan.
    """
    log, messages = logger(tensorrt)
    messages.errors.clear()
    try:
        runtime = tensorrt.Runtime(log)
        engine = runtime.deserialize_cuda_engine(plan.plan)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{plan.name}: {title(tensorrt)}: {' '.join(str(error).split())}"
        ) from None
    if engine is None:
        said = messages.errors[0] if messages.errors else "no reason given"
        if found := _NO_GPU.search(said):
            raise ConfigurationError(
                f"{plan.name}: {title(tensorrt)} finds no usable NVIDIA GPU ({found[0]}); install "
                "the driver, or choose the engine 'onnxruntime'"
            )
        raise ModelError(
            f"{plan.name}: {title(tensorrt)} refuses this plan: {said[:1000]}; {BUILD_HINT}"
        )
    return runtime, engine


def describe(
    tensorrt: TensorRt, engine: Engine, name: str
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return inputs and outputs of an engine; a batch of any length is at most its profile's.

    Raises:
        ModelError: a tensor has no fixed shape, or a form in memory that NumPy has not.
    """
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    batch = _batch(tensorrt, engine)
    for index in range(engine.num_io_tensors):
        tensor = engine.get_tensor_name(index)
        shape = [n if n > 0 else None for n in engine.get_tensor_shape(tensor)]
        if shape and shape[0] is None:
            shape[0] = batch
        spec = TensorSpec(
            tensor,
            tuple(shape),
            _dtype(tensorrt, name, tensor, engine.get_tensor_dtype(tensor)),
        )
        if None in spec.shape:
            raise ModelError(f"{name}: {spec} has no fixed shape; export and build it with one")
        if engine.get_tensor_format(tensor) != tensorrt.TensorFormat.LINEAR:
            raise ModelError(
                f"{name}: {spec} is not linear in memory; build it without other I/O formats"
            )
        is_input = engine.get_tensor_mode(tensor) == tensorrt.TensorIOMode.INPUT
        (inputs if is_input else outputs).append(spec)
    return tuple(inputs), tuple(outputs)


def is_open(shape: Sequence[int]) -> bool:
    """Return whether a tensor takes batches of any length; a single number has no batch."""
    return len(shape) > 0 and shape[0] < 1


def _batch(tensorrt: TensorRt, engine: Engine) -> int | None:
    """Return pictures of one inference as the plan's profile has them; None: it says nothing."""
    for index in range(engine.num_io_tensors):
        tensor = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(tensor) == tensorrt.TensorIOMode.INPUT
        if is_input and is_open(engine.get_tensor_shape(tensor)):
            _, _, most = engine.get_tensor_profile_shape(tensor, 0)
            return most[0] if most[0] > 0 else None
    return None


def _dtype(tensorrt: TensorRt, name: str, tensor: str, dtype: Any) -> str:
    try:
        return np.dtype(tensorrt.nptype(dtype)).name
    except TypeError:
        raise ModelError(
            f"{name}: {tensor} has elements {getattr(dtype, 'name', dtype)}, which NumPy has not; "
            "export with float32 or float16 inputs and outputs"
        ) from None

"""Models as TensorRT plans, on the GPU of this machine. See `backends.trt`."""

from __future__ import annotations

from pathlib import Path

from semantic_detection_pkg.detector.backends.protocol import EngineOptions, InferenceBackend
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend


def open_model(path: Path, options: EngineOptions) -> InferenceBackend:
    """Open a plan.

    Raises:
        ConfigurationError: this machine lacks a library or a GPU.
        ModelError: the plan cannot be used here.
    """
    return TensorRtBackend(path, find_platform(), options.buffers)

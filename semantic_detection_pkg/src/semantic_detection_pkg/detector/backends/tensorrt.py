"""Models as TensorRT plans, on the GPU of this machine. See `backends.trt`."""

from __future__ import annotations

from pathlib import Path

from semantic_detection_pkg.detector.backends.protocol import EngineOptions, InferenceBackend
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend


def open_model(path: Path, options: EngineOptions) -> InferenceBackend:
    """Open a plan, with the library that it was built by if that is there.

    Raises:
        ConfigurationError: this machine lacks a library or a GPU.
        ModelError: the plan cannot be used here.
    """
    return TensorRtBackend(path, find_platform(family_of_file(path)), options.buffers)

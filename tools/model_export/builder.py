"""From ONNX to a plan with TensorRT's builder, 10.3 to 11."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.detector.backends.trt.api import BuilderConfig, TensorRtBuilding
from semantic_detection_pkg.detector.backends.trt.engine import logger
from semantic_detection_pkg.errors import ConfigurationError, ModelError

_MB = 1 << 20


@dataclass(frozen=True)
class Recipe:
    """How to build.

    Attributes:
        precision: "fp16" or "fp32".
        workspace_mb: scratch memory of a layer, at most [MB].
        timing_cache: file with the measurements of earlier builds; made and added to.
    """

    precision: str
    workspace_mb: int
    timing_cache: Path


def build_plan(tensorrt: TensorRtBuilding, onnx: bytes, name: str, recipe: Recipe) -> bytes:
    """Build; minutes on a Jetson.

    Args:
        onnx: content of the model file.
        name: of it, for messages.

    Raises:
        ConfigurationError: this TensorRT cannot do what the recipe says.
        ModelError: TensorRT cannot build this model; the message is its first reason.
    """
    log, messages = logger(tensorrt)
    messages.errors.clear()
    try:
        builder = tensorrt.Builder(log)
        network = builder.create_network(0)
        parser = tensorrt.OnnxParser(network, log)
    except (RuntimeError, TypeError) as error:  # the bindings' words for: no object was made
        raise ModelError(
            f"{name}: TensorRT {tensorrt.__version__} has no builder here: "
            f"{_first([*messages.errors, error])}"
        ) from error
    if not parser.parse(_in_precision(tensorrt, onnx, name, recipe.precision)):
        reasons = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise ModelError(f"{name}: TensorRT cannot read it: {_first(reasons)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, recipe.workspace_mb * _MB)
    if recipe.precision == "fp16" and hasattr(tensorrt.BuilderFlag, "FP16"):
        config.set_flag(tensorrt.BuilderFlag.FP16)
    _read_timing_cache(config, recipe.timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError(
            f"{name}: TensorRT {tensorrt.__version__} cannot build it: {_first(messages.errors)}"
        )
    _write_timing_cache(config, recipe.timing_cache)
    return bytes(plan)


def _in_precision(tensorrt: TensorRtBuilding, onnx: bytes, name: str, precision: str) -> bytes:
    """Up to version 10 the builder chooses; from 11 on it takes the model's own types."""
    if precision == "fp32" or hasattr(tensorrt.BuilderFlag, "FP16"):
        return onnx
    try:
        import onnx as onnx_library
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise ConfigurationError(
            f"{name}: TensorRT {tensorrt.__version__} takes the precision from the model, and to "
            f"halve it the Python package onnx is needed ({error}); install it, or choose "
            "--precision fp32"
        ) from error
    halved = convert_float_to_float16(onnx_library.load_from_string(onnx), keep_io_types=True)
    content: bytes = halved.SerializeToString()
    return content


def _read_timing_cache(config: BuilderConfig, path: Path) -> None:
    """Start with the measurements of earlier builds, if they are of this device and version."""
    content = path.read_bytes() if path.is_file() else b""
    for candidate in (content, b""):
        cache = config.create_timing_cache(candidate)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def _write_timing_cache(config: BuilderConfig, path: Path) -> None:
    cache = config.get_timing_cache()
    if cache is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(cache.serialize()))


def _first(reasons: Any) -> str:
    for reason in reasons:
        return " ".join(str(reason).split())[:300]
    return "no reason given"

"""From ONNX to a plan with the builder of TensorRT, 10.3 to 11, or of TensorRT for RTX, 1.7."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from semantic_detection_pkg.detector.backends.trt.api import (
    Builder,
    BuilderConfig,
    Network,
    ParserError,
    RtxBuilderConfig,
    Tensor,
    TensorRt,
    TensorRtBuilding,
)
from semantic_detection_pkg.detector.backends.trt.engine import logger
from semantic_detection_pkg.detector.backends.trt.families import (
    RTX,
    capabilities,
    family_of,
    title,
)
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.errors import ConfigurationError, ModelError

_MB = 1 << 20


@dataclass(frozen=True)
class Recipe:
    """How to build.

    Attributes:
        precision: "fp16" or "fp32".
        workspace_mb: scratch memory of a layer, at most [MB].
        timing_cache: file with the measurements of earlier builds; made and added to.
        batch: pictures of one inference where the model takes any number; 0: one, or as many as
            the model has.
        capability: compute capability that the plan is for, "8.9"; "": of TensorRT the GPU here,
            of TensorRT for RTX any that it supports.
        size: (height, width) [px] where the model takes any; None: it has its own.
    """

    precision: str
    workspace_mb: int
    timing_cache: Path
    batch: int = 0
    size: tuple[int, int] | None = None
    capability: str = ""


@dataclass(frozen=True, eq=False)
class BuiltPlan:
    """A plan, and the tensors of the network that it was built from; None: any length."""

    content: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def build_plan(tensorrt: TensorRtBuilding, onnx: bytes, path: Path, recipe: Recipe) -> BuiltPlan:
    """Build; minutes on a Jetson.

    Args:
        onnx: content of the model file.
        path: of it; weights in files of their own lie beside it.

    Raises:
        ConfigurationError: this TensorRT cannot do what the recipe says.
        ModelError: TensorRT cannot build this model; the message is its first reason.
    """
    name = path.name
    _, messages = logger(tensorrt)
    builder, network = _read(tensorrt, onnx, path, recipe.precision)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, recipe.workspace_mb * _MB)
    if recipe.precision == "fp16" and hasattr(tensorrt.BuilderFlag, "FP16"):
        config.set_flag(tensorrt.BuilderFlag.FP16)
    shapes = _shapes(network, name, recipe)
    _add_profile(builder, config, shapes)
    _set_capability(tensorrt, cast(RtxBuilderConfig, config), recipe.capability)
    has_timing_cache = family_of(tensorrt) is not RTX  # there its calls do nothing but warn
    if has_timing_cache:
        _read_timing_cache(config, recipe.timing_cache)
    messages.errors.clear()  # a timing cache of another machine is no reason
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        reason = _first(messages.errors)
        raise ModelError(f"{name}: {title(tensorrt)} cannot build it: {reason}{_hint(reason)}")
    if has_timing_cache:
        _write_timing_cache(config, recipe.timing_cache)
    return BuiltPlan(bytes(plan), *_tensors(tensorrt, network, shapes))


def _read(
    tensorrt: TensorRtBuilding, onnx: bytes, path: Path, precision: str
) -> tuple[Builder, Network]:
    name = path.name
    log, messages = logger(tensorrt)
    messages.errors.clear()
    try:
        builder = tensorrt.Builder(log)
        network = builder.create_network(0)
        parser = tensorrt.OnnxParser(network, log)
    except (RuntimeError, TypeError) as error:  # the bindings' words for: no object was made
        raise ModelError(
            f"{name}: {title(tensorrt)} has no builder here: {_first([*messages.errors, error])}"
        ) from error
    if not parser.parse(_in_precision(tensorrt, onnx, path, precision), str(path)):
        reasons = [_why(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ModelError(f"{name}: {title(tensorrt)} cannot read it: {_first(reasons)}")
    return builder, network


def check_capability(tensorrt: TensorRt, capability: str) -> None:
    """Check that plans can be built for a compute capability.

    Raises:
        ConfigurationError: they cannot; the message names those that can be had.
    """
    allowed = capabilities(tensorrt)
    if not capability or capability in allowed:
        return
    possible = ", ".join(allowed) if allowed else "only the GPU of this machine: leave it out"
    raise ConfigurationError(
        f"compute capability {capability!r}: {title(tensorrt)} builds for {possible}"
    )


def _set_capability(tensorrt: Any, config: RtxBuilderConfig, capability: str) -> None:
    check_capability(tensorrt, capability)
    if capability:
        config.num_compute_capabilities = 1
        name = "SM" + capability.replace(".", "")
        config.set_compute_capability(tensorrt.ComputeCapability.__members__[name], 0)


def _tensors(
    tensorrt: TensorRtBuilding, network: Network, shapes: dict[str, tuple[int, ...]]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a network; what is open in an output is the batch of the inputs."""
    batch = next((shape[0] for shape in shapes.values()), None)

    def spec(tensor: Tensor) -> TensorSpec:
        shape = shapes.get(tensor.name, tuple(tensor.shape))
        lengths = tuple(n if n > 0 else (batch if at == 0 else None) for at, n in enumerate(shape))
        return TensorSpec(tensor.name, lengths, np.dtype(tensorrt.nptype(tensor.dtype)).name)

    inputs = tuple(spec(network.get_input(index)) for index in range(network.num_inputs))
    outputs = tuple(spec(network.get_output(index)) for index in range(network.num_outputs))
    return inputs, outputs


def _shapes(network: Network, name: str, recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """The shape of each input that the model leaves open; the picture's size is set in it.

    Raises:
        ModelError: it leaves open what the recipe does not say, or its batch is another one.
    """
    shapes = {}
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = list(tensor.shape)
        if recipe.batch and len(shape) == 4 and shape[0] not in (-1, recipe.batch):
            raise ModelError(
                f"{name}: its batch is {shape[0]}, --batch {recipe.batch} asks for another one; "
                f"export it with --batch {recipe.batch}, or --batch 0 for any"
            )
        if -1 not in shape:
            continue
        if shape[0] == -1:
            shape[0] = recipe.batch or 1
        if len(shape) == 4 and shape[2:] == [-1, -1] and recipe.size is not None:
            shape[2:] = recipe.size
            tensor.shape = (tensor.shape[0], shape[1], *recipe.size)  # outputs follow
        if -1 in shape:
            raise ModelError(
                f"{name}: input {tensor.name} {'x'.join(map(str, tensor.shape))} is open in more "
                "than its batch; export it with a height and a width"
            )
        shapes[tensor.name] = tuple(shape)
    return shapes


def _add_profile(builder: Any, config: BuilderConfig, shapes: dict[str, tuple[int, ...]]) -> None:
    """One shape for each open input: a plan of several would compute slower in each."""
    if not shapes:
        return
    profile = builder.create_optimization_profile()
    for tensor, shape in shapes.items():
        profile.set_shape(tensor, shape, shape, shape)
    config.add_optimization_profile(profile)


def _in_precision(tensorrt: TensorRtBuilding, onnx: bytes, path: Path, precision: str) -> bytes:
    """Up to version 10 the builder chooses; from 11 on it takes the model's own types."""
    if precision == "fp32" or hasattr(tensorrt.BuilderFlag, "FP16"):
        return onnx
    try:
        import onnx as onnx_library
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise ConfigurationError(
            f"{path.name}: {title(tensorrt)} takes the precision from the model, and to "
            f"halve it the Python package onnx is needed ({error}); install it, or choose "
            "--precision fp32"
        ) from error
    model = onnx_library.load_from_string(onnx)
    try:
        onnx_library.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError) as error:  # so does the library say that a file is missing
        raise ModelError(f"{path.name}: its weights cannot be read: {_first([error])}") from error
    halved = convert_float_to_float16(model, keep_io_types=True)
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


def _why(error: ParserError) -> str:
    """Return what the parser says of a node; by itself "false", say, where it has no operator."""
    # Without a driver each line of the reason is followed by one about that.
    lines = [line for line in error.desc().splitlines() if "::catchCudaError" not in line]
    reason = " ".join(lines)
    if reason == "false":
        reason = "is not supported"
    if not error.node_operator():
        return reason
    node = f" (node {error.node_name()!r})" if error.node_name() else ""
    return f"operator {error.node_operator()}{node}: {reason}"


def _hint(reason: str) -> str:
    """Return what to do about a refusal of the builder, for those that people meet."""
    if "OutOfMemory" in reason or "workspace memory" in reason:
        return "; allow it more memory: --workspace"
    if "no runners that implement it" in reason:
        return (
            "; an operator of the model has no implementation here; where it is embedded "
            "suppression of boxes, export without it (nms=False, or None)"
        )
    return ""


def _first(reasons: Any) -> str:
    for reason in reasons:
        return " ".join(str(reason).split())[:300]
    return "no reason given"

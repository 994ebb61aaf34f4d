"""TensorRT's builder without TensorRT: its plans describe the tensors of the ONNX model."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import onnx
import onnxruntime
from fake_cuda import FakeCuda
from fake_gpu import FakeMachine
from fake_parser import FakeParser
from fake_tensorrt import FakeTensorRt, Severity, fake_plan

from semantic_detection_pkg.detector.backends.trt.families import RTX
from semantic_detection_pkg.detector.core.model_layout import TensorSpec

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}
_CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")


class FakeBuilding(FakeTensorRt):
    """A `TensorRtBuilding` module whose engines compute what ONNX Runtime does.

    Attributes:
        builds: what each build was told, newest last.
        measured: what a timing cache says after a build.
    """

    MemoryPoolType = Enum("MemoryPoolType", ["WORKSPACE"])

    def __init__(self, cuda: FakeCuda, version: str = "10.3.0") -> None:
        super().__init__(cuda, self._infer, version)
        is_weakly_typed = version.startswith("10.")
        self.BuilderFlag = Enum("BuilderFlag", ["TF32", "FP16"] if is_weakly_typed else ["TF32"])
        if self.family is RTX:
            self.ComputeCapability = Enum("ComputeCapability", ["NONE", "CURRENT", *_CAPABILITIES])
        self.builds: list[SimpleNamespace] = []
        self.measured = b"measured on " + version.encode()
        self.session: onnxruntime.InferenceSession | None = None

    def Builder(self, logger):  # noqa: N802
        return FakeBuilder(self, logger)

    def OnnxParser(self, network, logger):  # noqa: N802, ARG002
        return FakeParser(self, network)

    def _infer(self, inputs):
        assert self.session is not None
        names = [value.name for value in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, dict(inputs)), strict=True))


class FakeBuilder:
    def __init__(self, module: FakeBuilding, logger) -> None:
        self._module = module
        self._logger = logger

    def create_network(self, flags: int):
        assert flags == 0
        return FakeNetwork()

    def create_optimization_profile(self):
        return FakeProfile()

    def create_builder_config(self):
        return FakeConfig(self._module)

    def build_serialized_network(self, network, config):
        module = self._module
        if module.is_refused("build_serialized_network"):
            self._logger.log(Severity.ERROR, "Error Code 10: Could not find any\nimplementation")
            return None
        if reason := _refusal(module, network, config):
            self._logger.log(Severity.ERROR, reason)
            return None
        session = module.session = network.session
        version = tuple(int(part) for part in module.__version__.split(".")[:3])
        module.builds.append(config.told)
        config.cache = SimpleNamespace(serialize=lambda: module.measured)
        plan = fake_plan(
            [
                replace(_spec(value), shape=tuple(n if n > 0 else None for n in one.shape))
                for value, one in zip(session.get_inputs(), network.inputs, strict=True)
            ],
            [_spec(value) for value in session.get_outputs()],
            version=(*version, 1),
            profile=config.told.profile,
            family=module.family,
        )
        return memoryview(plan)


class FakeNetwork:
    """Its tensors are those of the model that a parser puts into it."""

    def __init__(self) -> None:
        self.inputs: list[SimpleNamespace] = []
        self.outputs: list[SimpleNamespace] = []
        self.onnx = b""
        self.session: onnxruntime.InferenceSession | None = None

    def read(self, content: bytes, path: str) -> None:
        model = onnx.load_from_string(content)
        onnx.load_external_data_for_model(model, str(Path(path).parent))
        self.onnx = model.SerializeToString()
        if not model.graph.output:
            return  # the builder will say so
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            self.onnx, options, providers=["CPUExecutionProvider"]
        )
        for values, tensors in (
            (self.session.get_inputs(), self.inputs),
            (self.session.get_outputs(), self.outputs),
        ):
            for value in values:
                shape = tuple(n if isinstance(n, int) else -1 for n in value.shape)
                tensors.append(
                    SimpleNamespace(name=value.name, shape=shape, dtype=_DTYPES[value.type])
                )

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    @property
    def num_outputs(self) -> int:
        return len(self.outputs)

    def get_input(self, index: int) -> SimpleNamespace:
        return self.inputs[index]

    def get_output(self, index: int) -> SimpleNamespace:
        return self.outputs[index]


def _refusal(module: FakeBuilding, network: FakeNetwork, config: FakeConfig) -> str:
    """Why the real one does not build it; "" if it does."""
    if not network.outputs:
        return (
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error "
            "(Network must have at least one output.)"
        )
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(network.onnx)).graph
    if module.family is RTX and any(node.op_type == "NonMaxSuppression" for node in graph.node):
        return (
            "Error Code 2: Internal Error (Assertion !layerImpls.empty() failed. selected_2 has no "
            "runners that implement it)"
        )
    bytes_of = {
        value.name: 4 * math.prod(one.dim_value or 1 for one in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info)
    }
    for node in graph.node:  # what reads across channels needs its input a second time, reordered
        if node.op_type in ("Conv", "MatMul"):
            needed = bytes_of.get(node.input[0], 0)
            if needed > config.told.workspace:
                return f"Error Code 2: OutOfMemory (Requested size was {needed} bytes.)"
    return ""


class FakeProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, input, min, opt, max) -> None:
        self.shapes[input] = [list(min), list(opt), list(max)]


class FakeConfig:
    def __init__(self, module: FakeBuilding) -> None:
        self._module = module
        self.num_compute_capabilities = 0
        self.told = SimpleNamespace(
            flags=[], workspace=None, cache=None, profile={}, capability=None
        )
        self.cache = None

    def add_optimization_profile(self, profile) -> int:
        self.told.profile = profile.shapes
        return 0

    def set_compute_capability(self, compute_capability, index: int) -> bool:
        assert index < self.num_compute_capabilities
        self.told.capability = compute_capability.name
        return True

    def set_flag(self, flag) -> None:
        self.told.flags.append(flag.name)

    def set_memory_pool_limit(self, pool, pool_size: int) -> None:
        assert pool is self._module.MemoryPoolType.WORKSPACE
        self.told.workspace = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes):
        return SimpleNamespace(content=serialized_timing_cache)

    def set_timing_cache(self, cache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.content not in (b"", self._module.measured):
            return False
        self.told.cache = cache.content
        return True

    def get_timing_cache(self):
        return self.cache


def _spec(value) -> TensorSpec:
    shape = tuple(n if isinstance(n, int) else None for n in value.shape)
    return TensorSpec(value.name, shape, _DTYPES[value.type])


def building_machine(version: str = "10.3.0") -> FakeMachine:
    cuda = FakeCuda()
    return FakeMachine(cuda, FakeBuilding(cuda, version))

"""TensorRT's builder without TensorRT: its plans describe the tensors of the ONNX model."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace

import onnxruntime
from fake_cuda import FakeCuda
from fake_gpu import FakeMachine
from fake_tensorrt import FakeTensorRt, Severity, fake_plan

from semantic_detection_pkg.detector.core.model_layout import TensorSpec

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}


class FakeBuilding(FakeTensorRt):
    """A `TensorRtBuilding` module whose engines compute what ONNX Runtime does.

    Attributes:
        builds: what each build was told, newest last.
        measured: what a timing cache says after a build.
    """

    MemoryPoolType = Enum("MemoryPoolType", ["WORKSPACE"])

    def __init__(self, cuda: FakeCuda, version: str = "10.3.0") -> None:
        super().__init__(cuda, self._infer, version)
        flags = ["TF32", "FP16"] if int(version.split(".")[0]) < 11 else ["TF32"]
        self.BuilderFlag = Enum("BuilderFlag", flags)
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
        return SimpleNamespace(onnx=b"")

    def create_builder_config(self):
        return FakeConfig(self._module)

    def build_serialized_network(self, network, config):
        module = self._module
        if module.is_refused("build_serialized_network"):
            self._logger.log(Severity.ERROR, "Error Code 10: Could not find any\nimplementation")
            return None
        session = module.session = onnxruntime.InferenceSession(
            network.onnx, providers=["CPUExecutionProvider"]
        )
        version = tuple(int(part) for part in module.__version__.split(".")[:3])
        module.builds.append(config.told)
        config.cache = SimpleNamespace(serialize=lambda: module.measured)
        plan = fake_plan(
            [_spec(value) for value in session.get_inputs()],
            [_spec(value) for value in session.get_outputs()],
            version=(*version, 1),
        )
        return memoryview(plan)


class FakeConfig:
    def __init__(self, module: FakeBuilding) -> None:
        self._module = module
        self.told = SimpleNamespace(flags=[], workspace=None, cache=None)
        self.cache = None

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


class FakeParser:
    def __init__(self, module: FakeBuilding, network) -> None:
        self._module = module
        self._network = network

    def parse(self, model: bytes) -> bool:
        if self._module.is_refused("parse"):
            return False
        self._network.onnx = model
        return True

    @property
    def num_errors(self) -> int:
        return 1

    def get_error(self, index: int):
        return SimpleNamespace(desc=lambda: f"error {index}: no importer for\nFrobnicate")


def _spec(value) -> TensorSpec:
    return TensorSpec(value.name, tuple(value.shape), _DTYPES[value.type])


def building_machine(version: str = "10.3.0") -> FakeMachine:
    cuda = FakeCuda()
    return FakeMachine(cuda, FakeBuilding(cuda, version))

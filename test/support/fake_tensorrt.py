"""TensorRT without a GPU: the API of `api.TensorRt` over `FakeCuda`, with switches for failures.

Its plans begin as real ones do; what follows is JSON that describes the tensors. What the engine
computes is a function given to the fake, on NumPy arrays.
"""

from __future__ import annotations

import json
import struct
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from fake_cuda import FakeCuda
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.trt.api import TensorRt
from semantic_detection_pkg.detector.backends.trt.families import RTX, TENSORRT, Family
from semantic_detection_pkg.detector.backends.trt.plan import VERSION_AT
from semantic_detection_pkg.detector.core.model_layout import TensorSpec

Compute = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]


class Severity(Enum):
    """`ILogger.Severity`."""

    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class FakeLogger:
    """`ILogger`, to derive from."""

    def __init__(self) -> None:
        pass

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class TensorMode(Enum):
    INPUT = 1
    OUTPUT = 2


class TensorFormat(Enum):
    LINEAR = 0
    CHW32 = 6


def fake_plan(
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    version: tuple[int, int, int, int] = (10, 3, 0, 26),
    capability: str = "8.7",
    profile: Mapping[str, Sequence[Sequence[int]]] | None = None,
    family: Family = TENSORRT,
) -> bytes:
    """A plan with these tensors; a length of None is a dynamic one, bounded by the profile."""
    tensors: list[dict[str, Any]] = [
        {
            "name": spec.name,
            "shape": [-1 if length is None else length for length in spec.shape],
            "dtype": spec.dtype,
            "mode": mode.name,
        }
        for mode, specs in ((TensorMode.INPUT, inputs), (TensorMode.OUTPUT, outputs))
        for spec in specs
    ]
    head = struct.pack("<4sI", family.tag, 0).ljust(VERSION_AT, b"\0") + bytes(version)
    for tensor in tensors:
        tensor["profile"] = (profile or {}).get(tensor["name"], [[0], [0], [0]])
    return head + json.dumps({"capability": capability, "tensors": tensors}).encode()


class FakeTensorRt:
    """A `TensorRt` module.

    Attributes:
        failures: (method, n): its n-th call gives None or False, as TensorRT says no.
        calls: of each of those methods so far.
        format_next: of all tensors in memory.
        is_capturable: the engine can be recorded in a CUDA graph.
        has_driver: the machine has one; without it no engine is made.
    """

    ILogger: Any = FakeLogger
    TensorIOMode: Any = TensorMode
    TensorFormat: Any = TensorFormat

    def __init__(self, cuda: FakeCuda, compute: Compute, version: str = "10.3.0") -> None:
        self.__version__ = version
        self.family = RTX if version.startswith("1.") else TENSORRT
        self.__name__ = self.family.modules[-1]
        self.cuda = cuda
        self.compute = compute
        self.failures: set[tuple[str, int]] = set()
        self.calls: dict[str, int] = {}
        self.format_next = TensorFormat.LINEAR
        self.is_capturable = True
        self.has_driver = True

    def Runtime(self, logger: Any) -> FakeRuntime:  # noqa: N802
        return FakeRuntime(self, logger)

    def nptype(self, trt_type: Any) -> Any:
        if trt_type == "bfloat16":
            raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
        return np.dtype(trt_type).type

    def is_refused(self, method: str) -> bool:
        """Whether this call of a method fails."""
        self.calls[method] = self.calls.get(method, 0) + 1
        return (method, self.calls[method]) in self.failures

    def watch(self, kind: str, thing: object, *needs: tuple[str, int]) -> None:
        """Count an object as live until it is collected; what it needs must be live then."""
        mark = (kind, id(thing))
        cuda = self.cuda
        cuda.live.add(mark)

        def end() -> None:
            cuda.live.discard(mark)
            if any(
                kind_of == "executable graph" and mark in graph.needs
                for kind_of, graph in cuda.live
            ):
                cuda.mistakes.append(f"{kind} is gone before the graph that uses it")
            cuda.mistakes.extend(
                f"{need[0]} is gone before {kind}" for need in needs if need not in cuda.live
            )

        weakref.finalize(thing, end).atexit = False


class FakeRuntime:
    """`tensorrt.Runtime`."""

    def __init__(self, module: FakeTensorRt, logger: Any) -> None:
        self._module = module
        self._logger = logger
        module.watch("runtime", self)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> FakeEngine | None:
        if self._module.is_refused("deserialize_cuda_engine"):
            return None
        if not serialized_engine.startswith(self._module.family.tag):
            return self._refuse(
                "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization "
                "assertion header.magicTag == kEXPECTED_MAGIC_TAG failed.)"
            )
        try:
            document = json.loads(serialized_engine[VERSION_AT + 4 :])
        except ValueError:
            return self._refuse(
                "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization "
                "assertion plan.header.size == blobSize failed.)"
            )
        if not self._module.has_driver:
            return self._refuse(
                "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (In ScopedCudaStream "
                "(cudaError 35: CUDA driver version is insufficient for CUDA runtime version))"
            )
        found = ".".join(str(part) for part in serialized_engine[VERSION_AT : VERSION_AT + 3])
        here = ".".join(self._module.__version__.split(".")[:3])
        if found != here:
            return self._refuse(
                "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine plan "
                "file is not compatible with this version of TensorRT, expecting library version "
                f"{here} got {found}, please rebuild.)"
            )
        properties = self._module.cuda.properties
        capability = f"{properties.major}.{properties.minor}"
        if document["capability"] != capability:
            return self._refuse(
                "The engine plan file is generated on an incompatible device, expecting compute "
                f"{capability} got compute {document['capability']}, please rebuild."
            )
        return FakeEngine(self._module, document["tensors"], ("runtime", id(self)))

    def _refuse(self, reason: str) -> FakeEngine | None:
        self._logger.log(Severity.ERROR, reason)
        return None


class FakeEngine:
    """`tensorrt.ICudaEngine`."""

    def __init__(
        self, module: FakeTensorRt, tensors: list[dict[str, Any]], runtime: tuple[str, int]
    ) -> None:
        self.module = module
        self.tensors = {tensor["name"]: tensor for tensor in tensors}
        module.watch("engine", self, runtime)

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorMode:
        return TensorMode[self.tensors[name]["mode"]]

    def get_tensor_shape(self, name: str) -> Sequence[int]:
        return tuple(self.tensors[name]["shape"])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> Sequence[Sequence[int]]:
        assert profile_index == 0
        return [tuple(shape) for shape in self.tensors[name]["profile"]]

    def get_tensor_dtype(self, name: str) -> Any:
        return self.tensors[name]["dtype"]

    def get_tensor_format(self, name: str) -> TensorFormat:  # noqa: ARG002
        return self.module.format_next

    def create_execution_context(self) -> FakeContext | None:
        if self.module.is_refused("create_execution_context"):
            return None
        return FakeContext(self.module, self.tensors, ("engine", id(self)))


class FakeContext:
    """`tensorrt.IExecutionContext`."""

    def __init__(
        self,
        module: FakeTensorRt,
        tensors: Mapping[str, dict[str, Any]],
        engine: tuple[str, int],
    ) -> None:
        self._module = module
        self._tensors = {name: dict(tensor) for name, tensor in tensors.items()}
        self._addresses: dict[str, int] = {}
        module.watch("context", self, engine)

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        least, _, most = self._tensors[name]["profile"]
        is_within = all(a <= n <= b for a, n, b in zip(least, shape, most, strict=True))
        if self._module.is_refused("set_input_shape") or not is_within:
            return False
        for tensor in self._tensors.values():
            if tensor["shape"][0] == -1:
                tensor["shape"] = [shape[0], *tensor["shape"][1:]]
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if self._module.is_refused("set_tensor_address"):
            return False
        self._addresses[name] = memory
        return name in self._tensors

    def execute_async_v3(self, stream_handle: int) -> bool:
        module = self._module
        stream = module.cuda.streams.get(stream_handle)
        if stream is None or module.is_refused("execute_async_v3"):
            return False
        if stream.capture is not None and not module.is_capturable:
            stream.is_capture_valid = False
            return False
        if self._addresses.keys() != self._tensors.keys():
            return False
        if any(-1 in tensor["shape"] for tensor in self._tensors.values()):
            return False  # no input shape was set
        # By value: a graph keeps the addresses that were in force when it was recorded.
        work = _Work(module, self._tensors, dict(self._addresses), ("context", id(self)))
        module.cuda.enqueue(stream, work.do)
        return True


@dataclass(frozen=True, eq=False)
class _Work:
    """One execution of a context, which must live until it is done."""

    module: FakeTensorRt
    tensors: Mapping[str, dict[str, Any]]
    addresses: Mapping[str, int]
    context: tuple[str, int]

    def do(self) -> None:
        if self.context not in self.module.cuda.live:
            self.module.cuda.mistakes.append("work of a context that is gone")
        arrays = {name: self._array(name, address) for name, address in self.addresses.items()}
        inputs = {
            name: array
            for name, array in arrays.items()
            if self.tensors[name]["mode"] == TensorMode.INPUT.name
        }
        for name, value in self.module.compute(inputs).items():
            np.copyto(arrays[name], value)

    def _array(self, name: str, address: int) -> NDArray[Any]:
        tensor = self.tensors[name]
        dtype = np.dtype(tensor["dtype"])
        size = int(np.prod(tensor["shape"])) * dtype.itemsize
        return self.module.cuda.array_at(address, size).view(dtype).reshape(tensor["shape"])


def as_module(fake: FakeTensorRt) -> TensorRt:
    """The fake as what it stands for; mypy compares the two here."""
    return fake

"""A CUDA runtime without a GPU: the API of `api.CudaRuntime`, with switches for what goes wrong.

Nothing on a stream happens before somebody waits for it, as the worst of GPUs would do it; device
addresses are no memory of this process; what is used wrongly is written down in `mistakes`.
"""

# NVIDIA's names.
# ruff: noqa: N802, N803, N815

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import wraps
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.trt.api import Answer

_MEMORY = 8 << 30  # of the GPU [bytes]


class Status(IntEnum):
    """Some of `cudaError_t`."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorInvalidResourceHandle = 400
    cudaErrorNotReady = 600
    cudaErrorLaunchFailure = 719
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class MemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(Enum):
    cudaStreamCaptureModeThreadLocal = 1


class DeviceAttribute(Enum):
    cudaDevAttrIntegrated = 18


@dataclass(eq=False)
class FakeStream:
    """Work that waits to be done; `capture` collects it instead while it is a list."""

    handle: int
    work: list[Callable[[], None]] = field(default_factory=list)
    capture: list[Callable[[], None]] | None = None
    is_capture_valid: bool = True

    def __int__(self) -> int:
        return self.handle


@dataclass(eq=False)
class FakeEvent:
    """`stream` it was recorded on last; `time_ms` once that was done."""

    stream: FakeStream | None = None
    time_ms: float | None = None


@dataclass(eq=False)
class FakeGraph:
    """Captured work."""

    work: list[Callable[[], None]]

    @property
    def needs(self) -> set[tuple[str, int]]:
        """What must live as long as it does: the contexts of the executions in it."""
        owners = (getattr(step, "__self__", None) for step in self.work)
        contexts = (getattr(owner, "context", None) for owner in owners)
        return {context for context in contexts if context is not None}


def _counted(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Counts calls and lets the wanted one fail before anything happens."""

    @wraps(function)
    def call(self: FakeCuda, *args: Any) -> Answer:
        name = function.__name__
        self.calls[name] = self.calls.get(name, 0) + 1
        failure = self.failures.get((name, self.calls[name]))
        if failure is not None and name == "cudaStreamEndCapture":
            args[0].capture = None  # the capture is over all the same
        if isinstance(failure, Exception):
            raise type(failure)(*failure.args)  # not the same again: it would keep its frames
        if failure is not None:
            return (failure, None)
        return function(self, *args)

    return call


class FakeCuda:
    """A `CudaRuntime`.

    Attributes:
        failures: (function, n): status that its n-th call returns, or exception that it raises.
        calls: of each function so far.
        live: what was created and not given back, as (kind, handle).
        mistakes: what a real one would have answered with undefined behaviour.
        devices: number of GPUs.
        properties: name, major, minor of the GPU.
        is_integrated: it shares memory with the CPU.
    """

    cudaStreamNonBlocking = 1
    cudaHostAllocDefault = 0
    cudaHostAllocMapped = 2
    cudaEventDefault = 0
    cudaEventBlockingSync = 1
    cudaMemcpyKind: Any = MemcpyKind
    cudaStreamCaptureMode: Any = CaptureMode
    cudaDeviceAttr: Any = DeviceAttribute

    def __init__(self, *, is_integrated: bool = True) -> None:
        self.__name__ = "cuda.bindings.runtime"
        self.failures: dict[tuple[str, int], Status | Exception] = {}
        self.calls: dict[str, int] = {}
        self.live: set[tuple[str, Any]] = set()
        self.mistakes: list[str] = []
        self.devices = 1
        self.properties = SimpleNamespace(name=b"Orin\0\0", major=8, minor=7)
        self.is_integrated = is_integrated
        self.streams: dict[int, FakeStream] = {}
        self._memory: dict[int, NDArray[np.uint8]] = {}
        self._mapped: set[int] = set()
        self._tokens = count(0xD000_0000_0000, 1 << 32)
        self._clock_ms = count(1)

    def array_at(self, address: int, size: int) -> NDArray[np.uint8]:
        """Memory behind a device address; an IndexError is what a GPU calls an illegal address."""
        memory = self._memory.get(address)
        if memory is None or memory.size < size:
            raise IndexError(f"device address {address:#x}, {size} bytes")
        return memory[:size]

    @_counted
    def cudaGetDeviceCount(self) -> Answer:
        return Status.cudaSuccess, self.devices

    @_counted
    def cudaGetDeviceProperties(self, device: int) -> Answer:
        return Status.cudaSuccess if device < self.devices else Status.cudaErrorInvalidValue, (
            self.properties
        )

    @_counted
    def cudaDeviceGetAttribute(self, attr: Any, device: int) -> Answer:  # noqa: ARG002
        return Status.cudaSuccess, int(self.is_integrated)

    @_counted
    def cudaHostAlloc(self, size: int, flags: int) -> Answer:
        # Not zeroed by the real one either.
        memory = np.full(size, 0xA5, np.uint8)
        address = memory.ctypes.data
        self._memory[address] = memory
        if flags & self.cudaHostAllocMapped:
            self._mapped.add(address)
        return Status.cudaSuccess, self._create("host memory", address)

    @_counted
    def cudaHostGetDevicePointer(self, pHost: int, flags: int) -> Answer:  # noqa: ARG002
        if pHost not in self._mapped:
            return Status.cudaErrorInvalidValue, None
        token = next(self._tokens)
        self._memory[token] = self._memory[pHost]
        return Status.cudaSuccess, token

    @_counted
    def cudaFreeHost(self, ptr: int) -> Answer:
        return self._give_back("host memory", ptr)

    @_counted
    def cudaMemGetInfo(self) -> Answer:
        kinds = ("host memory", "device memory")
        used = sum(self._memory[address].size for kind, address in self.live if kind in kinds)
        return Status.cudaSuccess, _MEMORY - used, _MEMORY

    @_counted
    def cudaMalloc(self, size: int) -> Answer:
        if size > _MEMORY:
            return Status.cudaErrorMemoryAllocation, None
        address = next(self._tokens)
        self._memory[address] = np.full(size, 0xA5, np.uint8)
        return Status.cudaSuccess, self._create("device memory", address)

    @_counted
    def cudaFree(self, devPtr: int) -> Answer:
        self._memory.pop(devPtr, None)
        return self._give_back("device memory", devPtr)

    @_counted
    def cudaMemcpyAsync(self, dst: int, src: int, count: int, kind: Any, stream: Any) -> Answer:
        to_device = kind is MemcpyKind.cudaMemcpyHostToDevice
        host, device = (src, dst) if to_device else (dst, src)
        if ("host memory", host) not in self.live or ("device memory", device) not in self.live:
            self.mistakes.append("cudaMemcpyAsync: memory is not pinned, or not on the device")
            return (Status.cudaErrorInvalidValue,)
        memory = self.array_at(device, count)
        addresses = (memory.ctypes.data, host) if to_device else (host, memory.ctypes.data)

        def copy() -> None:
            ctypes.memmove(*addresses, count)

        return self.enqueue(stream, copy)

    @_counted
    def cudaStreamCreateWithFlags(self, flags: int) -> Answer:  # noqa: ARG002
        stream = FakeStream(next(self._tokens))
        self.streams[stream.handle] = stream
        return Status.cudaSuccess, self._create("stream", stream)

    @_counted
    def cudaStreamSynchronize(self, stream: Any) -> Answer:
        return self._finish(stream)

    @_counted
    def cudaStreamDestroy(self, stream: Any) -> Answer:
        self.streams.pop(int(stream), None)
        return self._give_back("stream", stream)

    @_counted
    def cudaStreamBeginCapture(self, stream: Any, mode: Any) -> Answer:  # noqa: ARG002
        stream.capture, stream.is_capture_valid = [], True
        return (Status.cudaSuccess,)

    @_counted
    def cudaStreamEndCapture(self, stream: Any) -> Answer:
        work, stream.capture = stream.capture, None
        if work is None or not stream.is_capture_valid:
            return Status.cudaErrorStreamCaptureInvalidated, None
        return Status.cudaSuccess, self._create("graph", FakeGraph(work))

    @_counted
    def cudaEventCreateWithFlags(self, flags: int) -> Answer:  # noqa: ARG002
        return Status.cudaSuccess, self._create("event", FakeEvent())

    @_counted
    def cudaEventRecord(self, event: Any, stream: Any) -> Answer:
        event.stream, event.time_ms = stream, None

        def stamp() -> None:
            event.time_ms = float(next(self._clock_ms))

        return self.enqueue(stream, stamp)

    @_counted
    def cudaEventSynchronize(self, event: Any) -> Answer:
        return self._finish(event.stream) if event.stream else (Status.cudaSuccess,)

    @_counted
    def cudaEventElapsedTime(self, start: Any, end: Any) -> Answer:
        if start.time_ms is None or end.time_ms is None:
            return Status.cudaErrorInvalidResourceHandle, None
        return Status.cudaSuccess, end.time_ms - start.time_ms

    @_counted
    def cudaEventDestroy(self, event: Any) -> Answer:
        return self._give_back("event", event)

    @_counted
    def cudaGraphInstantiate(self, graph: Any, flags: int) -> Answer:  # noqa: ARG002
        return Status.cudaSuccess, self._create("executable graph", FakeGraph(list(graph.work)))

    @_counted
    def cudaGraphLaunch(self, graphExec: Any, stream: Any) -> Answer:
        for step in graphExec.work:
            self.enqueue(stream, step)
        return (Status.cudaSuccess,)

    @_counted
    def cudaGraphExecDestroy(self, graphExec: Any) -> Answer:
        return self._give_back("executable graph", graphExec)

    @_counted
    def cudaGraphDestroy(self, graph: Any) -> Answer:
        return self._give_back("graph", graph)

    def enqueue(self, stream: FakeStream, step: Callable[[], None]) -> Answer:
        """Put work on a stream, or into the graph that it is captured for."""
        (stream.work if stream.capture is None else stream.capture).append(step)
        return (Status.cudaSuccess,)

    def _finish(self, stream: FakeStream) -> Answer:
        """Do what waits. What fails there is told to whoever waits."""
        if stream.capture is not None:
            stream.is_capture_valid = False
            return (Status.cudaErrorStreamCaptureUnsupported,)
        work, stream.work = stream.work, []
        try:
            for step in work:
                step()
        except Exception:
            return (Status.cudaErrorLaunchFailure,)
        return (Status.cudaSuccess,)

    def _create(self, kind: str, handle: Any) -> Any:
        self.live.add((kind, handle))
        return handle

    def _give_back(self, kind: str, handle: Any) -> Answer:
        if (kind, handle) not in self.live:
            self.mistakes.append(f"{kind} {handle} is given back but not there")
            return (Status.cudaErrorInvalidValue,)
        self.live.discard((kind, handle))
        return (Status.cudaSuccess,)

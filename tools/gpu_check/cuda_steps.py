"""What the runner asks of CUDA, asked of the real one: nothing of TensorRT is needed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_check.steps import Row, Wrong
from semantic_detection_pkg.detector.backends.trt.cuda import Cuda, CudaError, HostBlock

_SIZE = 8 << 20
_IMPOSSIBLE = 1 << 50


def contract(cuda: Cuda) -> Sequence[Row]:
    """Streams, events, both kinds of buffers, a graph, and a failure after which all goes on."""
    rows = [Row("device", str(cuda.device()))]
    with ExitStack() as resources:
        rows += _copies(cuda, resources)
        rows += _mapped(cuda)
        rows += _graph(cuda, resources)
        rows += _failure(cuda)
        _copies(cuda, resources)
    rows.append(Row("after the failure the same again", True))
    return rows


def _pattern(seed: int) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 255, _SIZE, np.uint8)


def _pinned(cuda: Cuda) -> NDArray[Any]:
    return HostBlock(cuda, _SIZE, is_mapped=False).as_array((_SIZE,), "uint8")


def _copies(cuda: Cuda, resources: ExitStack) -> list[Row]:
    runtime, kind = cuda.runtime, cuda.runtime.cudaMemcpyKind
    stream = cuda.stream(resources)
    events = [cuda.event(resources, is_waited_for=index == 2) for index in range(3)]
    device = cuda.memory(resources, _SIZE)
    there, back = _pinned(cuda), _pinned(cuda)
    there[:] = _pattern(1)
    steps = (
        (device, there.ctypes.data, kind.cudaMemcpyHostToDevice),
        (back.ctypes.data, device, kind.cudaMemcpyDeviceToHost),
    )
    cuda.call(runtime.cudaEventRecord, events[0], stream)
    for event, (target, source, way) in zip(events[1:], steps, strict=True):
        cuda.call(runtime.cudaMemcpyAsync, target, source, _SIZE, way, stream)
        cuda.call(runtime.cudaEventRecord, event, stream)
    cuda.call(runtime.cudaEventSynchronize, events[2])
    if not np.array_equal(there, back):
        raise Wrong("what was copied to the GPU and back is not what it was")
    rows = []
    for name, start, end in (("to the GPU", 0, 1), ("back", 1, 2)):
        took_ms = float(cuda.call(runtime.cudaEventElapsedTime, events[start], events[end]))
        rows.append(Row(f"pinned copy {name}", round(_SIZE / 1e6 / max(took_ms, 1e-6), 2), "GB/s"))
    return rows


def _mapped(cuda: Cuda) -> list[Row]:
    """Mapped memory has an address on the GPU, and gives it back."""
    block = HostBlock(cuda, _SIZE, is_mapped=True)
    address = int(cuda.call(cuda.runtime.cudaHostGetDevicePointer, block.address, 0))
    if not address:
        raise Wrong("mapped memory has no address on the GPU")
    return [Row("mapped memory has an address on the GPU", True)]


def _graph(cuda: Cuda, resources: ExitStack) -> list[Row]:
    """A recorded graph does its work with what lies in its buffers when it is launched."""
    runtime, kind = cuda.runtime, cuda.runtime.cudaMemcpyKind
    stream = cuda.stream(resources)
    device = cuda.memory(resources, _SIZE)
    there, back = _pinned(cuda), _pinned(cuda)
    mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    cuda.call(runtime.cudaStreamBeginCapture, stream, mode)
    for target, source, way in (
        (device, there.ctypes.data, kind.cudaMemcpyHostToDevice),
        (back.ctypes.data, device, kind.cudaMemcpyDeviceToHost),
    ):
        cuda.call(runtime.cudaMemcpyAsync, target, source, _SIZE, way, stream)
    graph = cuda.call(runtime.cudaStreamEndCapture, stream)
    resources.callback(cuda.free, runtime.cudaGraphDestroy, graph)
    ready = cuda.call(runtime.cudaGraphInstantiate, graph, 0)
    resources.callback(cuda.free, runtime.cudaGraphExecDestroy, ready)
    for seed in (2, 3):
        there[:] = _pattern(seed)
        cuda.call(runtime.cudaGraphLaunch, ready, stream)
        cuda.call(runtime.cudaStreamSynchronize, stream)
        if not np.array_equal(there, back):
            raise Wrong("a launched graph did not do what was recorded")
    return [Row("a recorded graph does its work", True)]


def _failure(cuda: Cuda) -> list[Row]:
    try:
        cuda.call(cuda.runtime.cudaMalloc, _IMPOSSIBLE)
    except CudaError as error:
        if error.is_fatal:
            raise Wrong(f"{error} is taken for one that ends the process") from None
        return [Row("too much memory is refused", str(error))]
    raise Wrong(f"the GPU gave {_IMPOSSIBLE:.1g} bytes of memory")

"""Where the tensors of an engine lie: an array for the CPU, an address for the GPU."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.trt.cuda import Cuda, HostBlock
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.errors import FrameError


@dataclass(frozen=True, eq=False)
class TensorBuffer:
    """Memory of one tensor. `host` is what the CPU sees, `device_address` what the GPU does."""

    spec: TensorSpec
    host: NDArray[Any]
    device_address: int
    is_mapped: bool

    def fill(self, model: str, value: NDArray[Any]) -> None:
        """Take an input over; nothing is copied if the value is `host` itself.

        Raises:
            FrameError: its shape or type is another.
        """
        if value.shape != self.host.shape or value.dtype != self.host.dtype:
            given = TensorSpec(self.spec.name, value.shape, value.dtype.name)
            raise FrameError(f"{model}: input {given} must be {self.spec}")
        if value is not self.host:
            np.copyto(self.host, value)

    def upload(self, cuda: Cuda, stream: Any) -> None:
        """Bring it to the GPU."""
        if not self.is_mapped:
            to_device = cuda.runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
            self._copy(cuda, self.device_address, self.host.ctypes.data, to_device, stream)

    def download(self, cuda: Cuda, stream: Any) -> None:
        """Bring it to the CPU."""
        if not self.is_mapped:
            to_host = cuda.runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
            self._copy(cuda, self.host.ctypes.data, self.device_address, to_host, stream)

    def _copy(self, cuda: Cuda, target: int, source: int, kind: Any, stream: Any) -> None:
        size = self.host.nbytes
        cuda.call(cuda.runtime.cudaMemcpyAsync, target, source, size, kind, stream)


def allocate_tensor(
    cuda: Cuda, resources: ExitStack, spec: TensorSpec, is_mapped: bool
) -> TensorBuffer:
    """Return memory for a tensor of fixed shape.

    Raises:
        CudaError: there is not enough.
    """
    shape = tuple(length or 0 for length in spec.shape)
    size = math.prod(shape) * np.dtype(spec.dtype).itemsize
    block = HostBlock(cuda, size, is_mapped)
    if is_mapped:
        address = cuda.call(cuda.runtime.cudaHostGetDevicePointer, block.address, 0)
    else:
        address = cuda.memory(resources, size)
    return TensorBuffer(spec, block.as_array(shape, spec.dtype), int(address), is_mapped)

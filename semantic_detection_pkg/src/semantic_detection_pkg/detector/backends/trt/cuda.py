"""CUDA calls that raise, and memory and handles that are given back exactly once."""

from __future__ import annotations

import ctypes
import logging
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.trt.api import Answer, CudaRuntime

_log = logging.getLogger(__name__)
_Args = ParamSpec("_Args")

# Errors after which every further call of the process fails (CUDA Runtime API, cudaError):
# AssertTriggered, IllegalAddress, LaunchTimeout, HardwareStackError, IllegalInstruction,
# MisalignedAddress, InvalidAddressSpace, InvalidPc, LaunchFailure, ECCUncorrectable.
_FATAL = {710, 700, 702, 714, 715, 716, 717, 718, 719, 214}


#: The driver's library; CUDA's own are of no use without it.
DRIVER = "libcuda.so.1"


def has_driver() -> bool:
    """Return whether the driver's library is on this machine."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


class CudaError(Exception):
    """A call of CUDA failed. Attribute `is_fatal`: so will all others of this process."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.is_fatal = code in _FATAL


@dataclass(frozen=True)
class Device:
    """A GPU: name, compute capability ("8.7"), whether it shares memory with the CPU.

    Without a name it stands for all of that capability, or of "any".
    """

    name: str
    compute_capability: str
    is_integrated: bool

    def __str__(self) -> str:
        return f"{self.name or 'GPUs'} (compute capability {self.compute_capability})"


class HostBlock:
    """Memory that CPU and GPU reach. NumPy arrays made of it keep it: it goes with the last one."""

    def __init__(self, cuda: Cuda, size: int, is_mapped: bool) -> None:
        runtime = cuda.runtime
        flags = runtime.cudaHostAllocMapped if is_mapped else runtime.cudaHostAllocDefault
        self.address: int = cuda.call(runtime.cudaHostAlloc, size, flags)
        self.size = size
        end = weakref.finalize(self, cuda.free, runtime.cudaFreeHost, self.address)
        end.atexit = False  # the driver may be gone by then, and takes it back anyway

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": (self.size,),
            "typestr": "|u1",
            "data": (self.address, False),
        }

    def as_array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Return a zeroed array in this memory; its length must be `size` bytes."""
        array = np.asarray(self).view(dtype).reshape(shape)
        array.fill(0)
        return array


class Cuda:
    """The runtime API with errors as exceptions. What it creates, `resources` gives back."""

    def __init__(self, runtime: CudaRuntime) -> None:
        self.runtime = runtime

    def call(
        self, function: Callable[_Args, Answer], *args: _Args.args, **kwargs: _Args.kwargs
    ) -> Any:
        """Return the value of a call; None if it has none.

        Raises:
            CudaError: it failed, or (cuda-python before 12.9) there is no driver.
        """
        name = getattr(function, "__name__", "CUDA call")
        try:
            status, *values = function(*args, **kwargs)
        except RuntimeError as error:
            raise CudaError(f"{name}: {' '.join(str(error).split())}") from None
        if int(status) != 0:
            raise CudaError(f"{name}: {getattr(status, 'name', status)}", int(status))
        return values[0] if values else None

    def free(self, function: Callable[[Any], Answer], handle: Any) -> None:
        """Give something back. A failure is logged: there is nobody who could do more."""
        try:
            self.call(function, handle)
        except CudaError as error:
            _log.warning("%s", str(error))

    def device(self, index: int = 0) -> Device:
        """Return what GPU this is."""
        runtime = self.runtime
        found = self.call(runtime.cudaGetDeviceProperties, index)
        attribute = runtime.cudaDeviceAttr.cudaDevAttrIntegrated
        is_integrated = bool(self.call(runtime.cudaDeviceGetAttribute, attribute, index))
        name = found.name.split(b"\0")[0].decode("utf-8", "replace")
        return Device(name, f"{found.major}.{found.minor}", is_integrated)

    def stream(self, resources: ExitStack) -> Any:
        """Create a stream of its own: on the default one TensorRT waits for the whole device."""
        runtime = self.runtime
        stream = self.call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        resources.callback(self.free, runtime.cudaStreamDestroy, stream)
        return stream

    def event(self, resources: ExitStack, *, is_waited_for: bool = False) -> Any:
        """Create an event; waiting for one that is made for it costs no CPU."""
        runtime = self.runtime
        flags = runtime.cudaEventBlockingSync if is_waited_for else runtime.cudaEventDefault
        event = self.call(runtime.cudaEventCreateWithFlags, flags)
        resources.callback(self.free, runtime.cudaEventDestroy, event)
        return event

    def memory(self, resources: ExitStack, size: int) -> int:
        """Allocate `size` bytes on the device, and return their address."""
        address: int = self.call(self.runtime.cudaMalloc, size)
        resources.callback(self.free, self.runtime.cudaFree, address)
        return address

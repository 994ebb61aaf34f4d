"""A kernel that keeps the GPU busy for a time and writes down when, by the GPU's own clock.

The clock (`globaltimer`, PTX ISA 7.0, special registers) is one for all processes on a GPU. The
kernel is PTX, which the driver itself translates: no compiler is needed.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

import numpy as np

from gpu_check.steps import NotPossible

PTX = b"""
.version 7.0
.target sm_50
.address_size 64

.visible .entry spin(.param .u64 spin_out, .param .u64 spin_ns)
{
  .reg .u64 %at, %start, %now, %spent, %length;
  .reg .pred %more;
  ld.param.u64 %at, [spin_out];
  ld.param.u64 %length, [spin_ns];
  cvta.to.global.u64 %at, %at;
  mov.u64 %start, %globaltimer;
  st.global.u64 [%at], %start;
AGAIN:
  mov.u64 %now, %globaltimer;
  sub.u64 %spent, %now, %start;
  setp.lt.u64 %more, %spent, %length;
  @%more bra AGAIN;
  st.global.u64 [%at+8], %now;
  ret;
}
\0"""


class Spinner:
    """The GPU, spinning."""

    def __init__(self) -> None:
        """Load the kernel.

        Raises:
            NotPossible: there is no driver, or it does not take the kernel.
        """
        try:
            self._driver: Any = import_module("cuda.bindings.driver")
            self._call("cuInit", 0)
            device = self._call("cuDeviceGet", 0)
            self._call("cuCtxSetCurrent", self._call("cuDevicePrimaryCtxRetain", device))
            module = self._call("cuModuleLoadData", PTX)
            self._kernel = self._call("cuModuleGetFunction", module, b"spin")
            self._out = self._call("cuMemAlloc", 16)
        except (ImportError, RuntimeError) as error:
            raise NotPossible(f"no kernel can run here: {' '.join(str(error).split())}") from error

    def spin(self, length_ns: int) -> tuple[int, int]:
        """Keep the GPU busy and wait for it; returns begin and end [ns]."""
        arguments = ((int(self._out), length_ns), (ctypes.c_uint64, ctypes.c_uint64))
        self._call("cuLaunchKernel", self._kernel, 1, 1, 1, 1, 1, 1, 0, 0, arguments, 0)
        self._call("cuCtxSynchronize")
        times = np.zeros(2, np.uint64)
        self._call("cuMemcpyDtoH", times.ctypes.data, self._out, times.nbytes)
        return int(times[0]), int(times[1])

    def _call(self, name: str, *arguments: Any) -> Any:
        status, *values = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise RuntimeError(f"{name}: {status.name}")
        return values[0] if values else None

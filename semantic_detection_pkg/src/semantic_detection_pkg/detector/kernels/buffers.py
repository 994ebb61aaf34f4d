"""Memory that is kept from one call to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Float32Buffer:
    """Takes arrays as contiguous float32: as they are where they are, else copied into a buffer."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.float32)

    def of(self, array: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return `array` or, valid until the next call, its values."""
        if array.dtype == np.float32 and array.flags.c_contiguous:
            return array
        if array.size > self._memory.size:
            self._memory = np.empty(array.size, np.float32)
        copy = self._memory[: array.size].reshape(array.shape)
        np.copyto(copy, array)
        return copy

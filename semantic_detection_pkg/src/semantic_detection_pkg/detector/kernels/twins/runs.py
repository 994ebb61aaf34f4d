"""Run lengths out of the filled picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.kernels.contours import fill


def outline_runs(
    points: NDArray[np.float64], sizes: NDArray[np.intp], width: int, height: int
) -> NDArray[np.int32]:
    """See `kernels.runs.outline_runs`."""
    mask = np.pad(fill(points, sizes, width, height), ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(mask, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    return np.stack((rows, starts, ends), axis=1).astype(np.int32)

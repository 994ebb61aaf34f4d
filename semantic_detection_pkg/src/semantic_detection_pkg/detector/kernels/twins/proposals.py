"""Proposals' arrays step by step. Bit for bit what the compiled ones give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FLOAT = np.float32


def reduce_blocks(image: NDArray[np.uint8], factor: int, planes: NDArray[np.uint8]) -> None:
    """See `kernels.proposals.FrameReducer`."""
    rows, columns = (np.arange(0, side, factor) for side in image.shape[:2])
    sums = np.add.reduceat(image.astype(np.int32), rows, axis=0)
    sums = np.add.reduceat(sums, columns, axis=1)
    counts = [np.minimum(factor, side - np.arange(0, side, factor)) for side in image.shape[:2]]
    share = _FLOAT(1) / np.multiply.outer(*counts).astype(_FLOAT)
    means = sums.astype(_FLOAT) * share[..., None] + _FLOAT(0.5)
    planes[:] = means.astype(np.uint8).transpose(2, 0, 1)


def local_residuals(planes: NDArray[np.uint8], radius: int, residuals: NDArray[np.int16]) -> None:
    """See `kernels.proposals.AnomalyMeter`."""
    rows, columns = planes.shape[1:]
    prefix = np.zeros((3, rows + 1, columns + 1), np.int64)
    prefix[:, 1:, 1:] = planes.astype(np.int64).cumsum(1).cumsum(2)
    (y0, y1), (x0, x1) = (
        (np.maximum(at - radius, 0), np.minimum(at + radius + 1, len(at)))
        for at in (np.arange(rows), np.arange(columns))
    )
    low, high = prefix[:, y0], prefix[:, y1]
    sums = high[..., x1] - high[..., x0] - low[..., x1] + low[..., x0]
    share = _FLOAT(1) / np.multiply.outer(y1 - y0, x1 - x0).astype(_FLOAT)
    apart = planes.astype(_FLOAT) - sums.astype(_FLOAT) * share
    residuals[:] = (apart * _FLOAT(4) + _FLOAT(1024.5)).astype(np.int32) - 1024


def moments(residuals: NDArray[np.int16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """See `kernels.proposals.AnomalyMeter`."""
    flat = residuals.reshape(3, -1).astype(np.int64)
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    return flat.sum(1), np.array([flat[i] @ flat[k] for i, k in pairs], np.int64)


def distances(
    residuals: NDArray[np.int16],
    means: NDArray[np.float32],
    weights: NDArray[np.float32],
    squared: NDArray[np.float32],
) -> None:
    """See `kernels.proposals.AnomalyMeter`."""
    x, y, z = residuals.astype(_FLOAT) - means[:, None, None]
    w = weights
    squares = w[0] * (x * x) + w[1] * (y * y) + w[2] * (z * z)
    squared[:] = squares + (w[3] * (x * y) + w[4] * (x * z) + w[5] * (y * z))


def look_up(
    planes: NDArray[np.uint8], table: NDArray[np.uint16], found: NDArray[np.uint16]
) -> None:
    """See `kernels.proposals.look_up_colours`."""
    blue, green, red = (planes >> 2).astype(np.intp)
    found[:] = table[blue << 12 | green << 6 | red]

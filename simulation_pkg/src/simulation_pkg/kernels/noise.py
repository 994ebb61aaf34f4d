"""Smooth and rough noise pictures for the simulated world. Seeded, without a clock."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def value_noise(
    rng: np.random.Generator, size: int, cells: int, octaves: int = 1
) -> NDArray[np.float32]:
    """Return (size, size) smooth noise, about 0..1, that repeats seamlessly over its edges.

    cells: random values across the picture in the coarsest octave; each further octave has twice
    the cells and half the weight.
    """
    total = np.zeros((size, size), np.float32)
    weight_sum = 0.0
    for octave in range(octaves):
        count = min(cells << octave, size)
        weight = 0.5**octave
        total += weight * _periodic(rng.random((count, count), np.float32), size)
        weight_sum += weight
    return total / np.float32(weight_sum)


def speckle_tile(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Return (size, size) seamless grass-like grain around 128, to multiply over a surface."""
    grain = rng.normal(0.0, 1.0, (size, size)).astype(np.float32)
    grain = cv2.GaussianBlur(cv2.copyMakeBorder(grain, 8, 8, 8, 8, cv2.BORDER_WRAP), (0, 0), 1.0)
    grain = grain[8:-8, 8:-8] / grain.std()
    coarse = value_noise(rng, size, size // 16, 3)
    coarse = (coarse - coarse.mean()) / coarse.std()
    return np.clip(128.0 + 13.0 * grain + 15.0 * coarse, 0, 255).astype(np.uint8)


def _periodic(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Enlarge a small random grid smoothly, as if it repeated for ever."""
    count = values.shape[0]
    margin = 2
    padded = cv2.copyMakeBorder(values, margin, margin, margin, margin, cv2.BORDER_WRAP)
    scale = size / count
    side = round((count + 2 * margin) * scale)
    large = cv2.resize(padded, (side, side), interpolation=cv2.INTER_CUBIC)
    offset = round(margin * scale)
    return np.asarray(large[offset : offset + size, offset : offset + size], np.float32)

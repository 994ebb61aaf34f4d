"""Smoke and mist from their density, one NumPy call after the other: see `kernels.smoke`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def thin(density: Field, factors: Field, first: int, least: float, exponents: Field) -> None:
    """Write minus what is above `least` of density times the factors' rows from `first` on."""
    rows = (first + np.arange(len(density))) % len(factors)
    np.negative(np.maximum(density * factors[rows] - np.float32(least), 0.0), out=exponents)


def colour(
    through: Field,
    relief: Field,
    first: int,
    most: float,
    blue: float,
    green: float,
    red: float,
    pixels: NDArray[np.uint32],
) -> None:
    """Write premultiplied BGRA; `through`: the share of what is behind that is seen."""
    alpha = most * (1.0 - through)
    light = 0.85 + 0.3 * relief[(first + np.arange(len(through))) % len(relief)]
    image = pixels.view(np.uint8).reshape(*pixels.shape, 4)
    for channel, value in enumerate((blue, green, red)):
        image[..., channel] = np.clip(alpha * np.minimum(value * light, 255.0), 0, 255)
    image[..., 3] = np.ceil(alpha * 255.0)


def row_ends(coverage: NDArray[np.uint8], threshold: int, ends: NDArray[np.int32]) -> None:
    """Write of each row the first column covered so much and the one after the last; else equal."""
    is_in = coverage >= threshold
    ends[:, 0] = np.where(is_in.any(axis=1), is_in.argmax(axis=1), is_in.shape[1])
    ends[:, 1] = is_in.shape[1] - np.where(is_in.any(axis=1), is_in[:, ::-1].argmax(axis=1), 0)

"""Pictures of rising smoke over a campfire, and of drifting mist, at a moment in time."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels.canvas import Canvas
from simulation_pkg.kernels.noise import value_noise

SMOKE_SIZE = (192, 384)
_COARSE = 4  # puffs are smooth: they are computed on a grid this many times coarser
_PUFFS = 12


def smoke(seed: int, time_s: float) -> NDArray[np.uint8]:
    """Draw a billowing column that widens as it rises, over a fire. Premultiplied BGRA."""
    rng = np.random.default_rng((seed, 0))
    period_s, lean = float(rng.uniform(5, 8)), float(rng.uniform(-0.14, 0.14))
    grey = float(rng.uniform(175, 215))
    phase = (time_s / period_s + np.arange(_PUFFS) / _PUFFS) % 1.0
    sway = rng.uniform(-0.07, 0.07, _PUFFS)
    centres = np.stack([0.5 + lean * phase + sway * phase, 0.93 - 0.83 * phase], axis=1)
    radii = np.stack([0.08 + 0.2 * phase, 0.05 + 0.06 * phase], axis=1)
    density = _puffs(centres, radii, 1.25 - 0.75 * phase)
    drift = round(time_s / period_s * 300) % 512
    swirl = np.roll(_swirl(seed), -drift, axis=0)[: SMOKE_SIZE[1]]
    image = _cloud(density * (0.45 + 1.2 * swirl), (grey, grey * 0.99, grey * 0.97), swirl)
    fire = Canvas(*SMOKE_SIZE)
    fire.line([(0.36, 0.985), (0.66, 0.955)], (35, 50, 70), 0.016)
    fire.line([(0.34, 0.955), (0.64, 0.985)], (25, 35, 50), 0.016)
    flicker = 0.015 * float(np.sin(time_s * 9.0))
    fire.polygon(
        [(0.42, 0.965), (0.47, 0.9 + flicker), (0.5, 0.93), (0.55, 0.885 - flicker), (0.6, 0.965)],
        (40, 130, 255),
    )
    fire.polygon([(0.46, 0.965), (0.51, 0.925), (0.56, 0.965)], (140, 230, 255))
    return _over(image, fire.image)


def mist(seed: int, time_s: float) -> NDArray[np.uint8]:
    """Draw a standing wisp of mist: layered, even, no fire below. Premultiplied BGRA."""
    rng = np.random.default_rng((seed, 0))
    period_s, lean = float(rng.uniform(12, 20)), float(rng.uniform(-0.14, 0.14))
    grey = float(rng.uniform(175, 215))
    height = np.linspace(0.06, 0.94, _PUFFS)
    sway = 0.04 * np.sin(2 * np.pi * (time_s / period_s + rng.random(_PUFFS)))
    centres = np.stack([0.5 + lean * height + sway, 0.93 - 0.83 * height], axis=1)
    radii = np.stack([0.13 + 0.15 * height, np.full(_PUFFS, 0.05)], axis=1)
    density = _puffs(centres, radii, np.full(_PUFFS, 1.15))
    layers = _layers(seed)
    bands = 0.75 + 0.25 * np.sin(np.linspace(0, 60, SMOKE_SIZE[1]))[:, None] * layers
    return _cloud(density * bands.astype(np.float32), (grey, grey * 0.99, grey * 0.97), layers)


@lru_cache(maxsize=64)
def _swirl(seed: int) -> NDArray[np.float32]:
    """Return (512, width) billows, seamless from bottom to top."""
    return value_noise(np.random.default_rng((seed, 1)), 512, 8, 4)[:, : SMOKE_SIZE[0]]


@lru_cache(maxsize=64)
def _layers(seed: int) -> NDArray[np.float32]:
    """Return (height, width) noise stretched sideways."""
    noise = value_noise(np.random.default_rng((seed, 1)), 512, 6, 2)[: SMOKE_SIZE[1], :32]
    return np.asarray(cv2.resize(noise, SMOKE_SIZE, interpolation=cv2.INTER_CUBIC), np.float32)


def _puffs(
    centres: NDArray[np.float64], radii: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    width, height = SMOKE_SIZE[0] // _COARSE, SMOKE_SIZE[1] // _COARSE
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    across = np.exp(-(((x - centres[:, :1]) / radii[:, :1]) ** 2))
    along = np.exp(-(((y - centres[:, 1:]) / radii[:, 1:]) ** 2)) * weights[:, None]
    density = (along.T @ across).astype(np.float32)
    # Nothing at the edges: the picture of a puff never ends in a straight cut.
    fade = (
        np.minimum(1, 8 * np.minimum(x, 1 - x)) * np.minimum(1, 16 * np.minimum(y, 1 - y))[:, None]
    )
    density *= fade.astype(np.float32)
    return np.asarray(cv2.resize(density, SMOKE_SIZE, interpolation=cv2.INTER_CUBIC), np.float32)


def _cloud(
    density: NDArray[np.float32],
    bgr: tuple[float, float, float],
    relief: NDArray[np.float32],
) -> NDArray[np.uint8]:
    alpha = 0.88 * (1.0 - np.exp(-np.maximum(density - 0.04, 0.0)))
    light = 0.85 + 0.3 * relief
    image = np.empty((SMOKE_SIZE[1], SMOKE_SIZE[0], 4), np.uint8)
    for channel, value in enumerate(bgr):
        image[..., channel] = np.clip(alpha * np.minimum(value * light, 255.0), 0, 255)
    image[..., 3] = np.ceil(alpha * 255.0)
    return image


def _over(below: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rest = (255 - above[..., 3:]).astype(np.uint16)
    return (above + (below * rest // 255)).astype(np.uint8)

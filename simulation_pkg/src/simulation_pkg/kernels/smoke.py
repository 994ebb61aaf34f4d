"""Pictures of rising smoke over a campfire, and of drifting mist, at a moment in time."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels import implementation
from simulation_pkg.kernels.canvas import Canvas
from simulation_pkg.kernels.noise import value_noise

SMOKE_SIZE = (192, 384)
_COARSE = 4  # puffs are smooth: they are computed on a grid this many times coarser
_PUFFS = 12
_LEAST = 0.04  # density below which there is nothing
_MOST = 0.88  # coverage of the densest
_FIRE_ROW = 320  # above the flames' tips

Field = NDArray[np.float32]


class _Billows(NamedTuple):
    """What one cloud keeps for ever, from its seed.

    Attributes:
        relief: (rows, width) light and shade.
        factors: (rows, width) of the density.
    """

    relief: Field
    factors: Field


class _Column(NamedTuple):
    """What one column of smoke keeps for ever: period of its puffs, lean and sway, grey level."""

    period_s: float
    lean: float
    grey: float
    sway: NDArray[np.float64]


class _Wisp(NamedTuple):
    """What one wisp of mist keeps for ever; its puffs sway with a phase of their own."""

    period_s: float
    lean: float
    grey: float
    phases: NDArray[np.float64]


def smoke(seed: int, time_s: float, version: ModuleType | None = None) -> NDArray[np.uint8]:
    """Draw a billowing column that widens as it rises, over a fire. Premultiplied BGRA.

    version: the module that computes; left out: as `kernels` says.
    """
    period_s, lean, grey, sway = _column(seed)
    phase = (time_s / period_s + np.arange(_PUFFS) / _PUFFS) % 1.0
    centres = np.stack([0.5 + lean * phase + sway * phase, 0.93 - 0.83 * phase], axis=1)
    radii = np.stack([0.08 + 0.2 * phase, 0.05 + 0.06 * phase], axis=1)
    density = _puffs(centres, radii, 1.25 - 0.75 * phase)
    drift = round(time_s / period_s * 300) % 512
    image = _cloud(density, _swirl(seed), drift, grey, version)
    image[_FIRE_ROW:] = _over(image[_FIRE_ROW:], _fire(time_s))
    return image


def mist(seed: int, time_s: float, version: ModuleType | None = None) -> NDArray[np.uint8]:
    """Draw a standing wisp of mist: layered, even, no fire below. Premultiplied BGRA."""
    period_s, lean, grey, phases = _wisp(seed)
    height = np.linspace(0.06, 0.94, _PUFFS)
    sway = 0.04 * np.sin(2 * np.pi * (time_s / period_s + phases))
    centres = np.stack([0.5 + lean * height + sway, 0.93 - 0.83 * height], axis=1)
    radii = np.stack([0.13 + 0.15 * height, np.full(_PUFFS, 0.05)], axis=1)
    density = _puffs(centres, radii, np.full(_PUFFS, 1.15))
    return _cloud(density, _layers(seed), 0, grey, version)


@lru_cache(maxsize=64)
def _column(seed: int) -> _Column:
    rng = np.random.default_rng((seed, 0))
    period_s, lean = float(rng.uniform(5, 8)), float(rng.uniform(-0.14, 0.14))
    grey = float(rng.uniform(175, 215))
    return _Column(period_s, lean, grey, rng.uniform(-0.07, 0.07, _PUFFS))


@lru_cache(maxsize=64)
def _wisp(seed: int) -> _Wisp:
    rng = np.random.default_rng((seed, 0))
    period_s, lean = float(rng.uniform(12, 20)), float(rng.uniform(-0.14, 0.14))
    grey = float(rng.uniform(175, 215))
    return _Wisp(period_s, lean, grey, rng.random(_PUFFS))


@lru_cache(maxsize=64)
def _swirl(seed: int) -> _Billows:
    """Return (512, width) billows, seamless from bottom to top."""
    noise = value_noise(np.random.default_rng((seed, 1)), 512, 8, 4)[:, : SMOKE_SIZE[0]]
    relief = np.ascontiguousarray(noise)
    return _Billows(relief, 0.45 + 1.2 * relief)


@lru_cache(maxsize=64)
def _layers(seed: int) -> _Billows:
    """Return (height, width) noise stretched sideways."""
    noise = value_noise(np.random.default_rng((seed, 1)), 512, 6, 2)[: SMOKE_SIZE[1], :32]
    relief = np.asarray(cv2.resize(noise, SMOKE_SIZE, interpolation=cv2.INTER_CUBIC), np.float32)
    bands = 0.75 + 0.25 * np.sin(np.linspace(0, 60, SMOKE_SIZE[1]))[:, None] * relief
    return _Billows(relief, bands.astype(np.float32))


def _puffs(
    centres: NDArray[np.float64], radii: NDArray[np.float64], weights: NDArray[np.float64]
) -> Field:
    x, y, fade = _grid()
    across = np.exp(-(((x - centres[:, :1]) / radii[:, :1]) ** 2))
    along = np.exp(-(((y - centres[:, 1:]) / radii[:, 1:]) ** 2)) * weights[:, None]
    density = (along.T @ across).astype(np.float32)
    density *= fade
    return np.asarray(cv2.resize(density, SMOKE_SIZE, interpolation=cv2.INTER_CUBIC), np.float32)


@lru_cache(maxsize=1)
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64], Field]:
    """Return x and y of the coarse grid, and what makes a picture of a puff end softly."""
    width, height = SMOKE_SIZE[0] // _COARSE, SMOKE_SIZE[1] // _COARSE
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    # Nothing at the edges: the picture of a puff never ends in a straight cut.
    fade = (
        np.minimum(1, 8 * np.minimum(x, 1 - x)) * np.minimum(1, 16 * np.minimum(y, 1 - y))[:, None]
    )
    return x, y, fade.astype(np.float32)


def _cloud(
    density: Field, billows: _Billows, drift: int, grey: float, version: ModuleType | None
) -> NDArray[np.uint8]:
    """Return the picture of a cloud whose billows have risen by `drift` rows."""
    kernel = version or implementation("haze")
    through = np.empty_like(density)
    kernel.thin(density, billows.factors, drift, _LEAST, through)
    np.exp(through, out=through)
    pixels = np.empty(density.shape, np.uint32)
    kernel.colour(through, billows.relief, drift, _MOST, grey, grey * 0.99, grey * 0.97, pixels)
    return pixels.view(np.uint8).reshape(*pixels.shape, 4)


def _fire(time_s: float) -> NDArray[np.uint8]:
    """Draw a campfire: the rows from _FIRE_ROW on."""
    width, height = SMOKE_SIZE
    rows = height - _FIRE_ROW
    fire = Canvas(width, rows)

    def placed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x, (y * height - _FIRE_ROW) / rows) for x, y in points]

    thickness = 0.016 * height / rows
    fire.line(placed([(0.36, 0.985), (0.66, 0.955)]), (35, 50, 70), thickness)
    fire.line(placed([(0.34, 0.955), (0.64, 0.985)]), (25, 35, 50), thickness)
    flicker = 0.015 * float(np.sin(time_s * 9.0))
    flame = [(0.42, 0.965), (0.47, 0.9 + flicker), (0.5, 0.93), (0.55, 0.885 - flicker)]
    fire.polygon(placed([*flame, (0.6, 0.965)]), (40, 130, 255))
    fire.polygon(placed([(0.46, 0.965), (0.51, 0.925), (0.56, 0.965)]), (140, 230, 255))
    return fire.image


def _over(below: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rest = (255 - above[..., 3:]).astype(np.uint16)
    return (above + (below * rest // 255)).astype(np.uint8)

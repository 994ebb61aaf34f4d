"""The ground of a world as a texture: fields, woods, a track, rocks, water. No things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.world.layout import World
from simulation_pkg.kernels.noise import speckle_tile, value_noise
from simulation_pkg.kernels.raster import (
    Image,
    add_noise,
    polygon_coverage,
    pyramid,
    resize_smooth,
    tint,
)

TERRAIN_SIZE = 4096  # [px] a side
TEXEL_M = 0.1  # [m] a side of a terrain pixel
GRAIN_TEXELS_M = (0.03, 0.006)  # [m] a side of a pixel of the two grain tiles
_SKETCH = 512  # [px] a side of the sketch that decides where fields and woods are
_GRAIN_SIZE = 512  # [px] after which the finest level of a grain tile repeats
GRAIN_LEVELS = 4
CLOUDS_TEXEL_M = 1.5  # [m] a side of a pixel of the clouds on the ground
_LEVELS = 7

# Mean colours, BGR.
_FIELDS = np.array(
    [(60, 110, 95), (70, 135, 120), (85, 150, 165), (75, 105, 130), (55, 95, 70), (80, 125, 95)],
    np.float32,
)
_WOOD = np.array((40, 70, 50), np.float32)
_WATER = np.array((105, 85, 60), np.float32)


@dataclass(frozen=True)
class Terrain:
    """Textures of the ground, each with its pyramid; they repeat for ever.

    Attributes:
        base: BGR, TEXEL_M a pixel; its middle is the foot of the camera's mast.
        grains: fine structure around 128, GRAIN_TEXELS_M a pixel.
        clouds: light of passing clouds, CLOUDS_TEXEL_M a pixel, 128 = full light.
    """

    base: tuple[Image, ...]
    grains: tuple[tuple[Image, ...], ...]
    clouds: Image


def build_terrain(world: World) -> Terrain:
    """Paint the ground of a world; the same world gives the same pixels."""
    rng = np.random.default_rng((world.layout.seed, 2))
    base = _paint_land(rng)
    _paint_track(base, rng)
    _paint_rocks(base, rng)
    for lake in world.lakes:
        shore = _texels(lake.outline())
        middle = shore.mean(axis=0)
        _fill(base, middle + (shore - middle) * 1.07, (95, 130, 140), 0.7)
        _fill(base, shore, tuple(int(value) for value in _WATER), 1.0)
        _fill(base, middle + (shore - middle) * 0.8, (95, 70, 45), 0.35)
    grains = tuple(pyramid(speckle_tile(rng, _GRAIN_SIZE), GRAIN_LEVELS) for _ in GRAIN_TEXELS_M)
    clouds = value_noise(rng, 256, 5, 3)
    shadow = 1.0 - rng.uniform(0.15, 0.4) * np.clip((clouds - 0.5) * 6.0, 0.0, 1.0)
    return Terrain(pyramid(base, _LEVELS), grains, (128 * shadow).astype(np.uint8))


def texels_from_ground() -> NDArray[np.float64]:
    """Return the (3, 3) of ground (x, y, 1) [m] to pixels of `Terrain.base`."""
    scale, middle = 1.0 / TEXEL_M, TERRAIN_SIZE / 2
    return np.array([[scale, 0.0, middle], [0.0, scale, middle], [0.0, 0.0, 1.0]])


def _texels(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    return points_m / TEXEL_M + TERRAIN_SIZE / 2


def _paint_land(rng: np.random.Generator) -> Image:
    """Paint patches of fields with furrows, woods over them, tufts everywhere."""
    sites = rng.uniform(0, _SKETCH, (90, 2)).astype(np.float32)
    kinds = rng.integers(0, len(_FIELDS), 90)
    grid = np.arange(_SKETCH, dtype=np.float32)
    warp = 40.0 * (value_noise(rng, _SKETCH, 12, 3) - 0.5)
    distance = (grid[None, :, None] + warp[..., None] - sites[:, 0]) ** 2
    distance = distance + (grid[:, None, None] - warp[..., None] - sites[:, 1]) ** 2
    owner = distance.argmin(axis=2)
    angle = rng.uniform(0, np.pi, 90)[owner]
    furrow = np.sin((grid[None] * np.cos(angle) + grid[:, None] * np.sin(angle)) * 1.9)
    is_tilled = (rng.random(90) < 0.35)[owner]
    colours = _FIELDS[kinds] * rng.uniform(0.85, 1.15, (90, 1))
    land = colours[owner] * (1.0 + 0.09 * (furrow * is_tilled))[..., None]
    wood = np.clip((value_noise(rng, _SKETCH, 9, 4) - 0.60) * 14.0, 0.0, 1.0)[..., None]
    land = land * (1.0 - wood) + _WOOD * wood
    land *= (0.8 + 0.4 * value_noise(rng, _SKETCH, 24, 3))[..., None]
    base = resize_smooth(np.clip(land, 0, 255).astype(np.uint8), TERRAIN_SIZE, TERRAIN_SIZE)
    tufts = np.tile(speckle_tile(rng, 1024), (TERRAIN_SIZE // 1024,) * 2)
    return add_noise(base, np.repeat(tufts[..., None], 3, axis=2), (0, 0), 0.35)


def _paint_track(base: Image, rng: np.random.Generator) -> None:
    """Paint a gravel road across the whole terrain, several metres wide: nobody's footpath."""
    along = np.linspace(-220.0, 220.0, 200)
    offset, wave = rng.uniform(-70, 70), rng.uniform(8, 20)
    across = offset + wave * np.sin(along / rng.uniform(30, 60) + rng.uniform(0, 6))
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for half_m, colour in ((2.6, (105, 125, 135)), (2.1, (140, 160, 170))):
        left = np.stack([along, across + half_m], axis=1)
        right = np.stack([along, across - half_m], axis=1)[::-1]
        _fill(base, _texels(np.concatenate([left, right]) @ turn.T), colour, 0.75)


def _paint_rocks(base: Image, rng: np.random.Generator) -> None:
    for _ in range(500):
        centre = rng.uniform(0, TERRAIN_SIZE, 2)
        angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        radius = rng.uniform(1.0, 4.5) * rng.uniform(0.6, 1.0, 8)
        outline = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        grey = int(rng.uniform(100, 165))
        _fill(base, outline, (grey, grey, grey), 0.8)


def _fill(base: Image, outline: NDArray[np.float64], bgr: tuple[int, ...], share: float) -> None:
    found = polygon_coverage(outline, base.shape[1], base.shape[0])
    if found is not None:
        blue, green, red = bgr
        tint(base, *found, (blue, green, red), share)

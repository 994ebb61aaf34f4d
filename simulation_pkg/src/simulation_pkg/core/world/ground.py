"""The ground as the camera sees it: terrain, grain, cloud shadows, sky."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix
from simulation_pkg.core.world.geometry import inverse
from simulation_pkg.core.world.terrain import (
    CLOUDS_TEXEL_M,
    GRAIN_LEVELS,
    GRAIN_TEXELS_M,
    TEXEL_M,
    Terrain,
    texels_from_ground,
)
from simulation_pkg.kernels.raster import Image, polygon_coverage, resize_smooth, warp_tiled
from simulation_pkg.kernels.scene import Covered, Layer, Scene, Texture

_ROWS = 24  # [px] rows that share one level of the pyramids
_SKY = (215, 200, 180)
_NEUTRAL_LEVEL = GRAIN_LEVELS  # from this level on a grain tile is all but even
_SHADOW_STEP = 16  # cloud shadows are soft: computed on every 16th pixel
_CLOUD_SPEED_M_S = 3.0
_FARTHEST_M = 5000.0  # depth at which the ground fades into the sky


class _Band(NamedTuple):
    """Rows of the picture with one pyramid level for each texture."""

    first_row: int
    rows: int
    base_level: int
    grain_levels: tuple[int, ...]


class Ground:
    """Draws the ground of one terrain into one scene."""

    def __init__(self, terrain: Terrain, scene: Scene) -> None:
        self._scene = scene
        self._base: tuple[Texture, ...] = tuple(map(scene.texture, terrain.base))
        self._grains = tuple(tuple(map(scene.texture, levels)) for levels in terrain.grains)

    def draw(self, pixels_from_ground: Matrix, width: int, height: int) -> None:
        """Draw the ground and its grain as a new ground of the scene."""
        ground_from_pixels = inverse(pixels_from_ground)
        base_from_pixels = texels_from_ground() @ ground_from_pixels
        self._scene.clear(_SKY)
        for first, rows, level, grain_levels in _bands(ground_from_pixels, width, height):
            shrink = np.diag([0.5**level, 0.5**level, 1.0])
            base = Layer(self._base[level], np.asarray(shrink @ base_from_pixels))
            grains = []
            for tiles, texel_m, grain_level in zip(
                self._grains, GRAIN_TEXELS_M, grain_levels, strict=True
            ):
                if grain_level < _NEUTRAL_LEVEL:
                    scale = 0.5**grain_level / texel_m
                    matrix = np.diag([scale, scale, 1.0]) @ ground_from_pixels
                    grains.append(Layer(tiles[grain_level], np.asarray(matrix)))
            self._scene.draw_rows(first, first + rows, base, grains)


def cloud_shadow(
    clouds: Image, pixels_from_ground: Matrix, width: int, height: int, time_s: float
) -> Image:
    """Return (height, width) light of passing clouds on the ground, 128 = full light."""
    drift = time_s * _CLOUD_SPEED_M_S / CLOUDS_TEXEL_M
    clouds_from_ground = np.array(
        [[1.0 / CLOUDS_TEXEL_M, 0.0, drift], [0.0, 1.0 / CLOUDS_TEXEL_M, 0.0], [0.0, 0.0, 1.0]]
    )
    coarse = np.diag([_SHADOW_STEP, _SHADOW_STEP, 1.0])
    matrix = clouds_from_ground @ inverse(pixels_from_ground) @ coarse
    columns, rows = math.ceil(width / _SHADOW_STEP), math.ceil(height / _SHADOW_STEP)
    return resize_smooth(warp_tiled(clouds, matrix, columns, rows), width, height)


def draw_sky(scene: Scene, pixels_from_ground: Matrix, width: int, height: int) -> None:
    """Paint everything above the horizon, and a thin band of haze below it, on the view."""
    a, b, c = inverse(pixels_from_ground)[2]
    if abs(b) < 1e-12:
        return
    left, right = -c / b, -(c + a * width) / b
    for margin, share in ((0.02 * height, 0.5), (0.0, 1.0)):
        if max(left, right) <= -margin:
            continue
        outline = np.array(
            [[0.0, -1e5], [width, -1e5], [width, right + margin], [0.0, left + margin]]
        )
        found = polygon_coverage(outline, width, height)
        if found is not None:
            scene.tint_view(Covered(*found), _SKY, share)


def _bands(ground_from_pixels: Matrix, width: int, height: int) -> Iterator[_Band]:
    """Yield groups of rows that see ground, with the pyramid levels that match their footprint."""
    firsts = np.arange(0, height, _ROWS)
    middle = _footprints_m(ground_from_pixels, width / 2, firsts + _ROWS / 2)
    # The horizon may cross the lower half of these rows.
    last = _footprints_m(ground_from_pixels, width / 2, firsts + float(_ROWS))
    levels = []
    for first, footprint in zip(
        firsts.tolist(), np.where(np.isnan(middle), last, middle).tolist(), strict=True
    ):
        if math.isnan(footprint):
            continue
        base = min(max(round(math.log2(footprint / TEXEL_M)), 0), 6)
        grains = tuple(
            min(max(math.ceil(math.log2(footprint / texel)), 0), _NEUTRAL_LEVEL)
            for texel in GRAIN_TEXELS_M
        )
        levels.append((first, (base, grains)))
    for (base, grains), group in groupby(levels, key=lambda item: item[1]):
        rows = [first for first, _ in group]
        end = min(rows[-1] + _ROWS, height)
        yield _Band(rows[0], end - rows[0], base, grains)


def _footprints_m(
    ground_from_pixels: Matrix, x: float, y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the side [m] of a square of the area that each pixel sees on the ground; NaN: sky."""
    corners = np.ones((3, 3, len(y)))  # here, to the right, below; x, y, 1
    corners[:, 0] = [[x], [x + 1.0], [x]]
    corners[:, 1] = y, y, y + 1.0
    east, north, nearness = (
        row[0] * corners[:, 0] + row[1] * corners[:, 1] + row[2] for row in ground_from_pixels
    )
    # Nearness is 1 / depth [1/m]; it changes its sign at the horizon.
    is_sky = (nearness <= 1.0 / _FARTHEST_M).any(axis=0)
    nearness[:, is_sky] = np.nan
    east, north = east / nearness, north / nearness
    area = (east[1] - east[0]) * (north[2] - north[0]) - (north[1] - north[0]) * (east[2] - east[0])
    return np.asarray(np.sqrt(np.maximum(np.abs(area), 1e-12)))

"""The ground as the camera sees it: terrain, grain, cloud shadows, sky."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from semantic_detection_pkg.common.core.optics import Matrix
from simulation_pkg.core.world.terrain import (
    GRAIN_LEVELS,
    GRAIN_SIZE,
    GRAIN_TEXELS_M,
    TEXEL_M,
    Terrain,
    texels_from_ground,
)
from simulation_pkg.kernels.raster import (
    Image,
    add_grain,
    polygon_coverage,
    resize_smooth,
    tint,
    warp_tiled,
)

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


def draw_ground(
    terrain: Terrain, pixels_from_ground: Matrix, width: int, height: int
) -> tuple[Image, Image]:
    """Draw the ground: a BGR picture and its grain around 128.

    The grain comes apart so that what is painted on the ground gets it, too.
    """
    ground_from_pixels = np.linalg.inv(pixels_from_ground)
    base_from_pixels = texels_from_ground() @ ground_from_pixels
    picture = np.full((height, width, 3), _SKY, np.uint8)
    grain = np.full((height, width), 128, np.uint8)
    for first, rows, level, grain_levels in _bands(ground_from_pixels, width, height):
        shrink = np.diag([0.5**level, 0.5**level, 1.0])
        last = first + rows
        picture[first:last] = warp_tiled(
            terrain.base[level],
            terrain.base[level].shape[0],
            np.asarray(shrink @ base_from_pixels),
            width,
            rows,
            first,
        )
        for tiles, texel_m, grain_level in zip(
            terrain.grains, GRAIN_TEXELS_M, grain_levels, strict=True
        ):
            if grain_level >= _NEUTRAL_LEVEL:
                continue
            scale = 0.5**grain_level / texel_m
            matrix = np.diag([scale, scale, 1.0]) @ ground_from_pixels
            period = GRAIN_SIZE >> grain_level
            tile = warp_tiled(tiles[grain_level], period, matrix, width, rows, first)
            grain[first:last] = add_grain(grain[first:last], tile)
    return picture, grain


def cloud_shadow(
    terrain: Terrain, pixels_from_ground: Matrix, width: int, height: int, time_s: float
) -> Image:
    """Return (height, width) light of passing clouds on the ground, 128 = full light."""
    texel_m = terrain.clouds_texel_m
    drift = time_s * _CLOUD_SPEED_M_S / texel_m
    clouds_from_ground = np.array(
        [[1.0 / texel_m, 0.0, drift], [0.0, 1.0 / texel_m, 0.0], [0.0, 0.0, 1.0]]
    )
    coarse = np.diag([_SHADOW_STEP, _SHADOW_STEP, 1.0])
    matrix = clouds_from_ground @ np.linalg.inv(pixels_from_ground) @ coarse
    columns, rows = math.ceil(width / _SHADOW_STEP), math.ceil(height / _SHADOW_STEP)
    clouds = warp_tiled(terrain.clouds, terrain.clouds.shape[0], matrix, columns, rows)
    return resize_smooth(clouds, width, height)


def draw_sky(picture: Image, pixels_from_ground: Matrix) -> None:
    """Paint everything above the horizon, and a thin band of haze below it, in place."""
    height, width = picture.shape[:2]
    a, b, c = np.linalg.inv(pixels_from_ground)[2]
    if abs(b) < 1e-12:
        return
    left, right = -c / b, -(c + a * width) / b
    for margin, share in ((0.02 * height, 0.5), (0.0, 1.0)):
        outline = np.array(
            [[0.0, -1e5], [width, -1e5], [width, right + margin], [0.0, left + margin]]
        )
        found = polygon_coverage(outline, width, height) if max(left, right) > -margin else None
        if found is not None:
            tint(picture, *found, _SKY, share)


def _bands(ground_from_pixels: Matrix, width: int, height: int) -> Iterator[_Band]:
    """Yield groups of rows that see ground, with the pyramid levels that match their footprint."""
    levels = []
    for first in range(0, height, _ROWS):
        middle, last = first + _ROWS / 2, first + _ROWS
        footprint = _footprint_m(ground_from_pixels, width / 2, middle)
        if footprint is None:  # the horizon may cross the lower half of these rows
            footprint = _footprint_m(ground_from_pixels, width / 2, last)
        if footprint is None:
            continue
        base = min(max(round(math.log2(footprint / TEXEL_M)), 0), 6)
        grains = tuple(
            min(max(math.ceil(math.log2(footprint / texel)), 0), _NEUTRAL_LEVEL)
            for texel in GRAIN_TEXELS_M
        )
        levels.append((first, (base, grains)))
    for (base, grains), group in groupby(levels, key=lambda item: item[1]):
        firsts = [first for first, _ in group]
        last = min(firsts[-1] + _ROWS, height)
        yield _Band(firsts[0], last - firsts[0], base, grains)


def _footprint_m(ground_from_pixels: Matrix, x: float, y: float) -> float | None:
    """Return the side [m] of a square of the area that a pixel sees on the ground; None: sky."""
    corners = np.array([[x, y, 1.0], [x + 1.0, y, 1.0], [x, y + 1.0, 1.0]])
    rays = corners @ ground_from_pixels.T
    # The last coordinate is 1 / depth [1/m]; it changes its sign at the horizon.
    if np.any(rays[:, 2] <= 1.0 / _FARTHEST_M):
        return None
    ground = rays[:, :2] / rays[:, 2:]
    right, down = ground[1] - ground[0], ground[2] - ground[0]
    return math.sqrt(max(abs(float(right[0] * down[1] - right[1] * down[0])), 1e-12))

"""Pixel work of the simulated world: warped planes, polygons, blur, noise.

Pictures are uint8, BGR. Homographies map to pixel coordinates whose top left pixel has its centre
at (0.5, 0.5); OpenCV's is at (0, 0), which is corrected here and in `kernels.scene` only.
"""

from __future__ import annotations

import math
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels import implementation

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

TO_CENTRES = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
"""Indices of a pixel to where its centre is."""
FROM_CENTRES = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])

_SUBPIXEL_BITS = 6
_MAX_COORDINATE = 1e6  # [px] keeps fixed-point polygon corners inside int32
_MAX_BLUR_SAMPLES = 16
_LEAST_SIDE = 4  # [px] what is smaller is not halved any more


def pyramid(image: Image, levels: int) -> tuple[Image, ...]:
    """Return the picture and `levels - 1` halvings of it, each the area average of the last."""
    steps = [image]
    while len(steps) < levels and (half := halved(steps[-1])) is not None:
        steps.append(half)
    return tuple(steps)


def halved(image: Image) -> Image | None:
    """Return the area average at half the size; None where hardly anything would be left."""
    height, width = image.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        return None
    size = (width // 2, height // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def warp_tiled(texture: Image, texture_from_pixels: Matrix, width: int, height: int) -> Image:
    """Return a picture filled from a square texture that repeats for ever.

    Args:
        texture_from_pixels: (3, 3), pixels of the picture to those of the texture.
        width, height: [px] of the result.
    """
    matrix = to_texels(texture_from_pixels, texture.shape[0], width, 0, height)
    warped = cv2.warpPerspective(
        texture,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(warped, np.uint8)


def to_texels(
    texture_from_pixels: Matrix, period: int, width: int, first_row: int, end_row: int
) -> Matrix:
    """Return the (3, 3) of a pixel's indices to those of a texture that repeats after `period` px.

    It is moved by whole periods so that the middle of these rows is near the texture's; else what
    is far away would be beyond 2^15 px, where positions end.
    """
    middle = texture_from_pixels @ (width / 2, (first_row + end_row) / 2, 1.0)
    if abs(middle[2]) < 1e-9:  # on the horizon, endlessly far: the last row is not
        middle = texture_from_pixels @ (width / 2, end_row, 1.0)
    centre = np.eye(3)
    centre[:2, 2] = -period * np.round((middle[:2] / middle[2] - period / 2) / period)
    return np.asarray(FROM_CENTRES @ centre @ texture_from_pixels @ TO_CENTRES)


def polygon_coverage(
    polygons_xy: Matrix, width: int, height: int
) -> tuple[Image, tuple[int, int]] | None:
    """Return the coverage 0..255 of polygons in their window, and its (x, y); None: outside.

    polygons_xy: (k, n, 2) [px], k polygons of n corners that do not overlap, or (n, 2) for one.
    """
    polygons = np.clip(polygons_xy, -_MAX_COORDINATE, _MAX_COORDINATE)
    polygons = polygons.reshape(-1, *polygons.shape[-2:])
    low = np.maximum(np.floor(polygons.min(axis=(0, 1))) - 1, 0).astype(int)
    high = np.minimum(np.ceil(polygons.max(axis=(0, 1))) + 1, (width, height)).astype(int)
    if np.any(high <= low):
        return None
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    fixed = np.rint((polygons - low - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, list(fixed), 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask, (int(low[0]), int(low[1]))


def tint(
    picture: Image,
    coverage: Image,
    corner: tuple[int, int],
    bgr: tuple[int, int, int],
    share: float,
) -> None:
    """Blend one colour over a window of the picture by its coverage times `share`, in place."""
    x, y = corner
    window = picture[y : y + coverage.shape[0], x : x + coverage.shape[1]]
    weight = cv2.merge([cv2.convertScaleAbs(coverage, alpha=share)] * 3)
    kept = cv2.multiply(window, 255 - weight, scale=1 / 255)
    colour = np.full_like(window, bgr)
    np.add(kept, cv2.multiply(colour, weight, scale=1 / 255), out=window)


def resize_smooth(image: Image, width: int, height: int) -> Image:
    """Enlarge a small picture linearly."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def motion_blur(picture: Image, shift_xy: tuple[float, float]) -> Image:
    """Average of the picture along a straight shift [px], centred: a box over the exposure."""
    return mean_of_shifted(picture, blur_shifts(shift_xy))


def blur_shifts(shift_xy: tuple[float, float]) -> NDArray[np.int32]:
    """Return (k, 2) x, y [px] of the pictures that are averaged; a single one: nothing moved."""
    length = math.hypot(*shift_xy)
    if length < 1.0:
        return np.zeros((1, 2), np.int32)
    steps = np.linspace(-0.5, 0.5, min(math.ceil(length) + 1, _MAX_BLUR_SAMPLES))
    moved = np.rint(steps[:, None] * np.asarray(shift_xy))
    return np.clip(moved, -_MAX_COORDINATE, _MAX_COORDINATE).astype(np.int32)


def mean_of_shifted(picture: Image, shifts_xy: NDArray[np.int32]) -> Image:
    """Return the mean of the picture moved by each of (k, 2) [px]; the picture if k is 1."""
    if len(shifts_xy) == 1:
        return picture
    margin = int(np.abs(shifts_xy).max())
    padded = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    height, width = picture.shape[:2]
    total = np.zeros(picture.shape, np.float32)
    for x, y in (shifts_xy + margin).tolist():
        cv2.accumulate(padded[y : y + height, x : x + width], total)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1.0 / len(shifts_xy)), np.uint8)


def add_noise(picture: Image, tile: Image, offset_xy: tuple[int, int], strength: float) -> Image:
    """Add sensor noise cut from a larger tile around 128 at an offset."""
    height, width = picture.shape[:2]
    x, y = offset_xy
    cut = tile[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(picture, 1.0, cut, strength, -128.0 * strength), np.uint8)


def convex_outline(coverage: Image, threshold: int, version: ModuleType | None = None) -> Matrix:
    """Return (n, 2) convex hull, in the unit square, of the pixels with at least this coverage.

    version: the module that computes; left out: as `kernels` says.
    """
    height, width = coverage.shape
    ends = np.empty((height, 2), np.int32)
    (version or implementation("haze")).row_ends(coverage, threshold, ends)
    rows = np.flatnonzero(ends[:, 1] > ends[:, 0])
    if rows.size == 0:
        return np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = np.empty((2, 2, len(rows), 2), np.int32)  # end, upper or lower, row; x, y
    corners[..., 0] = ends[rows].T[:, None]
    corners[..., 1] = [rows, rows + 1]
    hull = cv2.convexHull(corners.reshape(-1, 2))[:, 0].astype(np.float64)
    return np.asarray(hull / (width, height))

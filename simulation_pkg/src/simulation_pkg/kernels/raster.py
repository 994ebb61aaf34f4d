"""Pixel work of the simulated world: warped planes, sprites, polygons, tone, blur, noise.

Pictures are uint8, BGR. Sprites are premultiplied BGRA. Homographies map to pixel coordinates whose
top left pixel has its centre at (0.5, 0.5); OpenCV's is at (0, 0), which is corrected here only.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_SUBPIXEL_BITS = 6
_MAX_COORDINATE = 1e6  # [px] keeps fixed-point polygon corners inside int32
_MAX_BLUR_SAMPLES = 16
_TO_CENTRES = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
_FROM_CENTRES = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])


def pyramid(image: Image, levels: int) -> tuple[Image, ...]:
    """Return the picture and `levels - 1` halvings of it, each the area average of the last."""
    steps = [image]
    for _ in range(levels - 1):
        height, width = steps[-1].shape[:2]
        if min(height, width) < 4:
            break
        steps.append(cv2.resize(steps[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return tuple(steps)


def warp_tiled(
    texture: Image,
    period: int,
    texture_from_pixels: Matrix,
    width: int,
    height: int,
    first_row: int = 0,
) -> Image:
    """Return rows first_row.. of a picture filled from a texture that repeats for ever.

    Args:
        texture: square; a whole number of periods wide. The more of what is seen fits into it, the
            faster: outside, OpenCV wraps pixel by pixel.
        period: [px] after which it repeats.
        texture_from_pixels: (3, 3), pixels of the whole picture to those of the texture.
        width, height: [px] of the result.
        first_row: of the whole picture.
    """
    middle = texture_from_pixels @ (width / 2, first_row + height / 2, 1.0)
    if abs(middle[2]) < 1e-9:  # on the horizon, endlessly far: the last row is not
        middle = texture_from_pixels @ (width / 2, first_row + height, 1.0)
    periods = np.round((middle[:2] / middle[2] - texture.shape[0] / 2) / period)
    centre = np.eye(3)
    centre[:2, 2] = -periods * period
    move = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, float(first_row)], [0.0, 0.0, 1.0]])
    matrix = _FROM_CENTRES @ centre @ texture_from_pixels @ move @ _TO_CENTRES
    warped = cv2.warpPerspective(
        texture,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(warped, np.uint8)


def warp_sprite(
    levels: tuple[Image, ...], pixels_from_sprite: Matrix, width: int, height: int
) -> tuple[Image, tuple[int, int]] | None:
    """Return a sprite as a picture of this size shows it: premultiplied BGRA patch, its (x, y).

    levels: the sprite's pyramid. pixels_from_sprite: (3, 3), unit square (x right, y down) to
    pixels. None where no pixel is inside the picture.
    """
    corners = cv2.perspectiveTransform(
        np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 1.0]]]), pixels_from_sprite
    )[:, 0]
    low = np.maximum(np.floor(corners.min(axis=0)) - 1, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 1, (width, height)).astype(int)
    if np.any(high <= low):
        return None
    extent = max(1.0, float(np.linalg.norm(corners[2] - corners[1])))
    steps = math.log2(max(1.0, levels[0].shape[0] / extent))
    sprite = levels[min(round(steps), len(levels) - 1)]
    to_unit = np.diag([1.0 / sprite.shape[1], 1.0 / sprite.shape[0], 1.0])
    move = np.array([[1.0, 0.0, -float(low[0])], [0.0, 1.0, -float(low[1])], [0.0, 0.0, 1.0]])
    matrix = _FROM_CENTRES @ move @ pixels_from_sprite @ to_unit @ _TO_CENTRES
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    patch = cv2.warpPerspective(sprite, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(patch, np.uint8), (int(low[0]), int(low[1]))


def blend_patch(picture: Image, patch: Image, corner: tuple[int, int]) -> None:
    """Lay a premultiplied BGRA patch over the picture, in place."""
    x, y = corner
    window = picture[y : y + patch.shape[0], x : x + patch.shape[1]]
    rest = cv2.merge([255 - patch[..., 3]] * 3)
    np.add(patch[..., :3], cv2.multiply(window, rest, scale=1 / 255), out=window)


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


def darken(grey: Image, coverage: Image, corner: tuple[int, int], share: float) -> Image:
    """Return a copy of a grey picture, less `share` of its light where it is covered."""
    x, y = corner
    dark = grey.copy()
    window = dark[y : y + coverage.shape[0], x : x + coverage.shape[1]]
    window[...] = cv2.multiply(
        window, 255 - cv2.convertScaleAbs(coverage, alpha=share), scale=1 / 255
    )
    return dark


def multiply_gain(picture: Image, gain: Image) -> Image:
    """Return a BGR or grey picture times gain / 128, per pixel."""
    factors = cv2.merge([gain] * 3) if picture.ndim == 3 else gain
    return np.asarray(cv2.multiply(picture, factors, scale=1 / 128), np.uint8)


def add_grain(first: Image, second: Image) -> Image:
    """Lay two grain pictures around 128 over each other."""
    return np.asarray(cv2.addWeighted(first, 1.0, second, 1.0, -128.0), np.uint8)


def resize_smooth(image: Image, width: int, height: int) -> Image:
    """Enlarge a small picture linearly."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def tone(picture: Image, gains_bgr: tuple[float, float, float], lift: float) -> Image:
    """Apply a gain for each channel and a common lift: the light's colour and the exposure."""
    levels = np.arange(256, dtype=np.float64)[:, None] * np.array(gains_bgr) + lift
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(picture, table), np.uint8)


def motion_blur(picture: Image, shift_xy: tuple[float, float]) -> Image:
    """Average of the picture along a straight shift [px], centred: a box over the exposure."""
    length = math.hypot(*shift_xy)
    if length < 1.0:
        return picture
    samples = min(math.ceil(length) + 1, _MAX_BLUR_SAMPLES)
    margin = math.ceil(length / 2) + 1
    padded = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    height, width = picture.shape[:2]
    total = np.zeros(picture.shape, np.float32)
    for step in np.linspace(-0.5, 0.5, samples):
        x = margin + round(step * shift_xy[0])
        y = margin + round(step * shift_xy[1])
        cv2.accumulate(padded[y : y + height, x : x + width], total)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1.0 / samples), np.uint8)


def add_noise(picture: Image, tile: Image, offset_xy: tuple[int, int], strength: float) -> Image:
    """Add sensor noise cut from a larger tile around 128 at an offset."""
    height, width = picture.shape[:2]
    x, y = offset_xy
    cut = tile[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(picture, 1.0, cut, strength, -128.0 * strength), np.uint8)


def convex_outline(coverage: Image, threshold: int) -> Matrix:
    """Return (n, 2) convex hull, in the unit square, of the pixels with at least this coverage."""
    is_in = coverage >= threshold
    rows = np.nonzero(is_in.any(axis=1))[0]
    if rows.size == 0:
        return np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    first = is_in[rows].argmax(axis=1)
    last = coverage.shape[1] - is_in[rows, ::-1].argmax(axis=1)
    corners = [np.stack([x, rows + dy], axis=1) for x in (first, last) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.int32))[:, 0].astype(np.float64)
    return np.asarray(hull / (coverage.shape[1], coverage.shape[0]))

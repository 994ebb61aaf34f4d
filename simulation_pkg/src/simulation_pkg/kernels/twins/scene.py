"""A rendered picture, one OpenCV call after the other: see `kernels.scene`."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels.raster import Image, Matrix, add_noise, mean_of_shifted, tint

_SIDE = 2048  # [px] a texture is laid out to at least this side, so that what is seen fits into it
_PADDING = 2  # transparent pixels around a sprite
_ANY = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class Texture:
    """A square texture that repeats: outside, OpenCV wraps pixel by pixel, which is slow."""

    def __init__(self, image: Image) -> None:
        size = image.shape[0]
        times = max(1, _SIDE // size)
        self.image = np.tile(image, (times, times) + (1,) * (image.ndim - 2))
        move_px = float(times // 2 * size)
        self.to_middle = np.array([[1.0, 0.0, move_px], [0.0, 1.0, move_px], [0.0, 0.0, 1.0]])


class Scene:
    """See `kernels.scene.Scene`, which checks the arguments."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._ground: Image = np.zeros((height, width, 3), np.uint8)
        self._grain: Image = np.zeros((height, width), np.uint8)
        self._view: Image = np.zeros((height, width, 3), np.uint8)

    def clear(self, blue: int, green: int, red: int) -> None:
        self._ground[:] = blue, green, red
        self._grain[:] = 128

    def draw_rows(
        self,
        first: int,
        last: int,
        base: Texture,
        matrix: Matrix,
        grains: list[Texture],
        matrices: list[Matrix],
    ) -> None:
        self._ground[first:last] = self._warped(base, matrix, first, last)
        for grain, place in zip(grains, matrices, strict=True):
            more = self._warped(grain, place, first, last)
            rows = self._grain[first:last]
            rows[:] = cv2.addWeighted(rows, 1.0, more, 1.0, -128.0)

    def _warped(self, texture: Texture, matrix: Matrix, first: int, last: int) -> Image:
        move = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, float(first)], [0.0, 0.0, 1.0]])
        size = (self._width, last - first)
        place = texture.to_middle @ matrix @ move
        warped = cv2.warpPerspective(
            texture.image, place, size, flags=_ANY, borderMode=cv2.BORDER_WRAP
        )
        return np.asarray(warped, np.uint8)

    def tint_ground(self, coverage: Image, x: int, y: int, colour: int, share: float) -> None:
        tint(self._ground, coverage, (x, y), _bgr(colour), share)

    def tint_view(self, coverage: Image, x: int, y: int, colour: int, share: float) -> None:
        tint(self._view, coverage, (x, y), _bgr(colour), share)

    def light(
        self, covered: Image | None, x: int, y: int, share: float, shadow: Image | None
    ) -> None:
        gain = self._grain.copy()
        if covered is not None:
            window = gain[y : y + covered.shape[0], x : x + covered.shape[1]]
            rest = 255 - cv2.convertScaleAbs(covered, alpha=share)
            window[...] = cv2.multiply(window, rest, scale=1 / 255)
        if shadow is not None:
            gain = np.asarray(cv2.multiply(gain, shadow, scale=1 / 128), np.uint8)
        factors = cv2.merge([gain] * 3)
        self._view = np.asarray(cv2.multiply(self._ground, factors, scale=1 / 128), np.uint8)

    def blend(
        self,
        sprite: NDArray[np.uint32],
        matrix: Matrix,
        left: int,
        top: int,
        right: int,
        bottom: int,
        ids: NDArray[np.uint16] | None,
        threshold: int,
        number: int,
    ) -> None:
        picture = sprite.view(np.uint8).reshape(*sprite.shape, 4)
        picture = picture[_PADDING:-_PADDING, _PADDING:-_PADDING]
        move = np.array([[1.0, 0.0, float(left)], [0.0, 1.0, float(top)], [0.0, 0.0, 1.0]])
        patch = cv2.warpPerspective(
            picture, np.asarray(matrix @ move), (right - left, bottom - top), flags=_ANY
        )
        window = self._view[top:bottom, left:right]
        rest = cv2.merge([255 - patch[..., 3]] * 3)
        np.add(patch[..., :3], cv2.multiply(window, rest, scale=1 / 255), out=window)
        if ids is not None:
            ids[top:bottom, left:right][patch[..., 3] >= threshold] = number

    def expose(
        self,
        gains: NDArray[np.float32] | None,
        shifts: NDArray[np.int32],
        noise: Image | None,
        noise_x: int,
        noise_y: int,
        image: Image,
    ) -> None:
        picture = self._view
        if gains is not None:
            levels = np.arange(256, dtype=np.float64)[:, None] * gains.astype(np.float64)
            table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]
            picture = np.asarray(cv2.LUT(picture, table), np.uint8)
        picture = mean_of_shifted(picture, shifts)
        if noise is not None:
            picture = add_noise(picture, noise, (noise_x, noise_y), 1.0)
        image[:] = picture


def _bgr(colour: int) -> Any:
    return colour & 255, colour >> 8 & 255, colour >> 16

"""A picture in the making: ground, what is painted on it, light, what stands on it, exposure."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels import implementation
from simulation_pkg.kernels.raster import Image, Matrix, blur_shifts, to_texels

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

Sprite = NDArray[np.uint32]
"""Premultiplied BGRA, a word a pixel, with two transparent pixels on each side."""

_PADDING = 2


class Texture(NamedTuple):
    """A texture as one version of the kernels wants it.

    Attributes:
        size: [px] of a side, after which it repeats.
        is_grey: or else BGR.
        prepared: of the version.
    """

    size: int
    is_grey: bool
    prepared: Any


class Layer(NamedTuple):
    """A texture and the (3, 3) from pixels of the picture to pixels of the texture."""

    texture: Texture
    texture_from_pixels: Matrix


class Covered(NamedTuple):
    """Coverage 0..255 of a window of the picture, and the (x, y) of its first pixel."""

    coverage: Image
    corner: tuple[int, int]


class Mark(NamedTuple):
    """Where to write `number`: pixels of `ids`, (height, width), covered at least `threshold`."""

    ids: NDArray[np.uint16]
    threshold: int
    number: int


def padded_sprite(image: Image) -> Sprite:
    """Return premultiplied (h, w, 4) BGRA as a `Sprite`."""
    height, width = image.shape[:2]
    padded = np.zeros((height + 2 * _PADDING, width + 2 * _PADDING, 4), np.uint8)
    padded[_PADDING:-_PADDING, _PADDING:-_PADDING] = image
    return padded.view(np.uint32)[..., 0]


def picture_of(sprite: Sprite) -> Image:
    """Return what a sprite shows, (h, w, 4) premultiplied BGRA; a view."""
    width, height = sprite_size(sprite)
    inside = sprite[_PADDING:-_PADDING, _PADDING:-_PADDING]
    return inside.view(np.uint8).reshape(height, width, 4)


def sprite_size(sprite: Sprite) -> tuple[int, int]:
    """Return width and height [px] of what a sprite shows."""
    rows, columns = sprite.shape
    return columns - 2 * _PADDING, rows - 2 * _PADDING


class Scene:
    """One picture after the other, of one size. Belongs to one thread.

    The ground, with what is painted on it, stays from picture to picture until it is cleared; light
    makes a view of it, which what follows draws on.
    """

    def __init__(self, width: int, height: int, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._module = version or implementation("scene")
        self._kernel = self._module.Scene(width, height)
        self._size = width, height

    def texture(self, image: Image) -> Texture:
        """Prepare a picture that repeats for ever: BGR or grey, square, 2^n pixels a side.

        Raises:
            ValueError: it is none of these.
        """
        size = image.shape[0]
        is_square = image.dtype == np.uint8 and image.shape in ((size, size), (size, size, 3))
        if not is_square or not 0 < size <= 1 << 13 or size & (size - 1):
            raise ValueError(
                f"texture {image.dtype} {image.shape} must be uint8, (n, n) or (n, n, 3), n a "
                "power of two up to 8192"
            )
        return Texture(size, image.ndim == 2, self._module.Texture(image))

    def clear(self, bgr: Colour) -> None:
        """Begin a new ground of one colour, without grain."""
        self._kernel.clear(*bgr)

    def draw_rows(self, first: int, last: int, base: Layer, grains: Sequence[Layer]) -> None:
        """Fill rows first..last - 1 of the ground: a BGR texture, grey ones around 128 as grain.

        Raises:
            ValueError: more than two grains, textures that do not lie in one plane or are of the
                other kind, rows beyond the picture.
        """
        if not 0 <= first <= last <= self._size[1]:
            raise ValueError(f"ground: rows {first} to {last}, the picture has {self._size[1]}")
        if base.texture.is_grey or not all(layer.texture.is_grey for layer in grains):
            raise ValueError("ground: its texture must be BGR and its grains grey")
        matrices = [self._place(layer, first, last) for layer in (base, *grains)]
        if len(grains) > 2 or any((one[2] != matrices[0][2]).any() for one in matrices):
            raise ValueError("ground: at most two grains, which lie where its texture lies")
        self._kernel.draw_rows(
            first,
            last,
            base.texture.prepared,
            matrices[0],
            [layer.texture.prepared for layer in grains],
            matrices[1:],
        )

    def tint_ground(self, covered: Covered, bgr: Colour, share: float) -> None:
        """Blend one colour over the ground by its coverage times `share`, 0..1.

        Raises:
            ValueError: the window reaches beyond the picture.
        """
        self._check_window(covered)
        self._kernel.tint_ground(covered.coverage, *covered.corner, _word(bgr), share)

    def tint_view(self, covered: Covered, bgr: Colour, share: float) -> None:
        """Blend one colour over the view by its coverage times `share`, 0..1.

        Raises:
            ValueError: the window reaches beyond the picture.
        """
        self._check_window(covered)
        self._kernel.tint_view(covered.coverage, *covered.corner, _word(bgr), share)

    def light(self, dark: Covered | None, share: float, shadow: Image | None) -> None:
        """Make a view of the ground: its grain over it, and its light.

        Args:
            dark: what takes `share` of the light.
            shadow: (height, width), light of each pixel, 128 = full light.

        Raises:
            ValueError: a window reaches beyond the picture, or the shadow has another size.
        """
        if dark is not None:
            self._check_window(dark)
        if shadow is not None and shadow.shape[::-1] != self._size:
            raise ValueError(f"light: shadow {shadow.shape}, the picture is {self._size}")
        coverage, corner = dark or (None, (0, 0))
        self._kernel.light(coverage, *corner, share, shadow)

    def blend(
        self,
        sprite: Sprite,
        sprite_from_pixels: Matrix,
        window_xyxy: tuple[int, int, int, int],
        mark: Mark | None,
    ) -> None:
        """Lay a sprite over the view.

        Args:
            sprite_from_pixels: (3, 3), indices of a pixel of the picture to those of the sprite.
            window_xyxy: [px] what it may cover, inside the picture.

        Raises:
            ValueError: it is not inside, the sprite is none, or the mark has another size.
        """
        x0, y0, x1, y1 = window_xyxy
        if not (0 <= x0 <= x1 <= self._size[0] and 0 <= y0 <= y1 <= self._size[1]):
            raise ValueError(f"sprite: window {window_xyxy}, the picture is {self._size}")
        if min(sprite_size(sprite)) < 1 or sprite_from_pixels.shape != (3, 3):
            raise ValueError(f"sprite {sprite.shape} by a matrix {sprite_from_pixels.shape}")
        if mark is not None and mark.ids.shape[::-1] != self._size:
            raise ValueError(f"sprite: marks {mark.ids.shape}, the picture is {self._size}")
        ids, threshold, number = mark or (None, 0, 0)
        self._kernel.blend(sprite, sprite_from_pixels, *window_xyxy, ids, threshold, number)

    def expose(
        self,
        gains_bgr: tuple[float, float, float] | None,
        shift_xy: tuple[float, float],
        noise: Image | None,
        offset_xy: tuple[int, int],
    ) -> Image:
        """Return the picture that a camera makes of the view, which is used up.

        Args:
            gains_bgr: of the light's colour, each at least 0; None: 1.
            shift_xy: [px] by which it moves while the shutter is open.
            noise: (h, w, 3) around 128, a tile larger than the picture; None: no noise.
            offset_xy: where in the tile to begin.

        Returns:
            (height, width, 3) uint8, BGR.

        Raises:
            ValueError: the tile does not cover the picture from the offset on.
        """
        width, height = self._size
        x, y = offset_xy
        if noise is not None and not (
            0 <= x <= noise.shape[1] - width and 0 <= y <= noise.shape[0] - height
        ):
            raise ValueError(f"noise {noise.shape} from {offset_xy}, the picture is {self._size}")
        # Beyond its edge a picture goes on as there.
        shifts = np.clip(blur_shifts(shift_xy), -max(self._size), max(self._size))
        image = np.empty((height, width, 3), np.uint8)
        gains = None if gains_bgr is None else np.array(gains_bgr, np.float32)
        self._kernel.expose(gains, shifts, noise, x, y, image)
        return image

    def _check_window(self, covered: Covered) -> None:
        (height, width), (x, y) = covered.coverage.shape, covered.corner
        if not (0 <= x <= self._size[0] - width and 0 <= y <= self._size[1] - height):
            raise ValueError(
                f"window {width}x{height} at {covered.corner}, the picture is {self._size}"
            )

    def _place(self, layer: Layer, first: int, last: int) -> Matrix:
        texture, texture_from_pixels = layer
        return to_texels(texture_from_pixels, texture.size, self._size[0], first, last)


def _word(bgr: Colour) -> int:
    blue, green, red = bgr
    return blue | green << 8 | red << 16

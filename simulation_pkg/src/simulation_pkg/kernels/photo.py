"""Resampling of photographs: means over areas where they become smaller, else bicubic."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix

Image = NDArray[np.uint8]
_BEYOND = (96, 96, 96)  # grey of what the picture does not show
_SIDE_MAX_PX = 32_000  # OpenCV's coordinates in a picture are 16 bits
_SIDE_MIN_PX = 64


def pyramid(image: Image) -> list[Image]:
    """Return the picture and halves of it; one too large for OpenCV begins with a half."""
    first = np.ascontiguousarray(image)
    while max(first.shape[:2]) > _SIDE_MAX_PX:
        height, width = (-(-length // 2) for length in first.shape[:2])
        first = shrink(first, (width, height))
    levels = [first]
    while min(levels[-1].shape[:2]) >= _SIDE_MIN_PX:
        height, width = levels[-1].shape[:2]
        levels.append(shrink(levels[-1], (width // 2, height // 2)))
    return levels


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Return the picture at a size (width, height) [px], each pixel a mean."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def blur(image: Image, sigma_px: float) -> Image:
    """Blur a picture as a lens does."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def nothing(size: tuple[int, int]) -> Image:
    """Return what is seen beside a picture."""
    return np.full((size[1], size[0], 3), _BEYOND[0], np.uint8)


def warp(source: Image, homography: Matrix, size: tuple[int, int]) -> Image:
    """Return the source through a homography of pixel indices."""
    return np.asarray(
        cv2.warpPerspective(source, homography, size, flags=cv2.INTER_CUBIC, borderValue=_BEYOND),
        np.uint8,
    )


def remap(
    source: Image, u: NDArray[np.float64], v: NDArray[np.float64], *, is_closed: bool
) -> Image:
    """Return the source at (h, w) columns u and rows v [px]; closed: it goes round."""
    if is_closed:
        # A few columns more at both ends, so that interpolation crosses the seam.
        width = source.shape[1]
        margin = min(4, width)
        source = cv2.copyMakeBorder(source, 0, 0, margin, margin, cv2.BORDER_WRAP)
        u = np.mod(u + 0.5, width) - 0.5 + margin
    shown = cv2.remap(
        source,
        u.astype(np.float32),
        v.astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_BEYOND,
    )
    return np.asarray(shown, np.uint8)

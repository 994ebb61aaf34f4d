"""Parts of pictures: the square that a classifier sees, the JPEG that people and models look at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.kernels.crops import encode_jpeg, resized, square_around
from semantic_detection_pkg.detector.kernels.letterbox import PADDING

_LEAST_SIDE_PX = 8.0  # a smaller square shows nothing but the interpolation
_JPEG_QUALITY = 90
_SHOWN_MARGIN = 1.25  # side of the picture in longest sides of the box, as for the classifier
#: A vision-language model takes in 384 px (SigLIP) and enlarges nothing by itself.
_SHOWN_SIDES_PX = (384, 640)

Box = tuple[float, float, float, float]


def crop_square(
    image: NDArray[np.uint8], box_xyxy: Box, margin: float, size: int
) -> NDArray[np.uint8]:
    """Return the square around a box, grey beyond the picture's edge.

    Args:
        image: (h, w, 3) uint8, any strides.
        box_xyxy: [px]; its middle is the square's.
        margin: side of the square, in longest sides of the box.
        size: side of the result [px].

    Returns:
        (size, size, 3) uint8, channels as in `image`.
    """
    x0, y0, x1, y1 = box_xyxy
    half = max(max(x1 - x0, y1 - y0) * margin, _LEAST_SIDE_PX) / 2.0
    middle_x, middle_y = (x0 + x1) / 2.0, (y0 + y1) / 2.0
    # Only the part that shows is resized: averaging the whole picture would cost as much as the
    # classifier.
    left, top = max(int(middle_x - half) - 1, 0), max(int(middle_y - half) - 1, 0)
    part = image[top : int(middle_y + half) + 2, left : int(middle_x + half) + 2]
    if part.size == 0:
        return np.full((size, size, 3), PADDING, np.uint8)
    middle_x, middle_y = middle_x - left, middle_y - top
    scale = size / (2.0 * half)
    if scale < 1.0:
        # Average first: a warp alone would skip pixels.
        height, width = (max(1, round(side * scale)) for side in part.shape[:2])
        middle_x *= width / part.shape[1]
        middle_y *= height / part.shape[0]
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        scale = 1.0
    shift = (size / 2.0 - scale * middle_x, size / 2.0 - scale * middle_y)
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    # Pixel centres lie at halves; warpAffine counts them from zero.
    matrix[:, 2] += 0.5 * scale - 0.5
    square = cv2.warpAffine(
        np.ascontiguousarray(part),
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderValue=(PADDING,) * 3,
    )
    return np.asarray(square, np.uint8)


def crop_for_eyes(image: NDArray[np.uint8], box_xyxy: Box) -> bytes:
    """Return the JPEG that people and the vision-language model look at, around a box."""
    return crop_jpeg(image, box_xyxy, _SHOWN_MARGIN, _SHOWN_SIDES_PX)


def crop_jpeg(
    image: NDArray[np.uint8], box_xyxy: Box, margin: float, sides_px: tuple[int, int]
) -> bytes:
    """Return the JPEG of the square around a box as far as the picture shows it.

    Args:
        image: (h, w, 3) uint8, BGR.
        margin: side of the square, in longest sides of the box.
        sides_px: (least, greatest) longer side of the result; a part beyond is enlarged or shrunk.
    """
    part = image[square_around(box_xyxy, image, margin, _LEAST_SIDE_PX)]
    return encode_jpeg(resized(part, *sides_px), _JPEG_QUALITY)

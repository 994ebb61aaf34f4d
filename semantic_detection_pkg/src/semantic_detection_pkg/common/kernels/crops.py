"""Parts of pictures around a box, at the size that somebody looks at, as JPEG."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def square_around(
    box_xyxy: Sequence[float], image: Image, margin: float, least_px: float
) -> tuple[slice, slice]:
    """Return rows and columns of the square around a box, as far as the picture goes.

    Args:
        box_xyxy: [px]; its middle is the square's, moved into the picture where it lies outside.
        image: (h, w, 3).
        margin: side of the square, in longest sides of the box.
        least_px: the side is not below this.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    half = max(max(x1 - x0, y1 - y0) * margin, least_px) / 2.0
    middle_x = min(max((x0 + x1) / 2.0, 0.0), float(width))
    middle_y = min(max((y0 + y1) / 2.0, 0.0), float(height))
    rows = slice(max(int(middle_y - half), 0), min(math.ceil(middle_y + half), height))
    return rows, slice(max(int(middle_x - half), 0), min(math.ceil(middle_x + half), width))


def resized(image: Image, least_px: int, most_px: int) -> Image:
    """Return the picture with its longer side within both bounds; the shape stays."""
    longest = max(image.shape[:2])
    scale = min(max(longest, least_px), most_px) / longest
    if scale == 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Return a BGR picture as JPEG; quality is 0..100."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()

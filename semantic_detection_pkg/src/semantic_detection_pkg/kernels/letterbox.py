"""Pixels into the network's input: resize, pad, BGR to RGB, 0..255 to 0..1, HWC to CHW."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING = 114  # grey value of the padding, on all channels, as in training


def letterbox_into(
    image: NDArray[np.uint8],
    tensor: NDArray[np.floating],
    content_size: tuple[int, int],
    offset: tuple[int, int],
) -> None:
    """Write `image` into `tensor`, all of which is overwritten.

    Args:
        image: (h, w, 3) uint8, BGR, any strides.
        tensor: (3, height, width) float32 or float16, RGB, 0..1: the output.
        content_size: (width, height) [px] of the picture within the tensor.
        offset: (left, top) [px] of its first pixel; content and offset fit into the tensor.
    """
    (width, height), (left, top) = content_size, offset
    pixels = np.ascontiguousarray(image)
    if pixels.shape[:2] != (height, width):
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    tensor[:] = PADDING / 255
    planes = pixels[..., ::-1].transpose(2, 0, 1)
    content = tensor[:, top : top + height, left : left + width]
    np.divide(planes, np.float32(255), out=content, dtype=np.float32, casting="same_kind")

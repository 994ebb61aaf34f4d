"""The letterbox step by step, as Ultralytics does it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


class Letterboxer:
    """See `kernels.letterbox.Letterboxer`."""

    def write(
        self,
        image: NDArray[np.uint8],
        tensor: NDArray[np.floating],
        content_size: tuple[int, int],
        offset: tuple[int, int],
        padding: float | None,
    ) -> None:
        """Resize with OpenCV, which rounds to whole levels; then pad, reorder and scale."""
        (width, height), (left, top) = content_size, offset
        pixels = np.ascontiguousarray(image)
        if pixels.shape[:2] != (height, width):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        if padding is not None:
            tensor[:] = padding
        planes = pixels[..., ::-1].transpose(2, 0, 1)
        content = tensor[:, top : top + height, left : left + width]
        np.divide(planes, np.float32(255), out=content, dtype=np.float32, casting="same_kind")

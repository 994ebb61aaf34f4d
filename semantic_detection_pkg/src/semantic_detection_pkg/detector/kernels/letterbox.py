"""Pixels into the network's input: resize, pad, BGR to RGB, 0..255 to 0..1, HWC to CHW."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation

PADDING = 114  # grey value of the padding, on all channels, as in training


class Letterboxer:
    """Writes pictures into tensors; keeps the buffers for it. Belongs to one thread."""

    def __init__(self, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._kernel = (version or implementation("letterbox")).Letterboxer()

    def write(
        self,
        image: NDArray[np.uint8],
        tensor: NDArray[np.floating],
        content_size: tuple[int, int],
        offset: tuple[int, int],
        is_padded: bool = False,
    ) -> None:
        """Write `image` into `tensor`, and the padding around it.

        Interpolated as by OpenCV's INTER_LINEAR, whose result is rounded to whole levels of 1/255;
        this one need not be. Nothing is allocated while the picture's and content's widths stay.

        Args:
            image: (h, w, 3) uint8, BGR, any strides.
            tensor: (3, height, width) float32 or float16, C-contiguous, RGB, 0..1: the output.
            content_size: (width, height) [px] of the picture within the tensor.
            offset: (left, top) [px] of its first pixel; content and offset fit into the tensor.
            is_padded: the padding is there, from a picture of the same content size and offset;
                it is a third of the work for a wide picture.

        Raises:
            ValueError: an array or a size is none of these.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(
                f"letterbox: image {image.dtype} {image.shape} must be uint8 (h, w, 3)"
            )
        is_tensor = tensor.ndim == 3 and len(tensor) == 3 and tensor.flags.c_contiguous
        if not is_tensor or tensor.dtype not in (np.float32, np.float16):
            raise ValueError(
                f"letterbox: tensor {tensor.dtype} {tensor.shape} must be C-contiguous float32 or "
                "float16 (3, height, width)"
            )
        (width, height), (left, top) = content_size, offset
        fits = left + width <= tensor.shape[2] and top + height <= tensor.shape[1]
        if min(width, height) < 1 or min(left, top) < 0 or not fits:
            raise ValueError(
                f"letterbox: content {width}x{height} at {left}, {top} must lie in the tensor's "
                f"{tensor.shape[2]}x{tensor.shape[1]}"
            )
        padding = None if is_padded else PADDING / 255
        self._kernel.write(image, tensor, content_size, offset, padding)

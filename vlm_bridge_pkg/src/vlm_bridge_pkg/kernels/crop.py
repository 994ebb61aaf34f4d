"""Pictures for the model: small, square, undistorted."""

from __future__ import annotations

import numpy as np

from vlm_bridge_pkg.errors import ConfigurationError
from vlm_bridge_pkg.protocol.pictures import Picture, read_picture
from vlm_bridge_pkg.protocol.refusal import RequestRefused

_GREY = (114, 114, 114)
_JPEG_QUALITY = 90


def fit_square(jpeg: bytes, side_px: int) -> Picture:
    """Return the picture on a grey square of `side_px`, shrunk where it is larger.

    VILA squeezes what is not square (SigLIP, 384 x 384), and takes no more detail than that.

    Raises:
        ConfigurationError: it is no picture.
    """
    try:
        read_picture(jpeg)  # its size is checked before it is unpacked
    except RequestRefused as error:
        raise ConfigurationError(f"crop: {error}") from error
    import cv2  # large, and needed from the first question on

    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigurationError("crop: the picture cannot be unpacked")
    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        height, width = image.shape[:2]
    square = np.full((side_px, side_px, 3), _GREY, np.uint8)
    top, left = (side_px - height) // 2, (side_px - width) // 2
    square[top : top + height, left : left + width] = image
    _, data = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return Picture(data.tobytes(), "image/jpeg", side_px, side_px)

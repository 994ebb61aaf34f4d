"""Picture files in and out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import FrameError

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as (height, width, 3) uint8 BGR, turned as its EXIF data say.

    Raises:
        FrameError: it cannot be read or decoded.
    """
    try:
        # Through memory: cv2.imread reports nothing about files that it cannot open.
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise FrameError(f"picture {path}: {(error.strerror or str(error)).lower()}") from error
    return decode_picture(data, str(path))


def decode_picture(data: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """The bytes of a picture file as (height, width, 3) uint8 BGR, turned as its EXIF data say.

    Args:
        name: of the picture, for what is said of it.

    Raises:
        FrameError: they cannot be decoded.
    """
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # of a file that claims absurd sizes
        image = None
    if image is None:
        raise FrameError(f"picture {name}: cannot be decoded")
    return image


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a BGR picture in the format that the suffix names.

    Raises:
        FrameError: it cannot be written.
    """
    try:
        is_encoded, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        raise FrameError(f"picture {path}: OpenCV cannot write this format")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise FrameError(f"picture {path}: {(error.strerror or str(error)).lower()}") from error

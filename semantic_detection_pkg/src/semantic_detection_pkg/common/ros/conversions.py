"""Convert pictures, frames and detections to messages and back."""

from __future__ import annotations

import array
import functools
import logging

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from interfaces_pkg.msg import FrameHandle
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.kernels.encodings import PixelLayout, is_deep, to_bgr
from semantic_detection_pkg.errors import FrameError

_log = logging.getLogger(__name__)


def to_image(image: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> Image:
    """Return an (H, W, 3) BGR picture as a message; its pixels are copied once."""
    height, width, channels = image.shape
    return Image(
        header=Header(stamp=to_time(stamp_ns), frame_id=frame_id),
        height=height,
        width=width,
        encoding="bgr8",
        step=width * channels,
        data=to_array("B", image),
    )


def from_image(message: Image) -> NDArray[np.uint8]:
    """Return the message's picture as (H, W, 3) BGR: a view of its memory where that is bgr8.

    More than 8 bits a channel are stretched, which the log says once.

    Raises:
        FrameError: the encoding is not supported, or sizes and data do not fit together.
    """
    layout = PixelLayout(
        message.encoding,
        bool(message.is_bigendian),
        message.width,
        message.height,
        message.step,
    )
    image = to_bgr(np.frombuffer(message.data, np.uint8), layout)
    if is_deep(message.encoding):
        _say_stretched(message.encoding)
    return image


def from_image_frame(message: Image, sequence: int) -> Frame:
    """Return the message as a frame; `sequence` is its number, which the message does not carry.

    Raises:
        FrameError: as `from_image`, or the stamp is before the epoch.
    """
    image = from_image(message)
    image.flags.writeable = False
    stamp_ns = from_time(message.header.stamp)
    if stamp_ns < 0:
        raise FrameError(f"image stamp {stamp_ns} ns is before the epoch")
    return Frame(stamp_ns, sequence, image, message.header.frame_id)


def to_frame_handle(frame: Frame, service: str, slot: int) -> FrameHandle:
    """Return what tools are told of a frame whose pixels lie in `slot` of shared memory."""
    return FrameHandle(
        header=to_header(frame),
        sequence=frame.sequence,
        service=service,
        slot=slot,
        width=frame.width,
        height=frame.height,
        step=frame.width * 3,
        encoding="bgr8",
    )


def to_header(frame: Frame) -> Header:
    """Return the header of everything that follows from a frame."""
    return Header(stamp=to_time(frame.stamp_ns), frame_id=frame.frame_id)


def to_compressed_image(jpeg: bytes, stamp_ns: int, frame_id: str) -> CompressedImage:
    """Return JPEG bytes as a message."""
    return CompressedImage(
        header=Header(stamp=to_time(stamp_ns), frame_id=frame_id),
        format="bgr8; jpeg compressed bgr8",  # as compressed_image_transport writes it
        data=to_array("B", np.frombuffer(jpeg, np.uint8)),
    )


def to_array(typecode: str, values: NDArray[np.generic]) -> array.array[int]:
    """Return the values as what a message's field takes without walking its elements."""
    # Generated setters take array.array as it is; lists and ndarrays they walk element by element.
    # Two C-level copies (tobytes, frombytes) cost 0.4 ms for a 1080p picture.
    result: array.array[int] = array.array(typecode)
    result.frombytes(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
    return result


@functools.cache
def _say_stretched(encoding: str) -> None:
    _log.warning("pictures of encoding %s are stretched to 8 bits", encoding)

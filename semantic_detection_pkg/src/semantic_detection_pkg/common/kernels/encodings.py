"""Pictures of messages, in the encodings that camera drivers use, to BGR.

Names and meanings: sensor_msgs/image_encodings.hpp; for planes, ITU-R BT.601 as OpenCV has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.kernels.depth import stretch_to_8_bit
from semantic_detection_pkg.errors import FrameError

_Bytes = NDArray[np.uint8]
_Pixels = NDArray[np.generic]

_BGR, _RGB, _MONO = (0, 1, 2), (2, 1, 0), (0, 0, 0)
#: Channels that lie beside each other: type, how many, and which of them are B, G and R.
_PACKED = {
    "bgr8": ("u1", 3, _BGR),
    "rgb8": ("u1", 3, _RGB),
    "bgra8": ("u1", 4, _BGR),
    "rgba8": ("u1", 4, _RGB),
    "mono8": ("u1", 1, _MONO),
    "bgr16": ("u2", 3, _BGR),
    "rgb16": ("u2", 3, _RGB),
    "bgra16": ("u2", 4, _BGR),
    "rgba16": ("u2", 4, _RGB),
    "mono16": ("u2", 1, _MONO),
}
#: OpenCV's own names, as 16UC1; of several channels the first three are B, G and R.
_OPENCV_TYPE = re.compile(r"(?P<bits>8|16|32|64)(?P<kind>[USF])C(?P<channels>[134])")
_KINDS = {"U": "u", "S": "i", "F": "f"}
#: OpenCV names a pattern by its second row's second and third pixel, ROS by its first two rows.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2BGR,
    "bayer_bggr": cv2.COLOR_BayerRG2BGR,
    "bayer_gbrg": cv2.COLOR_BayerGR2BGR,
    "bayer_grbg": cv2.COLOR_BayerGB2BGR,
}
#: Two pixels in four bytes.
_YUV_422 = {
    "yuv422": cv2.COLOR_YUV2BGR_UYVY,
    "uyvy": cv2.COLOR_YUV2BGR_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2BGR_YUY2,
    "yuyv": cv2.COLOR_YUV2BGR_YUY2,
}


class PixelLayout(NamedTuple):
    """How the bytes of a picture lie.

    Attributes:
        encoding: name.
        is_bigendian: of numbers of more than one byte.
        width, height: of the picture [px], >= 1.
        step: from row to row [bytes].
    """

    encoding: str
    is_bigendian: bool
    width: int
    height: int
    step: int


def is_deep(encoding: str) -> bool:
    """Return whether an encoding has more than 8 bits a channel, so that it is stretched."""
    return encoding.endswith("16") or bool(re.match(r"(16|32|64)[USF]C", encoding))


def to_bgr(data: _Bytes, layout: PixelLayout) -> _Bytes:
    """Return a picture as (height, width, 3) BGR: a view of `data` where it is bgr8.

    More than 8 bits a channel are stretched between percentiles.

    Args:
        data: (n) bytes.

    Raises:
        FrameError: the encoding is not supported, or sizes and data do not fit together.
    """
    encoding = layout.encoding
    packed = _packed(encoding)
    if packed is not None:
        pixels = _rows(data, layout, packed[0], packed[1])
        return pixels if encoding in ("bgr8", "8UC3") else _of_channels(pixels, packed[2])
    if encoding[:-1] in _BAYER or encoding[:-2] in _BAYER:
        kind, name = ("u2", encoding[:-2]) if encoding.endswith("16") else ("u1", encoding[:-1])
        return stretch_to_8_bit(_converted(_rows(data, layout, kind, 1), _BAYER[name]))
    if encoding in _YUV_422:
        _check_even(layout, layout.width)
        return _converted(_rows(data, layout, "u1", 2), _YUV_422[encoding])
    if encoding in _PLANAR:
        _check_even(layout, layout.width, layout.height)
        return _PLANAR[encoding](data, layout)
    raise FrameError(
        f"image encoding '{encoding}' is not supported, supported are {', '.join(supported())}"
    )


def supported() -> list[str]:
    """Return the encodings that are taken; the last entry stands for several."""
    bayer = [f"{name}{bits}" for name in _BAYER for bits in (8, 16)]
    return [*_PACKED, *bayer, *_YUV_422, *_PLANAR, "8UC1 .. 64FC4"]


def _packed(encoding: str) -> tuple[str, int, tuple[int, int, int]] | None:
    match = _OPENCV_TYPE.fullmatch(encoding)
    if match is None:
        return _PACKED.get(encoding)
    channels = int(match["channels"])
    kind = f"{_KINDS[match['kind']]}{int(match['bits']) // 8}"
    if kind == "f1":
        return None
    return kind, channels, _MONO if channels == 1 else _BGR


def _rows(data: _Bytes, layout: PixelLayout, kind: str, channels: int) -> NDArray[np.uint8]:
    """Return (height, width, channels) a view of the pixels, of type `kind`."""
    dtype = np.dtype(kind).newbyteorder(">" if layout.is_bigendian else "<")
    pixels = _plane(data, layout, layout.height, layout.width * channels * dtype.itemsize)
    shape = (layout.height, layout.width, channels)
    if dtype.itemsize == 1:
        return pixels.reshape(shape).view(dtype)
    native = np.ascontiguousarray(pixels).view(dtype).reshape(shape)
    return native.astype(dtype.newbyteorder("="), copy=False)


def _plane(data: _Bytes, layout: PixelLayout, rows: int, row_bytes: int) -> _Bytes:
    """Return (rows, row_bytes) the first rows, without what fills them up to the step."""
    if min(layout.width, layout.height) < 1 or layout.step < row_bytes:
        raise FrameError(
            f"image of {layout.width}x{layout.height} {layout.encoding} has a step of "
            f"{layout.step} bytes, at least {row_bytes} are needed and one pixel"
        )
    if data.size < layout.step * rows:
        raise FrameError(
            f"image of {rows} rows of {layout.step} bytes has {data.size} bytes of data"
        )
    return data[: layout.step * rows].reshape(rows, layout.step)[:, :row_bytes]


def _of_channels(pixels: _Pixels, to_bgr: tuple[int, int, int]) -> _Bytes:
    """Return B, G and R in 8 bits; a single channel is stretched before it is tripled."""
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(stretch_to_8_bit(pixels).repeat(3, axis=2))
    return stretch_to_8_bit(np.ascontiguousarray(pixels[..., to_bgr]))


def _converted(pixels: _Pixels, code: int) -> _Bytes:
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code))
    except cv2.error as error:  # of sizes too small for a pattern
        raise FrameError(f"image cannot be converted: {error.err}") from None


def _check_even(layout: PixelLayout, *sizes: int) -> None:
    if any(size % 2 for size in sizes):
        raise FrameError(
            f"image of {layout.width}x{layout.height} {layout.encoding} must have an even size"
        )


def _semi_planar(code: int) -> Callable[[_Bytes, PixelLayout], _Bytes]:
    """Return what converts a plane of Y and one of U and V beside each other, half as high."""

    def convert(data: _Bytes, layout: PixelLayout) -> _Bytes:
        return _converted(_plane(data, layout, layout.height * 3 // 2, layout.width), code)

    return convert


def _nv24(data: _Bytes, layout: PixelLayout) -> _Bytes:
    """Convert a plane of Y and one of U and V of the same size, of which every other is used."""
    rows, width = layout.height, layout.width
    luma = _plane(data, layout, rows, width)
    # Rows of U and V are twice as long as those of Y.
    chroma = _plane(data[layout.step * rows :], layout, 2 * rows, layout.step)
    pairs = chroma.reshape(rows, 2 * layout.step)[::2, : 2 * width].reshape(-1, width, 2)
    halved = pairs[:, ::2].reshape(-1, width)
    return _converted(np.concatenate([luma, halved]), cv2.COLOR_YUV2BGR_NV12)


def _i420(data: _Bytes, layout: PixelLayout) -> _Bytes:
    """Convert planes of Y, U and V, the latter half as wide and half as high."""
    _check_even(layout, layout.step)
    rows, width = layout.height, layout.width
    luma = _plane(data, layout, rows, width)
    both = _plane(data[layout.step * rows :], layout, rows // 2, layout.step)
    chroma = both.reshape(-1, layout.step // 2)[:, : width // 2]
    planes = np.concatenate([luma.ravel(), chroma.ravel()])
    return _converted(planes.reshape(-1, width), cv2.COLOR_YUV2BGR_I420)


_PLANAR: dict[str, Callable[[_Bytes, PixelLayout], _Bytes]] = {
    "nv12": _semi_planar(cv2.COLOR_YUV2BGR_NV12),
    "nv21": _semi_planar(cv2.COLOR_YUV2BGR_NV21),
    "nv24": _nv24,
    "i420": _i420,
}

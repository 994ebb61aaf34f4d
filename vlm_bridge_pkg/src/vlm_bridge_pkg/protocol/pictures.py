"""Is this a picture, and how large? Read from its headers alone, so that nothing is unpacked.

JPEG: ITU-T T.81 annex B (markers); PNG: ISO/IEC 15948 (signature, IHDR, IEND).
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from vlm_bridge_pkg.protocol.limits import MAX_PICTURE_BYTES, MAX_PICTURE_SIDE_PX
from vlm_bridge_pkg.protocol.refusal import RequestRefused

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
#: Start-of-frame markers: all of C0..CF but DHT, JPG, DAC.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})  # without a length


@dataclass(frozen=True)
class Picture:
    """A JPEG or PNG file whose headers are sound; sizes in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int

    def to_uri(self) -> str:
        """Return the picture as a data URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


def read_uri(uri: str) -> Picture:
    """Return the picture of a data URI.

    Raises:
        RequestRefused: bad_picture, too_large.
    """
    head, comma, text = uri.partition(",")
    if not comma or head not in ("data:image/jpeg;base64", "data:image/png;base64"):
        raise RequestRefused(
            "bad_picture",
            f"image_url is {head[:60]!r}, allowed is data:image/jpeg;base64,.. or image/png",
        )
    if len(text) * 3 // 4 > MAX_PICTURE_BYTES + 3:
        raise _too_large(len(text) * 3 // 4)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused("bad_picture", f"image_url is no base64: {error}") from error
    return read_picture(data)


def read_picture(data: bytes) -> Picture:
    """Check a file's headers. Raises as `read_uri`."""
    if len(data) > MAX_PICTURE_BYTES:
        raise _too_large(len(data))
    if data.startswith(_PNG):
        media_type, size = "image/png", _png_size(data)
    elif data.startswith(_JPEG_START):
        media_type, size = "image/jpeg", _jpeg_size(data)
    else:
        raise RequestRefused("bad_picture", "the picture is neither JPEG nor PNG")
    if size is None:
        raise RequestRefused("bad_picture", f"the {media_type} is damaged or cut off")
    width, height = size
    if not (0 < width <= MAX_PICTURE_SIDE_PX and 0 < height <= MAX_PICTURE_SIDE_PX):
        raise RequestRefused(
            "bad_picture",
            f"the picture is {width} x {height}, allowed are sides of 1..{MAX_PICTURE_SIDE_PX}",
        )
    return Picture(data, media_type, width, height)


def _too_large(size: int) -> RequestRefused:
    return RequestRefused(
        "too_large", f"the picture has {size} bytes, allowed are {MAX_PICTURE_BYTES}"
    )


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 45 or data[12:16] != b"IHDR" or b"IEND" not in data[-12:]:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    if not data.rstrip(b"\0").endswith(_JPEG_END):
        return None
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:  # padding, or a marker alone
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_MARKERS:
            if place + 9 > len(data):
                return None
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        place += 2 + length
    return None

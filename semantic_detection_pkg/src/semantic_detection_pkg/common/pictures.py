"""Picture files in and out.

Pixels come from OpenCV, or from Pillow where OpenCV does not know the format; what the builds of
both do by themselves (turning by EXIF, refusing a file without its end, 16 bits as 8) is switched
off and done here, the same for every format.
"""

from __future__ import annotations

import functools
import io
import itertools
import logging
import struct
import threading
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.kernels.depth import stretch_to_8_bit
from semantic_detection_pkg.errors import FrameError

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
#: What an overlay is written as; any other suffix becomes `.jpg`.
_WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
#: That a picture which shows an example may have, see srv/AddExample.
EXAMPLE_BYTES_MAX = 64 << 20
#: Three bytes each while it is looked at; a file of a few bytes may claim any size.
EXAMPLE_PIXELS_MAX = 100_000_000
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
#: Brands of ISO base media files (ISO/IEC 23008-12) that hold HEVC pictures.
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
_ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4
_MISSING_ROWS_MIN = 2  # equal rows at the bottom that tell a cut file

_Pixel = TypeVar("_Pixel", bound=np.generic)

_log = logging.getLogger(__name__)
_pillow_lock = threading.Lock()  # for its module-wide switch


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture file as (height, width, 3) uint8 BGR; see `decode_picture`.

    Raises:
        FrameError: it cannot be read or decoded.
    """
    return decode_picture(_bytes_of(path), str(path))


def read_example(path: Path) -> NDArray[np.uint8]:
    """Return a picture file that shows an example; see `decode_example`.

    Raises:
        FrameError: it cannot be read, or is no good.
    """
    return decode_example(_bytes_of(path), str(path))


def _bytes_of(path: Path) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise FrameError(f"picture {path}: {(error.strerror or str(error)).lower()}") from error


def decode_picture(data: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return the bytes of a picture file as (height, width, 3) uint8 BGR.

    It is turned as its EXIF data say. More than 8 bits a channel are stretched. A JPEG without its
    end is decoded as far as it goes, and the log says how many rows are missing.

    Args:
        name: of the picture, for what is said of it.

    Raises:
        FrameError: they cannot be decoded.
    """
    content = data.tobytes()
    image, missing = _decoded(content, name)
    if missing:
        text = "picture %s: the file is cut; the last %d of %d rows are missing"
        _log.warning(text, name, missing, len(image))
    return _upright(image, content, name)


def decode_example(data: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return a picture that shows an example, as `decode_picture` does.

    What is missing of a cut file would be learned as a grey or black thing, so it is refused; so is
    one that would take the memory of everything else.

    Raises:
        FrameError: it cannot be decoded, is cut, or has too many pixels.
    """
    content = data.tobytes()
    _check_size(content, name)
    if content.startswith(_PNG_START) and _PNG_END not in content:
        raise FrameError(f"picture {name}: the file is cut, it has no end; a whole one is needed")
    image, missing = _decoded(content, name)
    if missing:
        raise FrameError(
            f"picture {name}: the file is cut, the last {missing} of {len(image)} rows are "
            "missing; a whole one is needed"
        )
    return _upright(image, content, name)


def _check_size(content: bytes, name: str) -> None:
    """Check what a file says of its size, before there is memory for it.

    Raises:
        FrameError: it has more pixels than an example may have.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
    except Image.DecompressionBombError:  # of even more
        size = "more"
    except Exception:  # decoders raise whatever they like; the next one says what is wrong
        return
    else:
        if width * height <= EXAMPLE_PIXELS_MAX:
            return
        size = f"{width}x{height} px"
    raise FrameError(
        f"picture {name}: has {size}, at most {EXAMPLE_PIXELS_MAX // 1_000_000} megapixels are "
        "allowed"
    )


def _decoded(content: bytes, name: str) -> tuple[NDArray[np.generic], int]:
    """Return a picture as it is stored, of three channels, and how many rows are missing."""
    if not content:
        raise FrameError(f"picture {name}: the file is empty")
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
        raise FrameError(f"picture {name}: is HEIC, which cannot be read; convert it to JPEG")
    is_cut = content.startswith(_JPEG_START) and _JPEG_END not in content[-64:]
    stored = content + _JPEG_END if is_cut else _as_stored(content)
    image = _with_opencv(stored)
    if image is None:
        image = _with_pillow(stored)
    if image is None:
        raise FrameError(f"picture {name}: cannot be decoded")
    return image, _missing_rows(image) if is_cut else 0


def _upright(image: NDArray[np.generic], content: bytes, name: str) -> NDArray[np.uint8]:
    """Return a decoded picture of 8 bits, turned as its file says."""
    if image.dtype != np.uint8:
        _say_once(f"pictures of type {image.dtype} are stretched to 8 bits", name)
    return np.ascontiguousarray(turned(stretch_to_8_bit(image), _orientation(content)))


def write_picture(path: Path, image: NDArray[np.uint8]) -> Path:
    """Write a BGR picture into a new file in the format that the suffix names.

    A file that is there is never replaced: then the name gets a number. A suffix that cannot be
    written becomes `.jpg`.

    Returns:
        The path that was written.

    Raises:
        FrameError: it cannot be written.
    """
    wanted = path if path.suffix.lower() in _WRITABLE else path.with_suffix(".jpg")
    if wanted != path:
        _log.warning("picture %s: %r cannot be written, saved as .jpg", path, path.suffix)
    is_encoded, data = cv2.imencode(wanted.suffix, image)
    if not is_encoded:
        raise FrameError(f"picture {wanted}: cannot be encoded")
    numbered = (wanted.with_stem(f"{wanted.stem}_{number}") for number in itertools.count(2))
    for candidate in itertools.chain([wanted], numbered):
        try:
            with candidate.open("xb") as file:
                file.write(data.tobytes())
        except FileExistsError:
            continue
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FrameError(f"picture {candidate}: {reason}") from error
        return candidate
    raise AssertionError("there is always another number")


def _with_opencv(content: bytes) -> NDArray[np.generic] | None:
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image: NDArray[np.generic] | None = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # of a file that claims absurd sizes
        return None
    return None if image is None else _of_three_channels(image)


def _with_pillow(content: bytes) -> NDArray[np.generic] | None:
    from PIL import Image, ImageFile  # as little is needed of it as OpenCV cannot do

    with _pillow_lock:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with Image.open(io.BytesIO(content)) as picture:
                is_deep = picture.mode[0] in "IF"
                pixels = np.asarray(picture if is_deep else picture.convert("RGB"))
        except Exception:  # decoders raise whatever they like on bytes from outside
            return None
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    return _of_three_channels(pixels) if is_deep else pixels[:, :, ::-1]


def _of_three_channels(image: NDArray[np.generic]) -> NDArray[np.generic]:
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    return image.repeat(3, axis=2) if image.shape[2] < 3 else image[:, :, :3]


def _orientation(content: bytes) -> int:
    """Return EXIF's orientation, 1..8; 1 where there is none."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # as above
        return 1
    return value if value in range(1, 9) else 1


def _as_stored(content: bytes) -> bytes:
    """Return a TIFF file without its orientation, which decoders obey although told not to.

    TIFF 6.0, section 2: byte order, 42, offset of the first directory; its length; entries of tag,
    type, count and value, 12 bytes each.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(content[:4])
    if order is None or len(content) < 8:
        return content
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    if start + 2 > len(content):
        return content
    (count,) = struct.unpack_from(f"{order}H", content, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(content) - 11), 12):
        if struct.unpack_from(f"{order}H", content, entry) == (_ORIENTATION,):
            upright = struct.pack(f"{order}HH", 1, 0)
            return content[: entry + 8] + upright + content[entry + 12 :]
    return content


def turned(image: NDArray[_Pixel], orientation: int) -> NDArray[_Pixel]:
    """Return a view of a picture upright, as EXIF's orientation says (EXIF 2.32, 4.6.4).

    Args:
        image: (height, width, channels).
        orientation: 1..8; where the stored first row and column belong.
    """
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def _missing_rows(image: NDArray[np.generic]) -> int:
    """Return how many rows a cut JPEG has not; a decoder fills what is missing with one grey."""
    is_fill = (image == image[-1, -1]).all(axis=(1, 2))
    missing = int(np.argmin(is_fill[::-1])) if not is_fill.all() else len(is_fill)
    return missing if missing >= _MISSING_ROWS_MIN else 0


@functools.cache
def _say_once(text: str, name: str) -> None:
    _log.warning("picture %s: %s", name, text)

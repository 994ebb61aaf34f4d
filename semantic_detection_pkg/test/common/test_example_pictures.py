"""Pictures that show an example: cut ones and ones of absurd sizes are refused by one line."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from semantic_detection_pkg.common.pictures import decode_example, decode_picture
from semantic_detection_pkg.errors import FrameError

PIXELS = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PIXELS)[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG (RFC 2083) that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG (ITU T.81, B.2.2) that claims a size in its frame header."""
    content = encoded(".jpg")
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_what_a_cut_file_does_not_show_is_no_example(suffix, share):
    content = encoded(suffix)
    cut = np.frombuffer(content[: int(len(content) * share)], np.uint8)
    with pytest.raises(FrameError, match=r"picture of 'boot': (the file is cut|cannot be decoded)"):
        decode_example(cut, "of 'boot'")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_whole_files_are_as_ever_and_so_is_one_with_something_behind_it(suffix):
    content = encoded(suffix)
    for whole in (content, content + bytes(200)):
        data = np.frombuffer(whole, np.uint8)
        assert np.array_equal(decode_example(data, "of 'boot'"), decode_picture(data, "p"))
    grabbed = np.frombuffer(encoded(".jpg")[:-2], np.uint8)  # without its end, and yet all there
    assert decode_example(grabbed, "of 'boot'").shape == PIXELS.shape


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (png_header(20_000, 20_000), "more"),
        (jpeg_header(20_000, 20_000), "more"),
        (jpeg_header(12_000, 10_000), "12000x10000 px"),
        (png_header(2**31 - 1, 2**31 - 1), "more"),
    ],
)
def test_a_size_that_takes_all_memory_is_refused_before_there_is_memory_for_it(content, size):
    with pytest.raises(FrameError) as refused:
        decode_example(np.frombuffer(content, np.uint8), "of 'boot'")
    assert str(refused.value) == (
        f"picture of 'boot': has {size}, at most 100 megapixels are allowed"
    )


def test_a_picture_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x112] = 6
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG", exif=exif)
    turned = decode_example(np.frombuffer(stream.getvalue(), np.uint8), "of 'boot'")
    assert turned.shape == (320, 240, 3)

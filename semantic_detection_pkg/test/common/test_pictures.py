"""Picture files of every kind, as people have them; nothing of theirs is ever replaced."""

import io
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semantic_detection_pkg.common import pictures
from semantic_detection_pkg.common.kernels.depth import stretch_to_8_bit
from semantic_detection_pkg.common.pictures import decode_picture, read_picture, write_picture
from semantic_detection_pkg.errors import FrameError

WIDTH, HEIGHT = 48, 32
RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)


def corners() -> np.ndarray:
    """Red, green above; blue, white below."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2], image[: HEIGHT // 2, WIDTH // 2 :] = RED, GREEN
    image[HEIGHT // 2 :, : WIDTH // 2], image[HEIGHT // 2 :, WIDTH // 2 :] = BLUE, WHITE
    return image


def encoded(image: np.ndarray, kind: str, orientation: int = 1) -> np.ndarray:
    """The file that a camera held this way would write: pixels as the sensor has them, and EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(image[:, :, ::-1]).save(buffer, kind, exif=exif, quality=95, **options)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def as_sensor(image: np.ndarray, orientation: int) -> np.ndarray:
    """The inverse of what EXIF's table says: how the upright picture lies on the sensor."""
    turned = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image, 1),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image, -1),
    }
    return np.ascontiguousarray(turned[orientation])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_counts_in_every_format(kind, orientation):
    upright = corners()
    found = decode_picture(encoded(as_sensor(upright, orientation), kind, orientation), "p")
    assert found.shape == upright.shape
    for y, x in ((4, 4), (4, -5), (-5, 4), (-5, -5)):
        assert np.abs(found[y, x].astype(int) - upright[y, x]).max() < 40, (y, x)


@pytest.mark.parametrize(
    ("image", "suffix"),
    [
        (np.linspace(7000, 8020, 64 * 64).reshape(64, 64).astype(np.uint16), ".tif"),
        (np.linspace(7000, 8020, 64 * 64).reshape(64, 64).astype(np.uint16), ".png"),
        (np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16), ".png"),
        (np.linspace(280.5, 310.25, 64 * 64).reshape(64, 64).astype(np.float32), ".tif"),
    ],
    ids=["16-bit TIFF", "16-bit PNG", "12 bits in 16", "float TIFF"],
)
def test_more_than_8_bits_are_stretched_and_said_once(tmp_path, caplog, image, suffix):
    pictures._say_once.cache_clear()
    path = tmp_path / f"thermal{suffix}"
    cv2.imwrite(str(path), image)
    grey = read_picture(path)[:, :, 1]
    read_picture(path)
    assert grey.dtype == np.uint8
    assert (grey.min(), grey.max()) == (0, 255)
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()
    assert len([r for r in caplog.records if "stretched to 8 bits" in r.getMessage()]) == 1


def test_hot_and_missing_pixels_take_no_contrast():
    image = np.linspace(20.0, 40.0, 10_000, dtype=np.float32).reshape(100, 100)
    image[0, 0], image[0, 1] = 5000.0, np.nan
    grey = stretch_to_8_bit(image)
    assert grey[0, 1] == 0
    assert 120 < grey[50, 50] < 136


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
def test_a_picture_of_one_value_is_no_error(value):
    assert stretch_to_8_bit(np.full((4, 4), value, np.float32)).max() <= 255


def noisy_jpeg() -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def test_a_jpeg_without_its_last_bytes_is_whole(tmp_path, caplog):
    (tmp_path / "grabber.jpg").write_bytes(noisy_jpeg()[:-2])
    (tmp_path / "whole.jpg").write_bytes(noisy_jpeg())
    with caplog.at_level(logging.WARNING):
        found = read_picture(tmp_path / "grabber.jpg")
    assert np.array_equal(found[:-16], read_picture(tmp_path / "whole.jpg")[:-16])
    assert not caplog.records


def test_a_cut_jpeg_is_decoded_as_far_as_it_goes_with_a_word(tmp_path, caplog):
    content = noisy_jpeg()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) * 6 // 10])
    (tmp_path / "whole.jpg").write_bytes(content)
    found, whole = read_picture(tmp_path / "cut.jpg"), read_picture(tmp_path / "whole.jpg")
    assert np.array_equal(found[:120], whole[:120])
    (record,) = caplog.records
    assert "rows are missing" in record.getMessage()
    assert "of 240" in record.getMessage()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40), "is HEIC"),
        (b"<html>not found</html>", "cannot be decoded"),
        (b"\xff\xd8\xff", "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, content, reason):
    path = tmp_path / "p.jpg"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=reason) as refused:
        read_picture(path)
    assert str(path) in str(refused.value)


def test_no_file_is_ever_replaced(tmp_path):
    mine = tmp_path / "a.jpg"
    mine.write_bytes(b"a photograph")
    written = [write_picture(mine, corners()) for _ in range(3)]
    assert mine.read_bytes() == b"a photograph"
    assert [path.name for path in written] == ["a_2.jpg", "a_3.jpg", "a_4.jpg"]


@pytest.mark.parametrize("name", ["p.jfif", "p", "p.dng", "p.avif"])
def test_a_suffix_that_cannot_be_written_becomes_jpg_with_a_word(tmp_path, caplog, name):
    assert write_picture(tmp_path / name, corners()).name == "p.jpg"
    assert "saved as .jpg" in caplog.text


def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path):
    target = tmp_path / "target.jpg"
    (tmp_path / "a.jpg").symlink_to(target)
    assert write_picture(tmp_path / "a.jpg", corners()) == Path(tmp_path / "a_2.jpg")
    assert not target.exists()

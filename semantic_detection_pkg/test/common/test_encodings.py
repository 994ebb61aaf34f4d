"""Encodings of image messages, made by hand or by OpenCV, against the picture that they hold."""

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.common.kernels.encodings import PixelLayout, is_deep, to_bgr
from semantic_detection_pkg.errors import FrameError

HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope="module")
def colours() -> np.ndarray:
    """A smooth BGR picture in which every channel runs another way."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([40 + 2 * x, 60 + 3 * y, 220 - x - 2 * y], axis=2).astype(np.uint8)


def layout(
    encoding: str, step: int, *, big: bool = False, width=WIDTH, height=HEIGHT
) -> PixelLayout:
    return PixelLayout(encoding, big, width, height, step)


def padded(rows: np.ndarray, filler: int) -> tuple[np.ndarray, int]:
    """The bytes of (n, row) with so many more behind each row, and the step."""
    flat = rows.reshape(rows.shape[0], -1).view(np.uint8)
    wide = np.pad(flat, ((0, 0), (0, filler)), constant_values=77)
    return wide.ravel(), wide.shape[1]


def assert_alike(image: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert image.shape == expected.shape
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("filler", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("bgr8", "bgr"), ("rgb8", "rgb"), ("bgra8", "bgra"), ("rgba8", "rgba"), ("8UC3", "bgr"),
     ("8UC4", "bgra")],
)  # fmt: skip
def test_eight_bits_come_as_they_are(colours, encoding, order, filler):
    blue, green, red = np.moveaxis(colours, 2, 0)
    named = {"b": blue, "g": green, "r": red, "a": np.full_like(blue, 9)}
    data, step = padded(np.stack([named[one] for one in order], axis=2), filler)

    assert np.array_equal(to_bgr(data, layout(encoding, step)), colours)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_is_tripled(colours, encoding):
    grey = colours[..., 1]
    data, step = padded(grey, 3)

    assert np.array_equal(to_bgr(data, layout(encoding, step)), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("encoding", "kind"),
    [("mono16", "u2"), ("16UC1", "u2"), ("16SC1", "i2"), ("32SC1", "i4"), ("32FC1", "f4"),
     ("64FC1", "f8")],
)  # fmt: skip
def test_thermal_pictures_are_stretched(colours, encoding, kind, big):
    """Twelve bits somewhere in the middle of sixteen: black without it."""
    grey = colours[..., 1].astype(np.float64)
    dtype = np.dtype(kind).newbyteorder(">" if big else "<")
    data, step = padded((7000 + 4 * grey).astype(dtype), 8)

    image = to_bgr(data, layout(encoding, step, big=big))

    expected = (grey - grey.min()) / (grey.max() - grey.min()) * 255
    assert_alike(image, np.stack([expected] * 3, axis=2), 3.0)
    assert image.min() == 0
    assert image.max() == 255
    assert is_deep(encoding)


def test_a_map_with_holes_keeps_its_contrast(colours):
    depth = colours[..., 0].astype(np.float32) / 50
    depth[:4] = np.nan
    depth[4] = np.inf
    data, step = padded(depth, 0)

    image = to_bgr(data, layout("32FC1", step))

    assert image[:5].max() == 0
    assert image[6:].std() > 50


@pytest.mark.parametrize(("encoding", "order"), [("bgr16", "bgr"), ("rgb16", "rgb"),
                                                 ("rgba16", "rgba"), ("16UC3", "bgr")])  # fmt: skip
def test_colours_of_sixteen_bits(colours, encoding, order):
    blue, green, red = np.moveaxis(colours.astype(np.uint16) * 16, 2, 0)
    named = {"b": blue, "g": green, "r": red, "a": np.zeros_like(blue)}
    data, step = padded(np.stack([named[one] for one in order], axis=2), 4)

    image = to_bgr(data, layout(encoding, step))

    low, high = np.percentile(colours, (0.5, 99.5))
    assert_alike(image, np.clip((colours - low) / (high - low) * 255, 0, 255), 2.0)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_by_the_order_of_their_first_rows(pattern, bits):
    colour = np.array([30, 90, 200])  # blue, green, red
    colours = np.tile(colour, (HEIGHT, WIDTH, 1))
    colours[:, WIDTH // 2 :] //= 2
    mosaic = np.zeros((HEIGHT, WIDTH), f"u{bits // 8}")
    for index, letter in enumerate(pattern):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = colours[row::2, column::2, "bgr".index(letter)]
    data, step = padded(mosaic if bits == 8 else mosaic * 16, 2)

    image = to_bgr(data, layout(f"bayer_{pattern}{bits}", step))

    if bits == 8:
        assert_alike(image[:, : WIDTH // 2 - 2], colours[:, : WIDTH // 2 - 2], 1.0)
    blue, green, red = image[10, 10].astype(int)
    assert blue < green < red


def yuv(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, and U and V at half the width and height, as OpenCV makes them of a picture."""
    planes = cv2.cvtColor(colours, cv2.COLOR_BGR2YUV_I420)
    quarter = HEIGHT // 2, WIDTH // 2
    chroma = planes[HEIGHT:].reshape(2, *quarter)
    return planes[:HEIGHT], chroma[0], chroma[1]


@pytest.mark.parametrize("filler", [0, 8])
@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_pairs_of_pixels(colours, encoding, filler):
    luma, u, v = yuv(colours)
    u, v = u.repeat(2, axis=0), v.repeat(2, axis=0)
    parts = [u, luma[:, ::2], v, luma[:, 1::2]]
    if encoding in ("yuv422_yuy2", "yuyv"):
        parts = [parts[1], parts[0], parts[3], parts[2]]
    data, step = padded(np.stack(parts, axis=2), filler)

    assert_alike(to_bgr(data, layout(encoding, step)), colours, 4.0)


@pytest.mark.parametrize("filler", [0, 8])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24", "i420"])
def test_planes(colours, encoding, filler):
    luma, u, v = yuv(colours)
    rows = [padded(luma, filler)[0]]
    if encoding == "i420":
        rows += [padded(plane, filler // 2)[0] for plane in (u, v)]
    elif encoding == "nv24":
        both = np.stack([u, v], axis=2).repeat(2, axis=0).repeat(2, axis=1)
        rows.append(padded(both, 2 * filler)[0])
    else:
        both = np.stack([u, v] if encoding == "nv12" else [v, u], axis=2)
        rows.append(padded(both, filler)[0])

    image = to_bgr(np.concatenate(rows), layout(encoding, WIDTH + filler))

    assert_alike(image, colours, 4.0)


@pytest.mark.parametrize(
    ("described", "size", "message"),
    [
        (layout("h264", WIDTH), 10_000, "'h264' is not supported, supported are bgr8"),
        (layout("8FC1", WIDTH), 10_000, "'8FC1' is not supported"),
        (layout("16UC2", WIDTH * 4), 100_000, "'16UC2' is not supported"),
        (layout("", WIDTH), 10_000, "'' is not supported"),
        (layout("mono16", WIDTH), 100_000, "a step of 64 bytes, at least 128 are needed"),
        (layout("bgr8", 3 * WIDTH), 100, "48 rows of 192 bytes has 100 bytes"),
        (layout("nv12", WIDTH), WIDTH * HEIGHT, "72 rows of 64 bytes has 3072 bytes"),
        (layout("nv12", WIDTH, width=63), 100_000, "must have an even size"),
        (layout("yuyv", 2 * WIDTH, width=63), 100_000, "must have an even size"),
        (layout("i420", WIDTH + 1), 100_000, "must have an even size"),
        (layout("mono8", 0, width=0), 10, "at least 0 are needed and one pixel"),
        (layout("bgr8", 2**32 - 1, width=2**30, height=2**32 - 1), 100, "rows of 4294967295"),
        (layout("bayer_rggb8", WIDTH), 10, "has 10 bytes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(described, size, message):
    with pytest.raises(FrameError, match=message) as raised:
        to_bgr(np.zeros(size, np.uint8), described)

    assert "\n" not in str(raised.value)


def test_any_step_and_size_is_read_or_refused():
    """Nothing from a wire raises anything else."""
    random = np.random.default_rng(3)
    names = ["mono8", "mono16", "bayer_grbg16", "uyvy", "nv21", "nv24", "i420", "32FC1", "rgb8"]
    for _ in range(1500):
        described = PixelLayout(
            str(random.choice(names)),
            bool(random.integers(2)),
            *(int(one) for one in random.integers(0, random.choice([4, 40]), 2)),
            int(random.integers(0, 130)),
        )
        data = random.integers(0, 256, int(random.integers(0, 4000)), np.uint8)
        try:
            image = to_bgr(data, described)
        except FrameError:
            continue
        assert image.shape == (described.height, described.width, 3)

"""The compiled letterbox against its twin: any sizes, any strides, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin, versions

from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer

LEVEL = 1 / 255


def written(version, image: np.ndarray, width: int, height: int, dtype: type) -> np.ndarray:
    box = Letterbox(image.shape[1], image.shape[0], width, height)
    tensor = np.full((3, height, width), np.nan, dtype)
    size, offset = (box.content_width, box.content_height), (box.left, box.top)
    Letterboxer(version).write(image, tensor, size, offset)
    return tensor


@st.composite
def strided_images(draw) -> np.ndarray:
    """Pictures of 1 to 40 pixels a side, some as views with gaps, reversed or transposed."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    whole = np.random.default_rng(draw(st.integers(0, 99))).integers(
        0, 256, (2 * height, 2 * width, 5), np.uint8
    )
    views = [
        whole[:height, :width, :3],
        whole[::2, ::2, 1:4],
        whole[:height, :width, 2::-1],
        whole[height - 1 :: -1, width - 1 :: -1, ::2],
        np.ascontiguousarray(whole[:height, :width, :3]),
        np.ascontiguousarray(whole[:width, :height, :3]).transpose(1, 0, 2),
        np.broadcast_to(whole[0, 0, :3], (height, width, 3)),
        np.ascontiguousarray(whole[..., :3])[: height or 1, width // 2 : width // 2 + width],
    ]
    return draw(st.sampled_from(views))


@needs_compiled
@given(strided_images(), st.integers(1, 64), st.integers(1, 64), st.sampled_from("fe"))
def test_equals_the_twin_within_a_level(image, width, height, dtype):
    image.flags.writeable = False

    ours = written(compiled("letterbox"), image, width, height, np.dtype(dtype))
    theirs = written(twin("letterbox"), image, width, height, np.dtype(dtype))

    np.testing.assert_allclose(
        ours.astype(np.float32), theirs.astype(np.float32), rtol=0, atol=1.001 * LEVEL
    )


@needs_compiled
@pytest.mark.parametrize(
    "size", [(1920, 1080), (1280, 720), (3840, 2160), (1919, 1081), (640, 360)]
)
def test_camera_sizes_equal_the_twin(size):
    image = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)

    difference = np.abs(
        written(compiled("letterbox"), image, 640, 640, np.float32)
        - written(twin("letterbox"), image, 640, 640, np.float32)
    )

    assert difference.max() <= LEVEL
    assert difference.mean() <= 0.3 * LEVEL  # rounding to levels, nothing systematic


@needs_compiled
@given(strided_images())
def test_at_its_own_resolution_nothing_is_interpolated(image):
    """Tiles of the input's size: the levels themselves, to the bit."""
    height, width = image.shape[:2]
    tensor = np.empty((3, height, width), np.float32)

    Letterboxer(compiled("letterbox")).write(image, tensor, (width, height), (0, 0))

    levels = image[..., ::-1].transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(tensor, levels * np.float32(LEVEL))


@needs_compiled
@given(st.integers(0, 2**32 - 1))
def test_half_precision_is_rounded_to_the_nearest(seed):
    image = np.random.default_rng(seed).integers(0, 4, (7, 9, 3), np.uint8)  # small: subnormals

    half = written(compiled("letterbox"), image, 61, 47, np.float16)

    single = written(compiled("letterbox"), image, 61, 47, np.float32)
    np.testing.assert_array_equal(half, single.astype(np.float16))


@needs_compiled
def test_one_letterboxer_takes_changing_sizes():
    random = np.random.default_rng(3)
    kept = Letterboxer(compiled("letterbox"))
    tensor = np.empty((3, 64, 64), np.float32)
    for width, height in ((30, 20), (1, 50), (200, 3), (30, 20), (30, 64)):
        image = random.integers(0, 256, (height, width, 3), np.uint8)[:, ::-1]
        box = Letterbox(width, height, 64, 64)
        size, offset = (box.content_width, box.content_height), (box.left, box.top)

        kept.write(image, tensor, size, offset)

        np.testing.assert_array_equal(
            tensor, written(compiled("letterbox"), image, 64, 64, np.float32)
        )


IMAGE = np.zeros((4, 6, 3), np.uint8)
TENSOR = np.zeros((3, 8, 8), np.float32)


@pytest.mark.parametrize("version", versions("letterbox"))
@pytest.mark.parametrize(
    ("image", "tensor", "size", "offset", "what"),
    [
        (IMAGE[..., 0], TENSOR, (4, 4), (0, 0), "image uint8"),  # mono
        (IMAGE.astype(np.uint16), TENSOR, (4, 4), (0, 0), "image uint16"),
        (np.zeros((4, 6, 4), np.uint8), TENSOR, (4, 4), (0, 0), "image uint8"),
        (IMAGE[:0], TENSOR, (4, 4), (0, 0), "image uint8"),
        (IMAGE, TENSOR.astype(np.float64), (4, 4), (0, 0), "tensor float64"),
        (IMAGE, TENSOR[:2], (4, 4), (0, 0), "tensor float32"),
        (IMAGE, TENSOR[:, :, ::2], (4, 4), (0, 0), "tensor float32"),
        (IMAGE, TENSOR, (0, 4), (0, 0), "content 0x4"),
        (IMAGE, TENSOR, (8, 8), (1, 0), "content 8x8 at 1, 0"),
        (IMAGE, TENSOR, (4, 9), (0, 0), "content 4x9"),
        (IMAGE, TENSOR, (4, 4), (0, -1), "content 4x4 at 0, -1"),
    ],
)
def test_other_arguments_are_refused(version, image, tensor, size, offset, what):
    with pytest.raises(ValueError, match=f"letterbox: {what} .*must"):
        Letterboxer(version).write(image, tensor, size, offset)


@pytest.mark.parametrize("version", versions("letterbox"))
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_padding_that_is_there_is_left_alone(version, dtype):
    tensor = np.full((3, 8, 10), 7, dtype)
    image = np.full((2, 3, 3), 255, np.uint8)

    Letterboxer(version).write(image, tensor, (6, 4), (1, 2), is_padded=True)

    expected = np.full((3, 8, 10), 7, dtype)
    expected[:, 2:6, 1:7] = 1
    np.testing.assert_array_equal(tensor, expected)

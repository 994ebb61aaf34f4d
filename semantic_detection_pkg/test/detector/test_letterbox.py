"""The geometry of the letterbox and the kernel that fills the tensor."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.letterbox import PADDING, Letterboxer

lengths = st.integers(1, 5000)
letterboxes = st.builds(Letterbox, lengths, lengths, st.integers(32, 1280), st.integers(32, 1280))


@pytest.mark.parametrize(
    ("source", "network", "content", "left_top"),
    [
        ((1920, 1080), (640, 640), (640, 360), (0, 140)),
        ((1000, 667), (640, 640), (640, 427), (0, 106)),  # 106 above, 107 below
        ((810, 1080), (640, 640), (480, 640), (80, 0)),
        ((640, 640), (640, 640), (640, 640), (0, 0)),
        ((64, 32), (640, 640), (640, 320), (0, 160)),  # enlarged
        ((1, 1), (640, 640), (640, 640), (0, 0)),
        ((5000, 1), (640, 640), (640, 1), (0, 319)),  # never less than a pixel
        ((1280, 5), (640, 640), (640, 2), (0, 319)),  # 2.5 rounds to the even 2
        ((1280, 7), (640, 640), (640, 4), (0, 318)),  # 3.5 rounds to the even 4
        ((1920, 1080), (640, 384), (640, 360), (0, 12)),
    ],
)
def test_known_geometry(source, network, content, left_top):
    box = Letterbox(*source, *network)

    assert (box.content_width, box.content_height) == content
    assert (box.left, box.top) == left_top


@given(letterboxes)
def test_content_lies_inside_with_at_most_one_odd_pixel(box):
    right = box.width - box.left - box.content_width
    below = box.height - box.top - box.content_height

    assert 0 <= box.left <= right <= box.left + 1
    assert 0 <= box.top <= below <= box.top + 1


@given(letterboxes, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_to_source_inverts_to_input(box, shares):
    points = np.array(shares) * (box.source_width, box.source_height)

    there_and_back = box.to_source(box.to_input(points))

    np.testing.assert_allclose(there_and_back, points, rtol=1e-12, atol=1e-9)


@given(letterboxes)
def test_the_picture_corners_are_the_content_corners(box):
    corners = box.to_input(np.array([[0, 0], [box.source_width, box.source_height]], float))

    content = [
        [box.left, box.top],
        [box.left + box.content_width, box.top + box.content_height],
    ]
    np.testing.assert_allclose(corners, content, atol=1e-9)


def test_boxes_are_cut_at_the_picture():
    box = Letterbox(200, 100, 64, 64)

    boxes = box.boxes_to_source(np.array([[-10, -10, 100, 100], [0, 16, 32, 48]], np.float32))

    np.testing.assert_allclose(boxes, [[0, 0, 200, 100], [0, 0, 100, 100]])


@pytest.mark.parametrize("sizes", [(0, 5, 64, 64), (5, 5, 64, 0), (-1, 5, 64, 64)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        Letterbox(*sizes)


def filled(image: np.ndarray, box: Letterbox, dtype: type = np.float32) -> np.ndarray:
    tensor = np.full((3, box.height, box.width), np.nan, dtype)
    size = box.content_width, box.content_height
    Letterboxer().write(image, tensor, size, (box.left, box.top))
    return tensor


def twin(image: np.ndarray, box: Letterbox) -> np.ndarray:
    """The same as written in the Ultralytics documentation, step by step."""
    resized = cv2.resize(image, (box.content_width, box.content_height))
    right = box.width - box.content_width - box.left
    below = box.height - box.content_height - box.top
    padded = cv2.copyMakeBorder(
        resized, box.top, below, box.left, right, cv2.BORDER_CONSTANT, value=(PADDING,) * 3
    )
    return padded[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_pixels_equal_the_documented_steps(width, height, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    box = Letterbox(width, height, 64, 48)

    np.testing.assert_allclose(filled(image, box), twin(image, box), rtol=0, atol=1.001 / 255)


@pytest.mark.parametrize("view", ["rows reversed", "every second pixel", "channels reversed"])
def test_any_strides_are_taken(view):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    strided = {
        "rows reversed": image[::-1],
        "every second pixel": image[::2, ::2],
        "channels reversed": image[..., ::-1],
    }[view]
    box = Letterbox(strided.shape[1], strided.shape[0], 64, 64)

    np.testing.assert_array_equal(filled(strided, box), filled(strided.copy(), box))


def test_half_precision_is_float32_rounded():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    box = Letterbox(16, 16, 16, 16)

    half = filled(image, box, np.float16)

    np.testing.assert_array_equal(half, filled(image, box).astype(np.float16))


def test_a_picture_of_the_content_size_is_not_resampled():
    image = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)

    tensor = filled(image, Letterbox(64, 64, 64, 64))

    np.testing.assert_array_equal(
        np.round(tensor * 255).astype(np.uint8), image[..., ::-1].transpose(2, 0, 1)
    )

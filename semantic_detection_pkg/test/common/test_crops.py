"""Parts of pictures around a box."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.common.kernels.crops import encode_jpeg, resized, square_around

PICTURE = np.zeros((100, 200, 3), np.uint8)


@pytest.mark.parametrize(
    ("box", "margin", "least_px", "rows", "columns"),
    [
        ((90, 40, 110, 60), 2.0, 1.0, (30, 70), (80, 120)),
        ((90, 45, 110, 55), 1.0, 1.0, (40, 60), (90, 110)),  # a square, of the longer side
        ((99, 49, 101, 51), 1.0, 30.0, (35, 65), (85, 115)),  # not too small
        ((0, 0, 20, 20), 2.0, 1.0, (0, 30), (0, 30)),  # as far as the picture goes
        ((500, 500, 520, 520), 1.0, 1.0, (90, 100), (190, 200)),  # moved into it
    ],
)
def test_the_square_around_a_box(
    box: tuple[float, ...],
    margin: float,
    least_px: float,
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> None:
    assert square_around(box, PICTURE, margin, least_px) == (slice(*rows), slice(*columns))


@pytest.mark.parametrize(
    ("bounds", "shape"),
    [((1, 50), (25, 50)), ((400, 500), (200, 400)), ((1, 1000), (100, 200))],
)
def test_the_longer_side_is_within_its_bounds(
    bounds: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert resized(PICTURE, *bounds).shape[:2] == shape


def test_jpeg_of_a_part_that_is_not_contiguous() -> None:
    part = PICTURE[square_around((90, 40, 110, 60), PICTURE, 2.0, 1.0)]
    data = np.frombuffer(encode_jpeg(part, 90), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (40, 40, 3)

"""What of a picture shows an example, and where the example is in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.tile_layout import Region
from semantic_detection_pkg.errors import FrameError

#: Longest sides of the box that are seen of its surroundings, at least.
_SURROUNDINGS = 3.0


@dataclass(frozen=True)
class ExampleView:
    """The part of a picture that an example network looks at.

    Attributes:
        region: of the picture [px].
        letterbox: how it goes into the network's input.
        box_xyxy: of the example, in the input [px].
    """

    region: Region
    letterbox: Letterbox
    box_xyxy: tuple[float, float, float, float]

    def mask(self, rows: int, columns: int) -> NDArray[np.float32]:
        """Return (1, 1, rows, columns): 1 where the example is; at least one place is.

        As `LoadVisualPrompt` of Ultralytics: a place is inside from the box's left edge up to its
        right, by the place's index.
        """
        x_scale, y_scale = columns / self.letterbox.width, rows / self.letterbox.height
        x0, y0, x1, y1 = self.box_xyxy
        across, down = np.arange(columns), np.arange(rows)
        inside_x = (across >= x0 * x_scale) & (across < x1 * x_scale)
        inside_y = (down >= y0 * y_scale) & (down < y1 * y_scale)
        if not inside_x.any():
            inside_x[min(int((x0 + x1) / 2 * x_scale), columns - 1)] = True
        if not inside_y.any():
            inside_y[min(int((y0 + y1) / 2 * y_scale), rows - 1)] = True
        return (inside_y[:, None] & inside_x).astype(np.float32)[None, None]


def example_view(
    box_xyxy: Sequence[float], picture_size: tuple[int, int], input_size: tuple[int, int]
) -> ExampleView:
    """Return what to look at: in a large picture the box's surroundings, at native resolution.

    Args:
        box_xyxy: of the example [px of the picture].
        picture_size, input_size: width, height [px].

    Raises:
        FrameError: the box has no area, or lies outside the picture.
    """
    width, height = picture_size
    cut = box_inside(box_xyxy, picture_size)
    side = _SURROUNDINGS * max(cut[2] - cut[0], cut[3] - cut[1])
    left, right = _range(cut[0], cut[2], max(side, input_size[0]), width)
    top, bottom = _range(cut[1], cut[3], max(side, input_size[1]), height)
    region = Region(left, top, right, bottom)
    letterbox = Letterbox(region.width, region.height, *input_size)
    corners = np.array(cut, np.float64).reshape(2, 2) - np.array((left, top), np.float64)
    a, b, c, d = letterbox.to_input(corners).ravel().tolist()
    return ExampleView(region, letterbox, (a, b, c, d))


def box_inside(
    box_xyxy: Sequence[float], picture_size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return what of a box is inside a picture [px].

    Raises:
        FrameError: the box has no area, or lies outside.
    """
    x0, y0, x1, y1 = (float(value) for value in box_xyxy)
    width, height = picture_size
    is_finite = all(map(math.isfinite, (x0, y0, x1, y1)))
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if not is_finite or x0 >= x1 or y0 >= y1 or cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise FrameError(
            f"box {x0:g}, {y0:g}, {x1:g}, {y1:g} px: a box of some area that shows part of the "
            f"picture of {width}x{height} px is needed"
        )
    return cut


def _range(low: float, high: float, length: float, limit: int) -> tuple[int, int]:
    """Return first and end of a range of about this length around another, within 0..limit."""
    size = min(math.ceil(length), limit)
    first = min(max(round((low + high - size) / 2), 0), limit - size)
    return first, first + size

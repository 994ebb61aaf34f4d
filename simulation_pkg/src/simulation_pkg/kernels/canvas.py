"""A transparent picture to draw one thing of the simulated world on, in the unit square."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

_SHIFT = 4


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour, darker (factor < 1) or lighter (> 1)."""
    blue, green, red = (min(255, max(0, round(value * factor))) for value in colour)
    return blue, green, red


class Canvas:
    """Premultiplied BGRA picture; x right, y down, both 0..1.

    Drawing with anti-aliasing on transparent black leaves premultiplied edges by itself.
    """

    def __init__(self, width: int, height: int) -> None:
        """Start with a fully transparent width x height [px] picture."""
        self.image: NDArray[np.uint8] = np.zeros((height, width, 4), np.uint8)

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.image, [self._fixed(points)], (*colour, 255), cv2.LINE_AA, _SHIFT)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, thickness: float) -> None:
        """Draw connected strokes; thickness in shares of the height."""
        pixels = max(1, round(thickness * self.image.shape[0]))
        ends = self._fixed(points)
        cv2.polylines(self.image, [ends], False, (*colour, 255), pixels, cv2.LINE_AA, _SHIFT)

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour
    ) -> None:
        """Fill an ellipse; radii in shares of the width and of the height."""
        angles = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
        outline = np.stack(
            [centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1
        )
        self.polygon([(float(x), float(y)) for x, y in outline], colour)

    def texture(self, factors: NDArray[np.float32]) -> None:
        """Multiply the drawn colours by a (height, width) picture of factors."""
        colours = self.image[..., :3].astype(np.float32) * factors[..., None]
        # Premultiplied colours never exceed their alpha.
        self.image[..., :3] = np.minimum(colours, self.image[..., 3:]).astype(np.uint8)

    def _fixed(self, points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        height, width = self.image.shape[:2]
        pixels = np.asarray(points, np.float64) * (width, height) - 0.5
        return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)

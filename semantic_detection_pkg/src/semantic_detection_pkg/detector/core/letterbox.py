"""How a picture of any size fits into the network's input, and back. Geometry only, no pixels.

The rule is that of Ultralytics' LetterBox: one scale for both axes, enlarging allowed, rounded
half to even (Python's `round`), centred with the odd pixel of padding at the bottom or right. That
of YOLOX (`preproc` in yolox/data/data_augment.py) rounds down and pads at the right and bottom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.preprocessing import Fit
from semantic_detection_pkg.detector.kernels.masks import SampleAxis


@dataclass(frozen=True)
class Letterbox:
    """A picture of source_width x source_height inside an input of width x height, all [px].

    Raises:
        ValueError: on construction, if a size is less than 1.
    """

    source_width: int
    source_height: int
    width: int
    height: int
    fit: Fit = Fit.CENTRED

    def __post_init__(self) -> None:
        if min(self.source_width, self.source_height, self.width, self.height) < 1:
            raise ValueError(
                f"letterbox: {self.source_width}x{self.source_height} into "
                f"{self.width}x{self.height}: sizes must be at least 1"
            )

    @property
    def _scale(self) -> float:
        return min(self.height / self.source_height, self.width / self.source_width)

    @property
    def content_width(self) -> int:
        """Columns of the input that show the picture [px], >= 1."""
        return self._content(self.source_width, self.width)

    @property
    def content_height(self) -> int:
        """Rows of the input that show the picture [px], >= 1."""
        return self._content(self.source_height, self.height)

    @property
    def left(self) -> int:
        """Padding left of the picture [px]."""
        return self._padding(self.width - self.content_width)

    @property
    def top(self) -> int:
        """Padding above the picture [px]."""
        return self._padding(self.height - self.content_height)

    def _content(self, length: int, room: int) -> int:
        if self.fit is Fit.STRETCHED:
            return room
        scaled = length * self._scale
        return max(round(scaled) if self.fit is Fit.CENTRED else int(scaled), 1)

    def _padding(self, both: int) -> int:
        return round(both / 2 - 0.1) if self.fit is Fit.CENTRED else 0

    @property
    def gain_xy(self) -> tuple[float, float]:
        """Input pixels per picture pixel, along x and y; rounding makes them differ a little."""
        return (
            self.content_width / self.source_width,
            self.content_height / self.source_height,
        )

    def to_input(self, points_xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (..., 2) x, y of the picture as x, y of the input."""
        return points_xy * np.array(self.gain_xy) + (self.left, self.top)

    def to_source(self, points_xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (..., 2) x, y of the input as x, y of the picture; the inverse of `to_input`."""
        return (points_xy - np.array((self.left, self.top))) / np.array(self.gain_xy)

    def boxes_to_source(self, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (n, 4) boxes of the input as boxes of the picture, cut at its edges."""
        corners = self.to_source(boxes_xyxy.reshape(-1, 2, 2))
        cut = np.clip(corners, 0, (self.source_width, self.source_height))
        return cut.reshape(-1, 4).astype(np.float32)

    def prototype_axes(self, columns: int, rows: int) -> tuple[SampleAxis, SampleAxis]:
        """Return where the picture lies on the grid of mask prototypes, along x and along y.

        As in `process_mask_native` of Ultralytics: the prototypes are enlarged 1, 2 or 4 times
        until the padding is whole samples, which are cut off, so that nothing of the padding is
        interpolated into the picture.

        Args:
            columns, rows: of the prototypes, which cover the whole input.
        """
        sides = (
            (self.source_width, self.content_width, self.left, columns / self.width, columns),
            (self.source_height, self.content_height, self.top, rows / self.height, rows),
        )
        edges = [edge * step for _, size, pad, step, _ in sides for edge in (pad, pad + size)]
        enlarged = next((n for n in (1, 2) if all(n * e == int(n * e) for e in edges)), 4)
        axes = []
        for source, content, pad, step, count in sides:
            first = pad * step + 0.5 / enlarged - 0.5
            last = max((pad + content) * step - 0.5 / enlarged - 0.5, first)
            low, high = (min(max(edge, 0.0), count - 1.0) for edge in (first, last))
            axes.append(SampleAxis(content / source * step, pad * step - 0.5, low, high))
        return axes[0], axes[1]

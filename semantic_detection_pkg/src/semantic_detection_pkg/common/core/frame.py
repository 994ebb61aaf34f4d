"""One picture of a camera and what identifies it. Nothing about where it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frame:
    """A captured picture.

    Attributes:
        stamp_ns: capture time [ns since the epoch], >= 0. It identifies the frame everywhere and
            strictly increases per camera.
        sequence: frames captured since the camera started, 0-based; a gap is a dropped frame.
        image: (height, width, 3) uint8, BGR. May be a view of memory that others write later.
        frame_id: optical frame (REP 103) in which it was taken; empty: not said.
        captured_ns: capture time on the machine's steady clock [ns]; 0: not known.

    Raises:
        ValueError: on construction, if an attribute is out of its range.
    """

    stamp_ns: int
    sequence: int
    image: NDArray[np.uint8]
    frame_id: str = ""
    captured_ns: int = 0

    def __post_init__(self) -> None:
        if self.stamp_ns < 0 or self.sequence < 0:
            raise ValueError(
                f"frame: stamp_ns {self.stamp_ns} and sequence {self.sequence} must be >= 0"
            )
        check_image(self.image)

    @property
    def width(self) -> int:
        """Columns [px]."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Rows [px]."""
        return int(self.image.shape[0])


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `image` is a non-empty (height, width, 3) uint8 array."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image: {image.dtype} {image.shape} must be uint8 (height >= 1, width >= 1, 3)"
        )

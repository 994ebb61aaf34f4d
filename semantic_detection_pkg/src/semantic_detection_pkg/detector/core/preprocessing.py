"""What a network wants its picture to be: how it is fitted in, and what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fit(Enum):
    """How a picture of another aspect lies in the input; the values are for messages."""

    CENTRED = "padded on both sides"
    CORNER = "padded at the right and at the bottom"


@dataclass(frozen=True)
class Preprocessing:
    """Ultralytics' own by default.

    Attributes:
        fit: of the picture into the input.
        is_bgr: order of the channels; else RGB.
        white: number of the brightest pixel, > 0.
    """

    fit: Fit = Fit.CENTRED
    is_bgr: bool = False
    white: float = 1.0

    @property
    def is_plain(self) -> bool:
        """Whether the numbers are RGB, 0..1."""
        return not self.is_bgr and self.white == 1.0


ULTRALYTICS = Preprocessing()
#: `preproc` in yolox/data/data_augment.py, since release 0.1.1rc0.
YOLOX = Preprocessing(Fit.CORNER, is_bgr=True, white=255.0)

"""What a network wants its picture to be: how it is fitted in, and what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fit(Enum):
    """How a picture of another aspect lies in the input; the values are for messages."""

    CENTRED = "padded on both sides"
    CORNER = "padded at the right and at the bottom"
    STRETCHED = "stretched"


@dataclass(frozen=True)
class Preprocessing:
    """Ultralytics' own by default.

    Attributes:
        fit: of the picture into the input.
        is_bgr: order of the channels; else RGB.
        white: number of the brightest pixel, > 0.
        mean, std: per channel in the input's order, subtracted and divided by, of 0..white.
    """

    fit: Fit = Fit.CENTRED
    is_bgr: bool = False
    white: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def is_plain(self) -> bool:
        """Whether the numbers are RGB, 0..1."""
        return self == Preprocessing(self.fit)


ULTRALYTICS = Preprocessing()
#: `preproc` in yolox/data/data_augment.py, since release 0.1.1rc0.
YOLOX = Preprocessing(Fit.CORNER, is_bgr=True, white=255.0)
#: `RTDETRImageProcessor` of transformers, `LetterBox(scale_fill=True)` of ultralytics.
RT_DETR = Preprocessing(Fit.STRETCHED)
#: With ImageNet's mean and deviation (rfdetr/detr.py).
RF_DETR = Preprocessing(Fit.STRETCHED, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

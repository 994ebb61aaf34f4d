"""What may be changed while the detector runs: one frozen set of numbers with ranges."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from semantic_detection_pkg.errors import ConfigurationError

#: Smallest and largest allowed value of each number in `DetectorSettings`.
RANGES: dict[str, tuple[float, float]] = {
    "confidence": (0.0, 1.0),
    "iou": (0.0, 1.0),
    "max_detections": (1, 10_000),
    "polygon_tolerance_px": (0.0, 10.0),
}


@dataclass(frozen=True)
class DetectorSettings:
    """Thresholds of the detector.

    Attributes:
        confidence: a detection's score is greater than this, 0..1.
        iou: of two boxes of one class that overlap by more than this, 0..1, the better stays.
        max_detections: the best so many stay, 1..10000.
        is_class_agnostic: boxes suppress each other whatever their classes are.
        polygon_tolerance_px: mask outlines may be simplified by this much [px], 0..10; never less
            than 1/50. Small masks are simplified less (see `kernels.masks`). The default leaves an
            IoU >= 0.99 with the exact mask.

    Raises:
        ConfigurationError: on construction, if a value is out of its range.
    """

    confidence: float = 0.25
    iou: float = 0.7
    max_detections: int = 300
    is_class_agnostic: bool = False
    polygon_tolerance_px: float = 0.25

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name not in RANGES:
                continue
            value = getattr(self, field.name)
            minimum, maximum = RANGES[field.name]
            if not minimum <= value <= maximum:
                raise ConfigurationError(
                    f"{field.name} {value} must be in {minimum:g}..{maximum:g}"
                )

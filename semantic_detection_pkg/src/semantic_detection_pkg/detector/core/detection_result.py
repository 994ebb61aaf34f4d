"""What a pipeline says of one picture."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look


@dataclass(frozen=True)
class ElapsedMs:
    """Time spent on one picture [ms], each >= 0."""

    preprocess: float
    inference: float
    postprocess: float


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """What one picture gave.

    Attributes:
        detections: sorted by falling score.
        vocabulary: words that class_ids index.
        elapsed_ms: time spent.
        rejected: candidates dropped because the model said NaN or infinity.
        looks: what was looked at, and how finely; one inference each (or one place in a batch).
        given_up: looks that were due but would have gone beyond the frame's time budget.
    """

    detections: Detections
    vocabulary: tuple[str, ...]
    elapsed_ms: ElapsedMs
    rejected: int
    looks: tuple[Look, ...] = ()
    given_up: int = 0

"""What a person sees of the detections in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.kernels.drawing import draw_objects


def draw_overlay(
    image: NDArray[np.uint8], detections: Detections, vocabulary: Sequence[str]
) -> NDArray[np.uint8]:
    """Return a copy of the picture with masks, boxes, names and scores; the best are on top.

    Args:
        image: (height, width, 3) uint8, BGR, of the detections' size.
        detections: sorted by falling score.
        vocabulary: words that class_ids index.
    """
    canvas = np.array(image, order="C")
    draw_into(canvas, detections, vocabulary)
    return canvas


def draw_into(canvas: NDArray[np.uint8], detections: Detections, vocabulary: Sequence[str]) -> None:
    """Draw as `draw_overlay`, in place."""
    labels = [
        f"{vocabulary[class_id]} {score:.2f}"
        for class_id, score in zip(detections.class_ids, detections.scores, strict=True)
    ]
    draw_objects(canvas, detections.boxes_xyxy, detections.class_ids, labels, detections.masks)

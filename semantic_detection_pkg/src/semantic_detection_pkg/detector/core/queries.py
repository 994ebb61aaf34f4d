"""Heads of the DETR family: a set of queries, each of them a box and a score for each class.

    Ultralytics' RT-DETR       (1, queries, 4 + nc)                    box; probabilities
    RF-DETR                    `dets` (1, queries, 4), `labels` (1, queries, nc)   box; logits
    RT-DETR, D-FINE (Hugging   `pred_boxes` and `logits`, the same
    Face's exports)

Boxes are cx, cy, w, h as shares of the input's sides, 0..1; probability = sigmoid(logit). Queries
do not repeat each other: nothing is suppressed (rfdetr/models/lwdetr.py, `PostProcess`;
Ultralytics has no NMS for RT-DETR either).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class QueryHead:
    """Turns such outputs into the raw layout; keeps the buffer. Belongs to one thread."""

    def __init__(self, width: int, height: int) -> None:
        """Args: width, height: of the input [px]."""
        self._sides = np.array([[width], [height], [width], [height]], np.float32)
        self._raw = np.empty((0, 0), np.float32)

    def as_raw(
        self, output: NDArray[np.floating], boxes: NDArray[np.floating] | None
    ) -> NDArray[np.float32]:
        """Return (4 + nc, queries) cx, cy, w, h [px]; class scores. Valid until the next call.

        Args:
            output: (queries, nc) logits, or without `boxes` (queries, 4 + nc) boxes, probabilities.
            boxes: (queries, 4).
        """
        classes = output.shape[1] - (4 if boxes is None else 0)
        shape = 4 + classes, output.shape[0]
        if self._raw.shape != shape:
            self._raw = np.empty(shape, np.float32)
        raw = self._raw
        # Numbers that are none stay so, and cost their candidate later.
        with np.errstate(over="ignore", invalid="ignore"):
            if boxes is None:
                raw[:] = output.T
            else:
                raw[:4] = boxes.T
                raw[4:] = 1 / (1 + np.exp(-output.T.astype(np.float32)))
            raw[:4] *= self._sides
        return raw

"""Heads that say for each anchor whether there is anything, and apart from that what.

    YOLOX    (1, anchors, 5 + nc)  x, y, log w, log h in cells; objectness; class scores
    YOLOv5   (1, 3 anchors, 5 + nc)  cx, cy, w, h [px of the input]; objectness; class scores

Anchors are the cells of strides 8, 16 and 32 px, row by row; objectness and class scores are
probabilities, the score of a class is their product (YOLOX: `decode_outputs` in
yolox/models/yolo_head.py and `demo_postprocess` in yolox/utils/demo_utils.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRIDES = (8, 16, 32)  # [px of the input]
_OBJECTNESS, _CLASSES = 4, 5


def anchor_count(width: int, height: int) -> int:
    """Count the cells of all strides in an input of this size [px]."""
    return sum((width // stride) * (height // stride) for stride in STRIDES)


class ObjectnessHead:
    """Turns such an output into the raw layout; keeps the buffers. Belongs to one thread."""

    def __init__(self, width: int, height: int, is_in_cells: bool) -> None:
        """Lay out the cells.

        Args:
            width, height: of the input [px].
            is_in_cells: boxes are as YOLOX gives them; else pixels.
        """
        self._cells: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        if is_in_cells:
            corners, strides = [], []
            for stride in STRIDES:
                x, y = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
                corners.append(np.stack((x.ravel(), y.ravel())))
                strides.append(np.full(x.size, stride))
            self._cells = (
                np.concatenate(corners, axis=1).astype(np.float32),
                np.concatenate(strides).astype(np.float32),
            )
        self._raw = np.empty((0, 0), np.float32)

    def as_raw(self, output: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (anchors, 5 + nc) as (4 + nc, anchors): cx, cy, w, h; class scores.

        The result is valid until the next call.
        """
        shape = output.shape[1] - 1, output.shape[0]
        if self._raw.shape != shape:
            self._raw = np.empty(shape, np.float32)
        raw, columns = self._raw, output.T
        # Numbers that are none stay so, and cost their candidate later.
        with np.errstate(over="ignore", invalid="ignore"):
            raw[:4] = columns[:4]
            if self._cells is not None:
                corners, strides = self._cells
                raw[:2] = (raw[:2] + corners) * strides
                raw[2:4] = np.exp(raw[2:4]) * strides
            np.multiply(columns[_CLASSES:], columns[_OBJECTNESS], out=raw[4:], casting="same_kind")
        return raw

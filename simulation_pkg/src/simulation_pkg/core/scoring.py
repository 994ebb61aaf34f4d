"""Detections against the truth of a simulated picture: which of them are really there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Overlap from which a detection shows the thing it names.
IOU_THRESHOLD = 0.5


def confirmed(
    class_names: Sequence[str],
    boxes_xyxy: NDArray[np.float32],
    true_names: Sequence[str],
    true_boxes_xyxy: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return (n,) whether each detection overlaps something of its name.

    Args:
        class_names: (n) of the detections.
        boxes_xyxy: (n, 4) [px].
        true_names: (m) of what is there.
        true_boxes_xyxy: (m, 4) [px]; may reach beyond the picture.
    """
    if not class_names or not true_names:
        return np.zeros(len(class_names), bool)
    is_same = np.array(class_names)[:, None] == np.array(true_names)[None, :]
    return (is_same & (box_iou(boxes_xyxy, true_boxes_xyxy) >= IOU_THRESHOLD)).any(axis=1)


def box_iou(
    first_xyxy: NDArray[np.float32], second_xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (n, m) intersection over union of (n, 4) and (m, 4) boxes; 0 where both are empty."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    overlap = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first_xyxy, second_xyxy)]
    union = areas[0][:, None] + areas[1][None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)

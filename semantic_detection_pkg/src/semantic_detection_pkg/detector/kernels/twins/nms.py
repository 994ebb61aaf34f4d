"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suppress(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.intp] | None,
    iou: float,
    most: int,
) -> NDArray[np.intp]:
    """Go through the boxes by falling score; each kept one removes later ones it overlaps.

    Overlap means intersection over union > `iou`, strictly, in float32. Classes are compared as
    such: no offsets are added to the boxes, which costs precision with many classes.

    Args:
        boxes_xyxy: (k, 4) finite.
        scores: (k,) finite; equal scores keep their order.
        labels: (k,) only boxes of one label remove each other; None: any do.
        iou: 0..1.
        most: stop after keeping so many, >= 1.

    Returns:
        Positions of the kept boxes, by falling score.
    """
    remaining = np.argsort(-scores, kind="stable")
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    areas = sides[:, 0] * sides[:, 1]
    kept: list[int] = []
    while len(remaining) and len(kept) < most:
        best, rest = remaining[0], remaining[1:]
        kept.append(int(best))
        shares = overlap(boxes_xyxy[best], areas[best], boxes_xyxy[rest], areas[rest])
        is_removed = shares > np.float32(iou)
        if labels is not None:
            is_removed &= labels[rest] == labels[best]
        remaining = rest[~is_removed]
    return np.array(kept, np.intp)


def overlap(
    box: NDArray[np.float32],
    area: NDArray[np.float32],
    boxes: NDArray[np.float32],
    areas: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the intersection over union (k,) of one box (4,) with boxes (k, 4); 0 if empty."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    union = area + areas - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)

"""From the model's detection output to the candidates above a score, in the order of the output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BOX = 4
_BOX_SCORE_CLASS = 6


#: Boxes (k, 4), scores (k,), labels (k,), coefficients (k, nm), rejected: see `kernels.candidates`.
Filtered = tuple[
    NDArray[np.float32], NDArray[np.float32], NDArray[np.intp], NDArray[np.float32], int
]


def filter_raw(
    head: NDArray[np.floating],
    columns: NDArray[np.intp],
    mask_channels: int,
    confidence: float,
) -> Filtered:
    """Return anchors whose best wanted class scores above `confidence`, one class for each.

    Args:
        head: (4 + nc + mask_channels, anchors) cx, cy, w, h; class scores; mask coefficients.
        columns: (n,) wanted classes, 0..nc-1.
        mask_channels: >= 0.
        confidence: scores must be greater, compared in float32.
    """
    classes = head[_BOX : len(head) - mask_channels]
    is_all = np.array_equal(columns, np.arange(len(classes)))
    wanted = classes if is_all else classes[columns]
    best = wanted.max(axis=0, initial=-np.inf).astype(np.float32)  # NaN wins
    candidates = np.flatnonzero((best > np.float32(confidence)) | np.isnan(best))
    rows = head[:, candidates].T.astype(np.float32)
    scores = best[candidates]
    centres, halves = rows[:, :2], rows[:, 2:_BOX] / 2
    boxes = np.concatenate((centres - halves, centres + halves), axis=1)
    labels = wanted[:, candidates].argmax(axis=0) if len(columns) else np.empty(0, np.intp)
    coefficients = rows[:, len(head) - mask_channels :]
    return _finite(boxes, scores, labels, coefficients)


def filter_rows(
    rows: NDArray[np.floating],
    columns: NDArray[np.intp],
    class_count: int,
    confidence: float,
) -> Filtered:
    """Return rows of a wanted class that score above `confidence`.

    Args:
        rows: (r, 6 + nm) x1, y1, x2, y2, score, class, mask coefficients.
        columns: (n,) wanted classes, 0..class_count-1.
        class_count: classes of the model, >= 1.
        confidence: scores must be greater, compared in float32.
    """
    all_scores = rows[:, 4].astype(np.float32)
    chosen = rows[(all_scores > np.float32(confidence)) | np.isnan(all_scores)].astype(np.float32)
    label_of = np.full(class_count, -1, np.intp)
    label_of[columns] = np.arange(len(columns))
    classes = chosen[:, 5]
    exists = (classes >= 0) & (classes < class_count)
    labels = label_of[np.where(exists, classes, 0).astype(np.intp)]
    is_wanted = (labels >= 0) | ~exists
    scores = np.where(exists, chosen[:, 4], np.float32(np.nan))
    return _finite(
        chosen[is_wanted, :_BOX],
        scores[is_wanted],
        labels[is_wanted],
        chosen[is_wanted, _BOX_SCORE_CLASS:],
    )


def _finite(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.intp],
    coefficients: NDArray[np.float32],
) -> Filtered:
    good = (
        np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & np.isfinite(coefficients).all(axis=1)
    )
    return (
        boxes[good],
        np.minimum(scores[good], np.float32(1)),
        labels[good],
        np.ascontiguousarray(coefficients[good]),
        int(len(good) - good.sum()),
    )

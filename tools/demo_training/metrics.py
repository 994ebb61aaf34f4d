"""Average precision of detections against the truth: plain NumPy, for boxes and for masks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_RECALL_LEVELS = np.linspace(0.0, 1.0, 101)  # as COCO averages


@dataclass
class ClassTally:
    """Scored detections of one class over many pictures, and how many things there were."""

    scores: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    things: int = 0

    def average_precision(self) -> float:
        """Area under the precision-recall curve, precision made monotonic; NaN without things."""
        if self.things == 0:
            return float("nan")
        order = np.argsort(-np.array(self.scores), kind="stable")
        hits = np.array(self.hits, float)[order]
        if hits.size == 0:
            return 0.0
        found = np.cumsum(hits)
        recall = found / self.things
        precision = found / np.arange(1, hits.size + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, _RECALL_LEVELS, side="left")
        return float(np.where(at < hits.size, precision[np.minimum(at, hits.size - 1)], 0.0).mean())

    def recall(self, confidence: float) -> float:
        """Share of the things that detections above a confidence found; NaN without things."""
        found = sum(
            hit and score > confidence for score, hit in zip(self.scores, self.hits, strict=True)
        )
        return found / self.things if self.things else float("nan")


def box_overlaps(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, m) IoU of (n, 4) and (m, 4) x0 y0 x1 y1 boxes."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inter = np.clip(high - low, 0.0, None).prod(-1)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0.0, None).prod(-1) for b in (first, second)]
    return np.asarray(inter / np.maximum(areas[0][:, None] + areas[1][None] - inter, 1e-9))


def match(
    overlaps: NDArray[np.float64],
    scores: NDArray[np.floating],
    is_ignored: NDArray[np.bool_],
    tally: ClassTally,
    threshold: float = 0.5,
) -> None:
    """Match one picture's detections of one class and add them to the tally.

    Args:
        overlaps: (detections, things).
        scores: (detections).
        is_ignored: (things) who finds one of these is neither right nor wrong.
        tally: grows.
        threshold: overlap from which a thing counts as found.
    """
    tally.things += int((~is_ignored).sum())
    is_free = np.ones(overlaps.shape[1], bool)
    for detection in np.argsort(-scores, kind="stable"):
        row = overlaps[detection]
        wanted = np.where(is_free & ~is_ignored, row, -1.0)
        best = int(wanted.argmax()) if wanted.size else -1
        if best >= 0 and wanted[best] >= threshold:
            is_free[best] = False
            tally.scores.append(float(scores[detection]))
            tally.hits.append(True)
        elif not np.any(is_ignored & (row >= threshold)):
            tally.scores.append(float(scores[detection]))
            tally.hits.append(False)

"""From the model's detection output to the best candidates: score filter, then suppression."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation
from semantic_detection_pkg.detector.kernels.buffers import Float32Buffer

_BOX = 4
_BOX_SCORE_CLASS = 6


class Suppression(NamedTuple):
    """Go through the boxes by falling score; each that stays removes later ones it overlaps.

    Overlap is intersection over union, compared strictly, in float32. Classes are compared as such:
    no offsets are added to the boxes, which costs precision with many classes. Only the best 30,000
    take part, as in Ultralytics' non_max_suppression.

    Attributes:
        iou: boxes that overlap by more are removed, 0..1; None: none are.
        most: so many stay at most, >= 1.
        is_agnostic: boxes of different labels remove each other, too.
    """

    iou: float | None
    most: int
    is_agnostic: bool = False


class Kept(NamedTuple):
    """k candidates by falling score; equal scores in the order of the output.

    Attributes:
        boxes_xyxy: (k, 4) float32 [px of the input].
        scores: (k,) float32, above the threshold, at most 1.
        labels: (k,) intp, index into the wanted columns.
        coefficients: (k, nm) float32 mask coefficients.
        rejected: candidates dropped because of NaN, infinity or a class that does not exist.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.intp]
    coefficients: NDArray[np.float32]
    rejected: int


class CandidateSelector:
    """Selects candidates; keeps the buffers for it. Belongs to one thread.

    Nothing but the result is allocated while outputs do not become larger.
    """

    def __init__(self, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._kernel = (version or implementation("candidates")).CandidateSelector()
        self._single = Float32Buffer()

    def from_raw(
        self,
        head: NDArray[np.floating],
        columns: NDArray[np.intp],
        mask_channels: int,
        confidence: float,
        rule: Suppression,
    ) -> Kept:
        """Return anchors whose best wanted class scores above `confidence`, one class for each.

        Args:
            head: (4 + nc + mask_channels, anchors) cx, cy, w, h; class scores; mask coefficients.
            columns: (n,) wanted classes, 0..nc-1.
            mask_channels: >= 0.
            confidence: 0..1; scores must be greater, compared in float32.
            rule: of suppression.

        Raises:
            ValueError: an argument is none of these.
        """
        class_count = head.shape[0] - _BOX - mask_channels if head.ndim == 2 else -1
        if class_count < 0 or mask_channels < 0:
            raise ValueError(
                f"candidates: head {head.shape} must be (4 + classes + {mask_channels}, anchors)"
            )
        columns = _checked(columns, class_count, confidence, rule)
        single = self._single.of(head)
        return Kept(*self._kernel.from_raw(single, columns, mask_channels, confidence, rule))

    def from_rows(
        self,
        rows: NDArray[np.floating],
        columns: NDArray[np.intp],
        class_count: int,
        confidence: float,
        rule: Suppression,
    ) -> Kept:
        """Return rows of a wanted class that score above `confidence`.

        Args:
            rows: (r, 6 + nm) x1, y1, x2, y2, score, class, mask coefficients.
            columns: (n,) wanted classes, 0..class_count-1.
            class_count: classes of the model, >= 1.
            confidence: 0..1; scores must be greater, compared in float32.
            rule: of suppression.

        Raises:
            ValueError: an argument is none of these.
        """
        if rows.ndim != 2 or rows.shape[1] < _BOX_SCORE_CLASS:
            raise ValueError(f"candidates: rows {rows.shape} must be (n, 6 or more)")
        columns = _checked(columns, class_count, confidence, rule)
        single = self._single.of(rows)
        return Kept(*self._kernel.from_rows(single, columns, class_count, confidence, rule))


def _checked(
    columns: NDArray[np.intp], class_count: int, confidence: float, rule: Suppression
) -> NDArray[np.intp]:
    columns = np.ascontiguousarray(columns, np.intp)
    if columns.ndim != 1 or (
        columns.size and not 0 <= columns.min() <= columns.max() < class_count
    ):
        raise ValueError(f"candidates: columns {columns} must be a list of 0..{class_count - 1}")
    if not 0 <= confidence <= 1 or rule.most < 1:
        raise ValueError(
            f"candidates: confidence {confidence} must be in 0..1, at most {rule.most} must be >= 1"
        )
    return columns

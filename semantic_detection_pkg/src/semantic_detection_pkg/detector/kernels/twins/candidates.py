"""Score filter and suppression, one array operation after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels.twins.filtering import (
    Filtered,
    filter_raw,
    filter_rows,
)
from semantic_detection_pkg.detector.kernels.twins.nms import suppress

if TYPE_CHECKING:
    from semantic_detection_pkg.detector.kernels.candidates import Suppression

_MOST_CANDIDATES = 30_000


class CandidateSelector:
    """See `kernels.candidates.CandidateSelector`."""

    def from_raw(
        self,
        head: NDArray[np.float32],
        columns: NDArray[np.intp],
        mask_channels: int,
        confidence: float,
        rule: Suppression,
    ) -> Filtered:
        """Return the best class of each anchor."""
        return _best(filter_raw(head, columns, mask_channels, confidence), rule)

    def from_rows(
        self,
        rows: NDArray[np.float32],
        columns: NDArray[np.intp],
        class_count: int,
        confidence: float,
        rule: Suppression,
    ) -> Filtered:
        """Return rows as they are."""
        return _best(filter_rows(rows, columns, class_count, confidence), rule)


def _best(found: Filtered, rule: Suppression) -> Filtered:
    boxes, scores, labels, coefficients, rejected = found
    order = np.argsort(-scores, kind="stable")[:_MOST_CANDIDATES]
    if rule.iou is None:
        chosen = order[: rule.most]
    else:
        groups = None if rule.is_agnostic else labels[order]
        chosen = order[suppress(boxes[order], scores[order], groups, rule.iou, rule.most)]
    return boxes[chosen], scores[chosen], labels[chosen], coefficients[chosen], rejected

"""How far two runs of the same detector are apart: box, score, mask coefficient, prototype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.model_layout import Layout

_BOX = 4
BOX_LIMIT_PX = 1e-3
SCORE_LIMIT = 1e-5
# A row whose score is nearer than this to the last one's may be missing in the other run: which
# of several equal candidates is cut off is not defined.
_TIE = 1e-6


@dataclass(frozen=True)
class Difference:
    """The largest differences: box [px], score, mask coefficients, prototypes."""

    box_px: float
    score: float
    coefficients: float
    prototypes: float

    @property
    def is_within_limits(self) -> bool:
        """Whether box and score are as near as an export must be."""
        return self.box_px <= BOX_LIMIT_PX and self.score <= SCORE_LIMIT

    def __str__(self) -> str:
        return (
            f"box {self.box_px:.2g} px (limit {BOX_LIMIT_PX:g}), score {self.score:.2g} (limit "
            f"{SCORE_LIMIT:g}), mask coefficients {self.coefficients:.2g}, prototypes "
            f"{self.prototypes:.2g}"
        )


def compare(
    layout: Layout,
    ours: tuple[NDArray[Any], NDArray[Any]],
    theirs: tuple[NDArray[Any], NDArray[Any]],
    class_count: int,
) -> Difference:
    """Compare detections and prototypes of one picture.

    Args:
        layout: of the detections.
        ours, theirs: (output0, output1). A raw `ours` may have more classes: empty slots.
        class_count: classes to compare.
    """
    difference = _raw if layout is Layout.RAW else _rows
    box, score, coefficients = difference(ours[0][0], theirs[0][0], class_count)
    return Difference(box, score, coefficients, _largest(ours[1] - theirs[1]))


def worst(differences: list[Difference]) -> Difference:
    """The largest of each."""
    return Difference(
        *(
            max(getattr(one, name) for one in differences)
            for name in ("box_px", "score", "coefficients", "prototypes")
        )
    )


def _raw(ours: NDArray[Any], theirs: NDArray[Any], class_count: int) -> tuple[float, float, float]:
    masks = theirs.shape[0] - _BOX - class_count
    scores = slice(_BOX, _BOX + class_count)
    return (
        _largest(ours[:_BOX] - theirs[:_BOX]),
        _largest(ours[scores] - theirs[scores]),
        _largest(ours[-masks:] - theirs[-masks:]),
    )


def _rows(ours: NDArray[Any], theirs: NDArray[Any], class_count: int) -> tuple[float, float, float]:
    """Rows as a set: each of theirs above the tie level against the nearest of ours."""
    score, label = _BOX, _BOX + 1
    apart = _largest(np.sort(ours[:, score]) - np.sort(theirs[:, score]))
    safe = theirs[theirs[:, score] > theirs[:, score].min() + _TIE]
    boxes, coefficients = [0.0], [0.0]
    for row in safe[safe[:, label] < class_count]:
        same = ours[ours[:, label] == row[label]]
        if not len(same):
            return float("inf"), apart, float("inf")
        distances = np.abs(same[:, :_BOX] - row[:_BOX]).max(axis=1)
        nearest = int(distances.argmin())
        boxes.append(float(distances[nearest]))
        coefficients.append(_largest(same[nearest, label + 1 :] - row[label + 1 :]))
    return max(boxes), apart, max(coefficients)


def _largest(values: NDArray[Any]) -> float:
    return float(np.abs(values).max()) if values.size else 0.0

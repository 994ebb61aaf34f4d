"""Classes by example, where what is seen is compared with what was shown: a second look.

A model whose head cannot compare things by example finds *things*, whatever they are, by one more
row of its vocabulary. Each of them is cut out of the picture, a small network says in numbers what
the cut looks like, and an example of a class is such a cut, too. How alike two are is the product
of their numbers; that they are of one kind has the probability

    1 / (1 + exp(-gain (product - offset)))

whose gain and offset were measured when the network was trained. A thing becomes a detection of the
class that it is most likely of; what is of none is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.kernels.twins.nms import suppress

#: Things of a frame that are looked at again, the surest first.
MOST_LOOKS = 24
#: Of things: what is less sure is ground; of two boxes that overlap by more the surer one stays.
_THING_CONFIDENCE, _THING_IOU = 0.73, 0.5
#: Two boxes of a class show one thing from here on: a part of it fits another example better than
#: the suppression of boxes thinks.
_SAME_IOU, _SAME_SHARE = 0.3, 0.6
_STEEPEST = 80.0  # beyond it exp() is none in single precision

LookAgain = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]
"""From a (h, w, 3) BGR picture and (n, 4) boxes [px] to (n, D) numbers of length 1."""


@dataclass(frozen=True)
class Likeness:
    """How the product of two cuts' numbers becomes a probability."""

    gain: float
    offset: float

    def probability(self, product: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return 0..1, of the same shape."""
        exponent = np.clip(self.gain * (product - self.offset), -_STEEPEST, _STEEPEST)
        return np.asarray(1.0 / (1.0 + np.exp(-exponent)), np.float32)


@dataclass(frozen=True, eq=False)
class ExampleClasses:
    """The classes in force that were shown.

    Attributes:
        row: of the vocabulary that finds things, whatever they are; None: no class needs it.
        alike: by label of a class, (D) what its examples look like.
        unlike: by label of a class that was not shown itself, (k, D) what it is not.
        likeness: of the network.
    """

    row: int | None
    alike: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    unlike: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    likeness: Likeness = Likeness(1.0, 0.0)


def thing_settings(settings: DetectorSettings) -> DetectorSettings:
    """Return the thresholds for things."""
    return DetectorSettings(
        confidence_threshold=_THING_CONFIDENCE,
        iou_threshold=_THING_IOU,
        max_detections=MOST_LOOKS,
        polygon_tolerance_px=settings.polygon_tolerance_px,
    )


def judge(
    image: NDArray[np.uint8],
    found: Detections,
    things: Detections,
    classes: ExampleClasses,
    look: LookAgain,
    settings: DetectorSettings,
) -> Detections:
    """Return what words found and what examples name, by falling score.

    Args:
        image: (h, w, 3) uint8, BGR.
        found: by the words in force.
        things: whatever is no ground; empty where no class was shown.
        classes: that were shown.
        look: the network.
        settings: thresholds; a score is greater than the confidence.
    """
    kept = _without_unlike(image, found, classes, look, settings.confidence_threshold)
    if not classes.alike or not len(things):
        return kept
    labels = np.array(list(classes.alike), np.uint16)
    products = look(image, things.boxes_xyxy) @ np.stack(list(classes.alike.values())).T
    best = products.argmax(axis=1)
    scores = classes.likeness.probability(products.max(axis=1))
    rows = [row for row in np.argsort(-scores, kind="stable") if _is_surer(scores[row], settings)]
    rows = _one_of_each(things.boxes_xyxy, rows)
    shown = things.take(np.array(rows, np.intp))
    named = Detections(
        shown.width, shown.height, labels[best[rows]], scores[rows], shown.boxes_xyxy, shown.masks
    )
    both = kept.joined(named)
    most, rows_kept = settings.max_detections, np.arange(len(both))
    if settings.agnostic_nms:
        rows_kept = suppress(both.boxes_xyxy, both.scores, None, settings.iou_threshold, most)
    return both.take(rows_kept[:most])


def _without_unlike(
    image: NDArray[np.uint8],
    found: Detections,
    classes: ExampleClasses,
    look: LookAgain,
    confidence: float,
) -> Detections:
    """Return what words found, each less sure the more it looks like what its class is not."""
    scores = found.scores.copy()
    for label, negatives in classes.unlike.items():
        rows = np.flatnonzero(found.class_ids == label)  # all: what is not looked at would stay
        if len(rows):
            products = look(image, found.boxes_xyxy[rows]) @ negatives.T
            scores[rows] *= 1.0 - classes.likeness.probability(products.max(axis=1))
    if (scores == found.scores).all():
        return found
    lowered = Detections(
        found.width, found.height, found.class_ids, scores, found.boxes_xyxy, found.masks
    )
    return lowered.take(scores > confidence).sorted_by_score()


def _is_surer(score: np.float32, settings: DetectorSettings) -> bool:
    return bool(score > settings.confidence_threshold)


def _one_of_each(boxes_xyxy: NDArray[np.float32], rows: list[int]) -> list[int]:
    """Return the rows, the first first, without those that show the same thing as one before."""
    kept: list[int] = []
    for row in rows:
        box, others = boxes_xyxy[row], boxes_xyxy[kept]
        sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
        common = np.clip(sides, 0.0, None).prod(axis=1)
        area = (box[2:] - box[:2]).prod()
        areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
        is_same = (common > _SAME_IOU * (area + areas - common)) | (
            common > _SAME_SHARE * np.minimum(area, areas)
        )
        if not is_same.any():
            kept.append(int(row))
    return kept

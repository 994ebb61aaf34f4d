"""What is kept of each look at each thing, and how detections are matched with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.scoring import box_iou

#: Overlap from which a detection shows the thing that it names.
IOU = 0.5
#: The same for things whose longer side is shorter than `SMALL_PX` of the network's input: there
#: half a pixel at each edge decides over 0.5.
IOU_SMALL = 0.3
SMALL_PX = 16.0


@dataclass(frozen=True)
class Look:
    """One look at one thing.

    Attributes:
        scene: picture or world; what is in one scene is not independent.
        thing: number in its scene.
        visit: looks of one visit follow each other closely; numbered within the scene.
        size_px: longer side of its true box [px of the network's input].
        smear_px: motion blur [px of the network's input].
        score: of the detection that shows it; 0: none does.
    """

    scene: int
    thing: int
    visit: int
    size_px: float
    smear_px: float
    score: float


@dataclass
class ClassRecord:
    """All that is known of one class.

    Attributes:
        false_scores: of detections that show nothing of this class.
        pictures: that were looked at.
    """

    looks: list[Look] = field(default_factory=list)
    false_scores: list[float] = field(default_factory=list)
    pictures: int = 0


@dataclass(frozen=True, eq=False)
class Truth:
    """What is in one picture, of one class.

    Attributes:
        things: (n) numbers in the scene.
        boxes_xyxy: (n, 4) [px] of the picture.
        is_wanted: (n) False: whoever finds it is neither right nor wrong (a decoy, cut off).
        ignored_xyxy: (m, 4) [px] regions without labels.
    """

    things: tuple[int, ...]
    boxes_xyxy: NDArray[np.float64]
    is_wanted: NDArray[np.bool_]
    ignored_xyxy: NDArray[np.float64]


def match(
    boxes_xyxy: NDArray[np.floating], scores: NDArray[np.floating], truth: Truth, gain: float
) -> tuple[NDArray[np.float64], list[float]]:
    """Match the detections of one class in one picture, best first, each thing once.

    Args:
        boxes_xyxy, scores: (k, 4) [px] and (k) of the detections.
        gain: pixels of the network's input for one of the picture, of its finest look.

    Returns:
        (n) score of the detection that shows each thing, 0: none; and scores of false ones.
    """
    true_boxes = np.asarray(truth.boxes_xyxy, np.float32).reshape(-1, 4)
    overlaps = box_iou(np.asarray(boxes_xyxy, np.float32).reshape(-1, 4), true_boxes)
    sides = (true_boxes[:, 2:] - true_boxes[:, :2]).max(axis=1, initial=0.0) * gain
    needed = np.where(sides < SMALL_PX, IOU_SMALL, IOU)
    found = np.zeros(len(true_boxes))
    false: list[float] = []
    for index in np.argsort(-np.asarray(scores), kind="stable"):
        row = np.where(found > 0.0, 0.0, overlaps[index])
        fits = np.flatnonzero(row >= needed)
        if fits.size:
            # A thing that is wanted before one that is not.
            best = max(fits, key=lambda i: (truth.is_wanted[i], row[i]))
            found[best] = scores[index]
        elif not _is_ignored(boxes_xyxy[index], truth, overlaps[index]):
            false.append(float(scores[index]))
    return found, false


def _is_ignored(box: NDArray[np.floating], truth: Truth, overlaps: NDArray[np.floating]) -> bool:
    """Return whether a detection without a match lies where nobody can say that it is false."""
    if bool((overlaps[~truth.is_wanted] > 0.1).any()):
        return True
    x, y = (box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0
    return any(
        x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in truth.ignored_xyxy.reshape(-1, 4)
    )


def scenes_of(looks: Sequence[Look]) -> list[list[Look]]:
    """Return the looks of each scene, in the order of their numbers."""
    by_scene: dict[int, list[Look]] = {}
    for look in looks:
        by_scene.setdefault(look.scene, []).append(look)
    return [by_scene[scene] for scene in sorted(by_scene)]

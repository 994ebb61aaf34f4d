"""What several looks at one picture found, put together: each thing once, and whole."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation

#: Role of a detection: its box and mask are (a part of) the thing's; or it only confirms it.
PART, SEEN_AGAIN = 0, 1
MOST_VIEWS = 320


class Groups(NamedTuple):
    """Which of n detections show the same thing.

    Attributes:
        things: (n,) int32 number of the thing, 0.. in the order of their ranks; -1: left to
            another look, which sees more of it.
        roles: (n,) uint8 `PART` or `SEEN_AGAIN`; each thing has at least one part, several where
            it is joined.
    """

    things: NDArray[np.int32]
    roles: NDArray[np.uint8]


class MergeRule(NamedTuple):
    """When two boxes are of one thing.

    Attributes:
        iou: of boxes of one class, each as far as it lies where both looks see, 0..1.
        same_box_iou: of whole boxes of different classes: one thing that was named twice, 0..1.
        is_agnostic: classes do not matter, `iou` holds for all.
    """

    iou: float
    same_box_iou: float
    is_agnostic: bool = False


class Merger:
    """Puts detections of several looks together. Belongs to one thread."""

    def __init__(self, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._kernel = version or implementation("merging")

    def group(
        self,
        boxes_xyxy: NDArray[np.float32],
        scores: NDArray[np.float32],
        labels: NDArray[np.intp],
        looks: NDArray[np.intp],
        regions: NDArray[np.float32],
        margins: NDArray[np.float32],
        size: tuple[int, int],
        rule: MergeRule,
    ) -> Groups:
        """Find out which detections show the same thing.

        A box is cut where it ends at an edge of its look's region that is not the picture's. A cut
        box that another look, as fine, sees with what lies beyond is left to that look, whatever
        it says. The others are taken by rank: what is not cut, tiles before the whole picture, by
        falling score. Each is of the thing it overlaps most, else a new one; two that are cut at
        facing edges, or of which one goes on beyond the edge that cuts the other, are joined, and
        the hull of the two goes on as one. What has grown so is compared with all others again.

        Args:
            boxes_xyxy: (n, 4) of the picture [px], inside their regions.
            scores: (n,).
            labels: (n,) classes.
            looks: (n,) index into `regions`.
            regions: (m <= 320, 4) what each look sees [px]; also of looks that were not taken but
                see the same parts at their turn.
            margins: (m,) [px] a box that comes so near to an edge is taken to be cut by it.
            size: width and height of the picture [px].
            rule: when two are one.

        Raises:
            ValueError: an argument is none of these.
        """
        count = len(scores)
        if boxes_xyxy.shape != (count, 4) or not np.isfinite(boxes_xyxy).all():
            raise ValueError(f"merging: boxes {boxes_xyxy.shape} must be ({count}, 4) and finite")
        if regions.ndim != 2 or regions.shape[1] != 4 or margins.shape != (len(regions),):
            raise ValueError(
                f"merging: regions {regions.shape} and margins {margins.shape} must be (m, 4), (m,)"
            )
        if len(regions) > MOST_VIEWS:
            raise ValueError(f"merging: {len(regions)} regions must be at most {MOST_VIEWS}")
        if labels.shape != (count,) or looks.shape != (count,):
            raise ValueError(f"merging: labels and looks must be {count} as the scores are")
        if count and not 0 <= looks.min() <= looks.max() < len(regions):
            raise ValueError(f"merging: looks must be in 0..{len(regions) - 1}")
        things, roles = self._kernel.group(
            np.ascontiguousarray(boxes_xyxy, np.float32),
            np.ascontiguousarray(scores, np.float32),
            np.ascontiguousarray(labels, np.intp),
            np.ascontiguousarray(looks, np.intp),
            np.ascontiguousarray(regions, np.float32),
            np.ascontiguousarray(margins, np.float32),
            size,
            *rule,
        )
        return Groups(things, roles)

    def join_rings(
        self,
        first: tuple[NDArray[np.float32], NDArray[np.integer]],
        second: tuple[NDArray[np.float32], NDArray[np.integer]],
        axis: int,
        seam: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Join two masks that meet at a seam: one's low side of it, the other's high side.

        Where both outlines cross the seam equally often they go over into each other, in the order
        of the crossings; else each is closed along the seam. The even-odd fill is the same.

        Args:
            first: points (p, 2) and ring sizes (r,) of the mask for `coordinate <= seam`.
            second: of the mask for `coordinate > seam`.
            axis: 0: the seam is a column, x = seam; 1: a row, y = seam.
            seam: [px].

        Returns:
            Points (p, 2) and ring sizes (r,) >= 3.
        """
        masks = [
            (np.ascontiguousarray(points, np.float32), np.ascontiguousarray(sizes, np.intp))
            for points, sizes in (first, second)
        ]
        points, sizes = self._kernel.join_rings(masks[0], masks[1], axis, float(seam))
        return points, sizes

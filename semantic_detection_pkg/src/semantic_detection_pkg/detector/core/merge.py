"""From what each look at a picture found to what is in the picture: each thing once, and whole."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tile_layout import Region
from semantic_detection_pkg.detector.kernels.merging import PART, Merger, MergeRule

# Boxes of one class from different looks are of one thing from here on. Below the threshold inside
# a look (0.7): the scales differ, and with them how tightly the boxes fit.
_SAME_THING_IOU = 0.5
# Two classes in the same place are two names of one thing; a rider and his horse overlap less.
_SAME_BOX_IOU = 0.8
# [px of the input] Networks end a box that a tile's edge cuts within so much of the edge.
_EDGE_PX = 3.0
# Looks that see a thing whole are witnesses: of those that say nothing each takes a part of this
# share of the score away; a second one that says so brings the rest to 1 nearer by this power. A
# third brings nothing: looks that overlap show the same pixels to the same network, and what fools
# it in two fools it in thirty.
_SILENCE, _AGREEMENT = 0.3, 0.3
# A look whose view is so much coarser is no witness when it says nothing.
_COARSER = 1.5
# So much of the threshold is enough in one look; the threshold holds for all looks together.
_FAINT = 0.8


_Part = tuple[Region, list[NDArray[np.float32]]]  # what was seen, and the rings of a mask there


class LookFound(NamedTuple):
    """What one look found.

    Attributes:
        view: index of what was looked at.
        detections: in the picture's coordinates.
    """

    view: int
    detections: Detections


@functools.lru_cache(maxsize=8)
def looks_settings(settings: DetectorSettings) -> DetectorSettings:
    """Return the thresholds for each of several looks, whose results `LookMerger` weighs."""
    faint = _FAINT * settings.confidence_threshold
    return dataclasses.replace(settings, confidence_threshold=faint)


class LookMerger:
    """Puts together what several looks at one picture found. Belongs to one thread."""

    def __init__(self) -> None:
        self._merger = Merger()

    def merge(
        self,
        found: Sequence[LookFound],
        views: Sequence[Region],
        input_size: tuple[int, int],
        settings: DetectorSettings,
    ) -> Detections:
        """Put the looks together; rules: see `kernels.merging.Merger.group`.

        A thing has the box and mask of the look that shows it best, or those of all parts joined.
        Its score is the best of all looks, higher where a second one agrees, the lower the more
        see its place as finely and say nothing.

        Args:
            found: one or more looks at one picture, with `looks_settings`.
            views: parts of the picture that the looks' `view` index, and those whose turn comes in
                other frames.
            input_size: width and height of the network's input [px].
            settings: thresholds.

        Returns:
            By falling score.
        """
        # Whatever the order in which they were looked at.
        found = sorted(found, key=lambda look: views[look.view])
        parts = [look.detections for look in found]
        size = parts[0].width, parts[0].height
        scores = np.concatenate([part.scores for part in parts])
        class_ids = np.concatenate([part.class_ids for part in parts])
        boxes = np.concatenate([part.boxes_xyxy for part in parts])
        looks = np.repeat([look.view for look in found], [len(part) for part in parts])
        regions = np.array(views, np.float32).reshape(-1, 4)
        margins = np.array([_margin_px(view, input_size) for view in views], np.float32)
        iou = min(settings.iou_threshold, _SAME_THING_IOU)
        groups = self._merger.group(
            boxes,
            scores,
            class_ids.astype(np.intp),
            looks.astype(np.intp),
            regions,
            margins,
            size,
            MergeRule(iou, _SAME_BOX_IOU, settings.agnostic_nms),
        )
        is_kept = groups.things >= 0
        count = int(groups.things.max(initial=-1)) + 1
        # The parts of each thing, best first; what is no part sorts behind all.
        is_part = is_kept & (groups.roles == PART)
        by_rank = np.lexsort((-scores, np.where(is_part, groups.things, count)))
        by_rank = by_rank[: np.count_nonzero(is_part)]
        starts = np.searchsorted(groups.things[by_rank], np.arange(count))
        best = np.zeros(count, np.float32)
        np.maximum.at(best, groups.things[is_kept], scores[is_kept])
        firsts = by_rank[starts]
        confirms = np.zeros((count, len(views)), np.bool_)
        confirms[groups.things[is_kept], looks[is_kept]] = True
        sees = _witnesses(boxes[firsts], looks[firsts], regions, margins, size)
        is_taken = np.isin(np.arange(len(views)), [look.view for look in found])
        best = _agreed(best, confirms.sum(1), (confirms | (sees & is_taken)).sum(1))
        order = np.argsort(-best, kind="stable")
        order = order[best[order] > settings.confidence_threshold][: settings.max_detections]
        rings = [ring for part in parts for ring in part.masks]
        joined_boxes, masks = boxes[firsts[order]], [rings[first] for first in firsts[order]]
        ends = np.append(starts[1:], len(by_rank))
        for row in np.flatnonzero(ends[order] - starts[order] > 1):
            thing = order[row]
            members = by_rank[starts[thing] : ends[thing]]
            seen_in = [views[look] for look in looks[members]]
            joined_boxes[row], masks[row] = self._join(members, boxes, rings, seen_in)
        return Detections(
            *size,
            class_ids[firsts[order]],
            best[order],
            joined_boxes,
            MaskRings.from_rings(masks),
        )

    def _join(
        self,
        members: NDArray[np.intp],
        boxes: NDArray[np.float32],
        rings: Sequence[list[NDArray[np.float32]]],
        regions: Sequence[Region],
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return box and rings of a thing from its parts: along the rows of tiles, then across."""
        low, high = boxes[members, :2].min(0), boxes[members, 2:].max(0)
        parts = sorted(
            ((region, rings[member]) for region, member in zip(regions, members, strict=True)),
            key=lambda part: (part[0].y0, part[0].y1, part[0].x0),
        )
        rows = [
            functools.reduce(self._join_masks, row)
            for _, row in itertools.groupby(parts, key=lambda part: (part[0].y0, part[0].y1))
        ]
        _, mask = functools.reduce(self._join_masks, rows)
        return np.concatenate((low, high)), mask

    def _join_masks(self, first: _Part, second: _Part) -> _Part:
        """Join two parts along a seam in the middle of what both see, far from what cut either."""
        (a, _), (b, _) = first, second
        region = Region(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))
        spans = [(max(a[axis], b[axis]), min(a[axis + 2], b[axis + 2])) for axis in (0, 1)]
        axis = int(spans[1][1] - spans[1][0] < spans[0][1] - spans[0][0])
        seam = sum(spans[axis]) / 2.0
        if a[axis] + a[axis + 2] > b[axis] + b[axis + 2]:
            first, second = second, first
        points, sizes = self._merger.join_rings(_flat(first[1]), _flat(second[1]), axis, seam)
        return region, list(np.split(points, np.cumsum(sizes)[:-1])) if len(sizes) else []


def _flat(rings: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    points = np.concatenate(rings) if rings else np.empty((0, 2), np.float32)
    return points, np.array([len(ring) for ring in rings], np.intp)


def _margin_px(view: Region, input_size: tuple[int, int]) -> float:
    """Return the picture's pixels that the margin of the input shows."""
    return _EDGE_PX * max(view.width / input_size[0], view.height / input_size[1])


def _witnesses(
    boxes: NDArray[np.float32],
    looks: NDArray[np.intp],
    regions: NDArray[np.float32],
    margins: NDArray[np.float32],
    size: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return (k, m) whether a view shows all of a thing, as finely as its own look."""
    edges = np.array((*size, *size), np.float32)
    low, high = regions[:, :2] + margins[:, None], regions[:, 2:] - margins[:, None]
    low[regions[:, :2] == 0] = -np.inf  # the picture's own edges cut nothing more than all looks
    high[regions[:, 2:] == edges[2:]] = np.inf
    is_inside = (boxes[:, None, :2] > low).all(2) & (boxes[:, None, 2:] < high).all(2)
    widths = regions[:, 2] - regions[:, 0]
    return np.asarray(is_inside & (widths[None] <= _COARSER * widths[looks][:, None]))


def _agreed(
    scores: NDArray[np.float32], confirming: NDArray[np.intp], seeing: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return scores of things that `confirming` of `seeing` looks show; both >= 1.

    The share of the looks that confirm counts; of how many there are only whether it is one or
    more.
    """
    share = 1.0 - _SILENCE * (1.0 - confirming / seeing)
    return (1.0 - (1.0 - scores * share) ** (1.0 + _AGREEMENT * (confirming > 1))).astype(
        np.float32
    )

"""What several looks at one picture found, put together; see `kernels.merging`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Rectangle = tuple[float, float, float, float]
_PART, _SEEN_AGAIN = 0, 1
_LEFT, _TOP, _RIGHT, _BOTTOM = range(4)
# Another look is no witness for what this one cut where its view is so much coarser.
_COARSER = 1.5
# So much of what an edge cut lies in a whole thing that goes on there: it is a piece of it.
_PIECE = 0.9


@dataclass
class _Thing:
    """What was put together so far, and the looks whose parts it consists of."""

    number: int
    box: Rectangle
    region: Rectangle
    is_cut: tuple[bool, bool, bool, bool]
    label: int
    looks: set[int]


def group(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.intp],
    looks: NDArray[np.intp],
    regions: NDArray[np.float32],
    margins: NDArray[np.float32],
    size: tuple[int, int],
    iou: float,
    same_box_iou: float,
    is_agnostic: bool,
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """See `kernels.merging.Merger.group`."""
    things = np.full(len(scores), -1, np.int32)
    roles = np.full(len(scores), _SEEN_AGAIN, np.uint8)
    boxes: list[Rectangle] = [tuple(box) for box in boxes_xyxy.astype(np.float64).tolist()]
    areas: list[Rectangle] = [tuple(area) for area in regions.astype(np.float64).tolist()]
    cuts = [
        _cut_sides(box, areas[look], float(margins[look]), size)
        for box, look in zip(boxes, looks, strict=True)
    ]
    whole = [area == (0, 0, *size) and len(areas) > 1 for area in areas]
    order = sorted(
        (
            i
            for i in range(len(boxes))
            if not _is_others(i, boxes, cuts, looks, areas, margins, size)
        ),
        key=lambda i: (any(cuts[i]), whole[looks[i]], -scores[i], i),
    )
    found: list[_Thing] = []
    for i in order:
        look = int(looks[i])
        thing = _match(
            found, boxes[i], areas[look], cuts[i], int(labels[i]), iou, same_box_iou, is_agnostic
        )
        if thing is None:
            thing = _Thing(len(found), boxes[i], areas[look], cuts[i], int(labels[i]), {look})
            found.append(thing)
            roles[i] = _PART
        elif _is_continued(thing, boxes[i], areas[look], cuts[i], int(labels[i]), look):
            roles[i], margin = _PART, float(margins[look])
            _grow(thing, boxes[i], areas[look], {look}, margin, size)
        things[i] = thing.number
    _join_grown(found, things, roles, margins, size, iou)
    return things, roles


def _grow(
    thing: _Thing,
    box: Rectangle,
    region: Rectangle,
    looks: set[int],
    margin: float,
    size: tuple[int, int],
) -> None:
    thing.box, thing.region = _hull(thing.box, box), _hull(thing.region, region)
    thing.is_cut = _cut_sides(thing.box, thing.region, margin, size)
    thing.looks |= looks


def _join_grown(
    found: list[_Thing],
    things: NDArray[np.int32],
    roles: NDArray[np.uint8],
    margins: NDArray[np.float32],
    size: tuple[int, int],
    iou: float,
) -> None:
    """Join things that are one now that one of them has grown; number what is left anew."""
    stands = [True] * len(found)
    is_joined = True
    while is_joined:
        is_joined = False
        for a in range(len(found)):
            for b in range(len(found)):
                if len(found[a].looks) < 2 or not stands[a]:
                    break  # those that have not grown were compared before
                if a == b or not stands[b] or not _is_same(found[a], found[b], iou):
                    continue
                first, second = min(a, b), max(a, b)
                kept, gone = (first, second) if any(found[second].is_cut) else (second, first)
                thing, other = found[kept], found[gone]
                if any(thing.is_cut):
                    margin = float(margins[list(thing.looks | other.looks)].max())
                    _grow(thing, other.box, other.region, other.looks, margin, size)
                else:  # it is whole; the other's parts only confirm it
                    roles[things == gone] = _SEEN_AGAIN
                things[things == gone] = kept
                stands[gone], is_joined = False, True
    numbers = np.cumsum(stands, dtype=np.int32) - 1
    is_kept = things >= 0
    things[is_kept] = numbers[things[is_kept]]


def _is_same(a: _Thing, b: _Thing, iou: float) -> bool:
    """Return whether two things are one, as far as both were seen."""
    if a.label != b.label or a.looks & b.looks:
        return False
    box, other = a.box, b.box
    for thing in (a, b):
        if any(thing.is_cut):
            box, other = _common(box, thing.region), _common(other, thing.region)
    return _iou(box, other) > iou


def _cut_sides(
    box: Rectangle, region: Rectangle, margin: float, size: tuple[int, int]
) -> tuple[bool, bool, bool, bool]:
    """Return whether each side of a box lies at an edge of its region that is not the picture's."""
    return (
        region[0] > 0 and box[0] <= region[0] + margin,
        region[1] > 0 and box[1] <= region[1] + margin,
        region[2] < size[0] and box[2] >= region[2] - margin,
        region[3] < size[1] and box[3] >= region[3] - margin,
    )


def _is_others(
    i: int,
    boxes: list[Rectangle],
    cuts: list[tuple[bool, bool, bool, bool]],
    looks: NDArray[np.intp],
    regions: list[Rectangle],
    margins: NDArray[np.float32],
    size: tuple[int, int],
) -> bool:
    """Return whether a box was cut, and another look as fine sees all of it and beyond."""
    if not any(cuts[i]):
        return False
    box, own = boxes[i], regions[looks[i]]
    for other, region in enumerate(regions):
        if other == looks[i] or region[2] - region[0] > _COARSER * (own[2] - own[0]):
            continue
        inside = (
            box[0] >= region[0] and box[1] >= region[1],
            box[2] <= region[2] and box[3] <= region[3],
        )
        if all(inside) and not any(_cut_sides(box, region, float(margins[other]), size)):
            return True
    return False


def _match(
    found: list[_Thing],
    box: Rectangle,
    region: Rectangle,
    is_cut: tuple[bool, ...],
    label: int,
    iou: float,
    same_box_iou: float,
    is_agnostic: bool,
) -> _Thing | None:
    """Return the thing that a box shows, too: of the same class first, by the best overlap."""
    best, best_share, is_best_same = None, 0.0, False
    for thing in found:
        is_same = is_agnostic or thing.label == label
        share = _share(thing, box, region, is_cut) if is_same else _iou(thing.box, box)
        if share <= (iou if is_same else same_box_iou) or is_best_same > is_same:
            continue
        if best is None or is_same > is_best_same or share > best_share:
            best, best_share, is_best_same = thing, share, is_same
    return best


def _share(thing: _Thing, box: Rectangle, region: Rectangle, is_cut: tuple[bool, ...]) -> float:
    """Return the overlap of a thing and a box, each as far as it lies where both were seen.

    What is whole is known everywhere, so only the box's own region bounds the comparison. A piece
    of it, as the head of somebody whose feet another look shows, too, may be much smaller than
    what of it lies there: then the share of the piece counts.
    """
    bounds = _common(region, thing.region) if any(thing.is_cut) else region
    share = _iou(_common(thing.box, bounds), _common(box, bounds))
    if any(thing.is_cut) or not (
        (is_cut[_LEFT] and thing.box[0] < region[0])
        or (is_cut[_TOP] and thing.box[1] < region[1])
        or (is_cut[_RIGHT] and thing.box[2] > region[2])
        or (is_cut[_BOTTOM] and thing.box[3] > region[3])
    ):
        return share
    piece = _area(_common(thing.box, box)) / _area(box) if _area(box) > 0 else 0.0
    return max(share, piece) if piece > _PIECE else share


def _is_continued(
    thing: _Thing,
    box: Rectangle,
    region: Rectangle,
    is_cut: tuple[bool, ...],
    label: int,
    look: int,
) -> bool:
    """Return whether a box shows what lies beyond the edge that cut the thing."""
    if thing.label != label or look in thing.looks:
        return False
    if len(thing.looks) > 1 and any(is_cut):
        return True  # the last of several around a corner
    own = thing.region
    if any(is_cut) and (
        (thing.is_cut[_LEFT] and box[0] < own[0])
        or (thing.is_cut[_TOP] and box[1] < own[1])
        or (thing.is_cut[_RIGHT] and box[2] > own[2])
        or (thing.is_cut[_BOTTOM] and box[3] > own[3])
    ):
        return True
    return (
        (thing.is_cut[_LEFT] and is_cut[_RIGHT] and region[0] < own[0])
        or (thing.is_cut[_TOP] and is_cut[_BOTTOM] and region[1] < own[1])
        or (thing.is_cut[_RIGHT] and is_cut[_LEFT] and region[2] > own[2])
        or (thing.is_cut[_BOTTOM] and is_cut[_TOP] and region[3] > own[3])
    )


def _common(a: Rectangle, b: Rectangle) -> Rectangle:
    return (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))


def _hull(a: Rectangle, b: Rectangle) -> Rectangle:
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def _area(a: Rectangle) -> float:
    return max(a[2] - a[0], 0.0) * max(a[3] - a[1], 0.0)


def _iou(a: Rectangle, b: Rectangle) -> float:
    shared = _area(_common(a, b))
    return shared / (_area(a) + _area(b) - shared) if shared > 0 else 0.0


class _Chain(NamedTuple):
    """A piece of a ring on one side of a seam, from where it enters to where it leaves."""

    points: NDArray[np.float32]
    enters: float
    leaves: float


def join_rings(
    first: tuple[NDArray[np.float32], NDArray[np.intp]],
    second: tuple[NDArray[np.float32], NDArray[np.intp]],
    axis: int,
    seam: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """See `kernels.merging.Merger.join_rings`."""
    rings, low = _cut(*first, axis, seam, is_low=True)
    more, high = _cut(*second, axis, seam, is_low=False)
    rings += more
    if len(low) != len(high):
        rings += [chain.points for chain in (*low, *high)]
    else:
        rings += _stitch(low, high)
    rings = [ring for ring in rings if len(ring) >= 3]
    points = np.concatenate(rings) if rings else np.empty((0, 2), np.float32)
    return points, np.array([len(ring) for ring in rings], np.uint32)


def _stitch(low: list[_Chain], high: list[_Chain]) -> list[NDArray[np.float32]]:
    """Return rings from chains of both sides: each goes on where one of the other begins."""
    following: dict[tuple[int, int], tuple[int, int]] = {}
    for side, (ours, theirs) in enumerate(((low, high), (high, low))):
        ends = sorted(range(len(ours)), key=lambda i, c=ours: (c[i].leaves, i))  # type: ignore[misc]
        starts = sorted(range(len(theirs)), key=lambda i, c=theirs: (c[i].enters, i))  # type: ignore[misc]
        following.update(
            ((side, end), (1 - side, start)) for end, start in zip(ends, starts, strict=True)
        )
    rings, used = [], set()
    for begin in following:
        pieces, at = [], begin
        while at not in used:
            used.add(at)
            pieces.append((low, high)[at[0]][at[1]].points)
            at = following[at]
        if pieces:
            rings.append(np.concatenate(pieces))
    return rings


def _cut(
    points: NDArray[np.float32], sizes: NDArray[np.intp], axis: int, seam: float, is_low: bool
) -> tuple[list[NDArray[np.float32]], list[_Chain]]:
    """Return rings that lie on one side of the seam, and pieces there of those that cross it."""
    rings, chains = [], []
    for ring in np.split(points, np.cumsum(sizes)[:-1]) if len(sizes) else []:
        inside = (ring[:, axis] <= seam) == is_low
        if inside.all():
            rings.append(ring)
        if inside.all() or not inside.any():
            continue
        start = next(i for i in range(len(ring)) if inside[i] and not inside[i - 1])
        inside, ring = np.roll(inside, -start), np.roll(ring, -start, axis=0)
        i = 0
        while i < len(ring):
            if not inside[i]:
                i += 1
                continue
            end = i
            while end < len(ring) and inside[end]:
                end += 1
            enters = _crossing(ring[i - 1], ring[i], axis, seam)
            leaves = _crossing(ring[end - 1], ring[end % len(ring)], axis, seam)
            piece = np.vstack((enters, ring[i:end], leaves)).astype(np.float32)
            chains.append(_Chain(piece, float(piece[0, 1 - axis]), float(piece[-1, 1 - axis])))
            i = end
    return rings, chains


def _crossing(
    a: NDArray[np.float32], b: NDArray[np.float32], axis: int, seam: float
) -> NDArray[np.float64]:
    """Return where the line between two points crosses the seam."""
    start, end = a.astype(np.float64), b.astype(np.float64)
    share = (seam - start[axis]) / (end[axis] - start[axis])
    crossing = start + share * (end - start)
    crossing[axis] = seam
    return crossing

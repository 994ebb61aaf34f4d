"""The centre lines of a mask in pixels: its ends, its branches, how long and wide it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix
from semantic_detection_pkg.common.kernels import contours
from semantic_detection_pkg.scan.core.paths.graph import Indices, SpanningTree, build_spanning_tree

_RASTER_PX = 45_000  # cells of the raster, however large the mask is: bounds the time
_SPUR_WIDTHS = 1.2  # a shorter side branch is roughness of the outline, not a path
_SPUR_CELLS = 3.0
_SMOOTH_WIDTHS = 0.5  # of the width: sigma of the smoothing, as a skeleton wiggles within the mask
_FEWEST_CELLS = 5


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The centre lines of one mask, in pixels of the picture.

    Attributes:
        lines: (k, 2) points between ends and branches, smoothed.
        ends: (e, 2) where the mask ends.
        branches: (b, 2).
        longest: (k, 2) points of the longest way from end to end.
        width_px: mean width.
    """

    lines: tuple[Matrix, ...]
    ends: Matrix
    branches: Matrix
    longest: Matrix
    width_px: float


def trace_skeleton(rings: Sequence[NDArray[np.floating]]) -> Skeleton | None:
    """Return the skeleton of the longest part of a mask; None: nothing is long enough.

    The raster is the coarser the larger the box is; a loop is cut open at one point.

    Args:
        rings: (k, 2) [px], filled even-odd.
    """
    if not rings:
        return None
    points = np.concatenate([np.asarray(ring, np.float64) for ring in rings])
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1.0)
    scale = min(1.0, math.sqrt(_RASTER_PX / float(extent.prod())))
    width, height = (int(side) for side in np.ceil(extent * scale) + 2)
    sizes = np.array([len(ring) for ring in rings])
    mask = contours.fill((points - low) * scale + 1.0, sizes, width, height)
    found = _trace(mask)
    if found is None:
        return None

    def to_pixels(cells: Matrix) -> Matrix:
        return (cells - 1.0) / scale + low

    return Skeleton(
        tuple(to_pixels(line) for line in found.lines),
        to_pixels(found.ends),
        to_pixels(found.branches),
        to_pixels(found.longest),
        found.width_px / scale,
    )


def _trace(mask: NDArray[np.bool_]) -> Skeleton | None:
    """Return the skeleton of a raster, in cells."""
    from skimage.morphology import skeletonize  # see `scan.preloading`

    rows, columns = np.nonzero(skeletonize(mask))
    if len(rows) < _FEWEST_CELLS:
        return None
    tree = build_spanning_tree(
        np.stack([columns, rows], 1) + 0.5, _neighbours(rows, columns, mask.shape)
    )
    total = sum(tree.length(chain) for chain in tree.chains())
    if total <= 0.0:
        return None
    area = float(mask.sum())
    width = area / total
    tree = _prune_spurs(tree, width)
    chains = tree.chains()
    sigma = max(_SMOOTH_WIDTHS * width, 2.0)
    ends = {index: _tip(tree, index, mask, width) for index in tree.ends()}
    lines = [_smooth_line(tree.points[chain], sigma) for chain in chains]
    lines = [_add_tips(line, chain, ends) for line, chain in zip(lines, chains, strict=True)]
    way = tree.longest_way()
    longest = _add_tips(_smooth_line(tree.points[way], sigma), way, ends)
    total = sum(_length(line) for line in lines)
    branches = tree.points[_merge_crossings(tree, tree.branches(), width)]
    tips = np.array(list(ends.values())).reshape(-1, 2)
    return Skeleton(tuple(lines), tips, branches, longest, area / max(total, 1.0))


def _neighbours(rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Indices:
    """Return pairs of cells that touch, corners included: (k, 2)."""
    index = np.full((shape[0] + 2, shape[1] + 2), -1, np.intp)
    index[rows + 1, columns + 1] = np.arange(len(rows))
    pairs = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = index[rows + 1 + down, columns + 1 + right]
        is_pair = other >= 0
        pairs.append(np.stack([np.flatnonzero(is_pair), other[is_pair]], 1))
    return np.concatenate(pairs)


def _prune_spurs(tree: SpanningTree, width: float) -> SpanningTree:
    """Remove side branches that are hardly longer than the mask is wide, the shortest first."""
    limit = _SPUR_WIDTHS * width + _SPUR_CELLS
    while tree.branches():
        spurs = []
        for end in tree.ends():
            chain = tree.chain(end, tree.neighbours[end][0])
            length = tree.length(chain)
            if length < limit:
                spurs.append((length, end, chain[:-1]))
        if not spurs:
            break
        tree = tree.remove(set(min(spurs)[2]))
    return tree


def _merge_crossings(tree: SpanningTree, knots: list[int], width: float) -> list[int]:
    """Return one of each group of branches within a width: a wide crossing counts once."""
    kept: list[int] = []
    for knot in knots:
        off = tree.points[kept] - tree.points[knot]
        if not (np.hypot(off[:, 0], off[:, 1]) < 1.5 * width).any():
            kept.append(knot)
    return kept


def _tip(tree: SpanningTree, end: int, mask: NDArray[np.bool_], width: float) -> Matrix:
    """Return where the mask ends, straight on from an end of its skeleton."""
    chain = tree.chain(end, tree.neighbours[end][0])
    back = chain[min(len(chain) - 1, max(3, round(1.5 * width)))]
    tip = tree.points[end]
    step = tip - tree.points[back]
    step = 0.5 * step / max(math.hypot(step[0], step[1]), 1e-9)
    for _ in range(round(2.0 * width) + 2):
        column, row = (int(value) for value in np.floor(tip + step))
        if not (0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]):
            break
        tip = tip + step
    return np.asarray(tip)


def _smooth_line(line: Matrix, sigma: float) -> Matrix:
    """Return a chain of cells without its steps; both ends stay in place."""
    if len(line) < 4:
        return line
    from scipy.ndimage import gaussian_filter1d  # see `scan.preloading`

    # Odd reflection about the ends keeps them, and straight lines, unchanged.
    reach = min(len(line) - 1, int(3 * sigma) + 1)
    head = 2 * line[0] - line[reach:0:-1]
    tail = 2 * line[-1] - line[-2 : -reach - 2 : -1]
    padded = np.concatenate([head, line, tail])
    return np.asarray(gaussian_filter1d(padded, sigma, axis=0)[reach : reach + len(line)])


def _add_tips(line: Matrix, chain: list[int], ends: dict[int, Matrix]) -> Matrix:
    """Return a line extended to the tips of its ends, where it has some."""
    head = [ends[chain[0]][None]] if chain[0] in ends else []
    tail = [ends[chain[-1]][None]] if chain[-1] in ends else []
    return np.concatenate([*head, line, *tail])


def _length(line: Matrix) -> float:
    steps = np.diff(line, axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())

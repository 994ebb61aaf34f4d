"""Between a field of numbers and the polygons around its positive part.

A sample (row, column) of an (h, w) field or mask is a pixel whose centre is the point
(column + 0.5, row + 0.5). The even-odd fill of the polygons, asked at the pixels' centres, gives
exactly `field > 0` again, holes included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A vertex keeps this distance [px] from the pixels' centres, far above float32's resolution at
# 65,536 px, so that which centres a polygon holds does not hang on rounding.
_MARGIN = 0.02
# A mask is simplified by at most this share of the square root of its box's area.
_SMALL_MASK_SHARE = 0.005


def trace(field: NDArray[np.floating]) -> list[NDArray[np.float32]]:
    """Trace the outlines of `field > 0`: marching squares, vertices between pixel centres.

    Beyond its border the field is taken for minus its border: outlines that reach it run along the
    pixels' edges. Diagonal neighbours do not touch. Walking a ring keeps the positive side on the
    right (x right, y down).

    Args:
        field: (h, w), finite.

    Returns:
        Closed rings (k >= 4, 2) float32 x, y.
    """
    if not field.size:
        return []
    padded = np.pad(field, 1, mode="edge")
    for border in (padded[0], padded[-1], padded[:, 0], padded[:, -1]):
        border[:] = -np.abs(border)
    vertices, following = _link(padded)
    rings = _walk(following.tolist())
    return [vertices[ring] - 0.5 for ring in rings]  # padding shifts by 1, centres by 1/2


def simplify(ring: NDArray[np.float32], tolerance_px: float, area_px: float) -> NDArray[np.float32]:
    """Leave out points of a ring while it stays within a distance of where it was.

    Args:
        ring: (k, 2).
        tolerance_px: that distance [px]; less for small masks, so that their area holds.
        area_px: of the mask's box [px^2].

    Returns:
        (3 <= j <= k, 2); the ring itself where nothing is left of it.
    """
    distance_px = min(tolerance_px, _SMALL_MASK_SHARE * area_px**0.5)
    if distance_px <= 0:
        return ring
    import cv2  # large; who only fills has no use for it

    simpler = cv2.approxPolyDP(ring, distance_px, True)[:, 0]
    return simpler if len(simpler) >= 3 else ring


def fill(
    points: NDArray[np.floating], ring_sizes: NDArray[np.integer], width: int, height: int
) -> NDArray[np.bool_]:
    """Return the (height, width) pixels whose centres lie inside an odd number of rings.

    Args:
        points: (p, 2) x, y, ring after ring.
        ring_sizes: (r,) points of each ring.
        width, height: of the result [px].
    """
    is_crossed = np.zeros((height, width + 1), np.int64)
    if len(points):
        sizes = np.asarray(ring_sizes, np.intp)
        rows, x = _crossings(np.asarray(points, np.float64), sizes, height)
        # Pixels right of the crossing change sides: from the first centre beyond it on.
        first = np.clip(np.ceil(x - 0.5), 0, width).astype(np.intp)
        np.add.at(is_crossed, (rows, first), 1)
    return np.cumsum(is_crossed, axis=1)[:, :width] % 2 == 1


def _crossings(
    points: NDArray[np.float64], ring_sizes: NDArray[np.intp], height: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return rows and x where the rings' edges cross the lines through the pixels' centres."""
    ends = np.cumsum(ring_sizes)
    successors = np.arange(1, len(points) + 1)
    successors[ends - 1] = ends - ring_sizes
    start, end = points, points[successors]
    upper, lower = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    # Half open, so that a line through a shared vertex meets the two edges once.
    first_row = np.clip(np.ceil(upper - 0.5), 0, height).astype(np.intp)
    end_row = np.clip(np.ceil(lower - 0.5), 0, height).astype(np.intp)
    counts = end_row - first_row
    edges = np.repeat(np.arange(len(points)), counts)
    within = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = first_row[edges] + within
    (x0, y0), (x1, y1) = start[edges].T, end[edges].T
    return rows, x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)


def _link(field: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return vertices (n, 2) of all outlines and, for each, the next one of its ring.

    A vertex lies on the line between two neighbouring samples of which one is positive. Which one
    tells the direction of the outline there, hence the square of four samples it enters; the other
    corners of that square tell where it leaves.
    """
    inside = field > 0
    # Across: between (r, c) and (r, c + 1). Down: between (r, c) and (r + 1, c).
    rows_a, columns_a = _where(inside[:, :-1] != inside[:, 1:])
    rows_d, columns_d = _where(inside[:-1] != inside[1:])
    # Only the entries at vertices are ever used.
    across = np.empty(field.shape, np.intp)
    down = np.empty(field.shape, np.intp)
    across[rows_a, columns_a] = np.arange(len(rows_a))
    down[rows_d, columns_d] = np.arange(len(rows_d)) + len(rows_a)

    x = columns_a + _share(field[rows_a, columns_a], field[rows_a, columns_a + 1])
    y = rows_d + _share(field[rows_d, columns_d], field[rows_d + 1, columns_d])
    vertices = np.concatenate((np.stack((x, rows_a), 1), np.stack((columns_d, y), 1)))

    following = np.empty(len(vertices), np.intp)
    _leave_vertical(inside, across, down, rows_a, columns_a, following[: len(rows_a)])
    _leave_horizontal(inside, across, down, rows_d, columns_d, following[len(rows_a) :])
    return vertices.astype(np.float32), following


def _where(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of what is true: np.nonzero, faster by ten where that is little."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return rows, columns


def _share(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return where between two samples of different sign the field is zero, 0..1."""
    return np.clip(first / (first - second), _MARGIN, 1 - _MARGIN)


def _leave_vertical(
    inside: NDArray[np.bool_],
    across: NDArray[np.intp],
    down: NDArray[np.intp],
    r: NDArray[np.intp],
    c: NDArray[np.intp],
    following: NDArray[np.intp],
) -> None:
    """Note successors of the vertices at (r, c)..(r, c + 1), where outlines run up or down."""
    south = inside[r, c]  # heading down: the positive side, on the right, is the left sample
    next_row = np.where(south, r + 1, r - 1)
    right_hand = inside[next_row, np.where(south, c, c + 1)]
    left_hand = inside[next_row, np.where(south, c + 1, c)]
    square_row = np.where(south, r, r - 1)
    turn_right = down[square_row, np.where(south, c, c + 1)]
    turn_left = down[square_row, np.where(south, c + 1, c)]
    straight = across[next_row, c]
    following[:] = np.where(right_hand, np.where(left_hand, turn_left, straight), turn_right)


def _leave_horizontal(
    inside: NDArray[np.bool_],
    across: NDArray[np.intp],
    down: NDArray[np.intp],
    r: NDArray[np.intp],
    c: NDArray[np.intp],
    following: NDArray[np.intp],
) -> None:
    """Note successors of the vertices at (r, c)..(r + 1, c), where outlines run left or right."""
    east = inside[r + 1, c]  # heading right: the positive side, on the right, is the lower sample
    next_column = np.where(east, c + 1, c - 1)
    right_hand = inside[np.where(east, r + 1, r), next_column]
    left_hand = inside[np.where(east, r, r + 1), next_column]
    square_column = np.where(east, c, c - 1)
    turn_right = across[np.where(east, r + 1, r), square_column]
    turn_left = across[np.where(east, r, r + 1), square_column]
    straight = down[r, next_column]
    following[:] = np.where(right_hand, np.where(left_hand, turn_left, straight), turn_right)


def _walk(following: list[int]) -> list[list[int]]:
    """Return the cycles of a permutation, each from its smallest element on."""
    is_seen = bytearray(len(following))
    rings = []
    for start in range(len(following)):
        if is_seen[start]:
            continue
        ring = []
        vertex = start
        while not is_seen[vertex]:
            is_seen[vertex] = 1
            ring.append(vertex)
            vertex = following[vertex]
        rings.append(ring)
    return rings

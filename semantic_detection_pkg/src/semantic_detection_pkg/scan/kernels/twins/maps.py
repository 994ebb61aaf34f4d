"""What a picture adds to the maps of the area; see `core.grid_windows`, `coverage`, `pod_map`."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.kernels.rules import GroupRules

Angles = NDArray[np.float64]
Mask = NDArray[np.bool_]
Values = NDArray[np.float32]
Rays = tuple[Angles, Angles, Angles]


def shown_cells(
    view: CameraView, yaw_rad: Angles, cos_pitch: Angles, sin_pitch: Angles, edge_margin: float
) -> tuple[Rays, Mask]:
    """Return right, down, depth of cells in a view's optical frame, and which it shows.

    This is `CameraView.project` for a grid: sines and cosines are taken of each row and column, not
    of each cell. All results are (rows, columns).

    Args:
        yaw_rad: (columns,) of the cells.
        cos_pitch, sin_pitch: (rows,).
        edge_margin: share of the picture at each edge that does not count.
    """
    turn = yaw_rad - view.yaw_rad
    level, drop = cos_pitch[:, None], sin_pitch[:, None]
    to_left = level * np.sin(turn)
    if view.roll_rad:
        cos_roll, sin_roll = math.cos(view.roll_rad), math.sin(view.roll_rad)
        to_left, drop = (
            cos_roll * to_left - sin_roll * drop,
            cos_roll * drop + sin_roll * to_left,
        )
    sin_view, cos_view = math.sin(view.pitch_rad), math.cos(view.pitch_rad)
    along = level * np.cos(turn)
    depth = cos_view * along + sin_view * drop
    down = cos_view * drop - sin_view * along
    right = -to_left
    inside = (0.5 - edge_margin) / view.pixels_per_rad
    half_x, half_y = view.width * inside, view.height * inside
    # Behind the camera the depth is negative, and neither comparison holds.
    is_shown = (np.abs(right) <= half_x * depth) & (np.abs(down) <= half_y * depth)
    return (right, down, depth), is_shown


def count_view(
    shown: Mask, stamp_s: float, pixels_per_rad: float, last_seen_s: Angles, finest: Values,
    counts: NDArray[np.uint16], results: NDArray[np.uint8], is_wanted: Mask, min_views: int,
    results_changed: tuple[int, int],
) -> int:  # fmt: skip
    """Count a picture in the cells that it shows, in place.

    Args:
        results_changed: a result, and what it becomes in a cell that is shown.

    Returns:
        How many wanted cells were shown often enough by this picture first.
    """
    last_seen_s[shown] = stamp_s
    np.maximum(finest, np.float32(pixels_per_rad), out=finest, where=shown)
    grows = shown & (counts < min_views)
    counts[grows] += 1
    before, after = results_changed
    results[shown & (results == before)] = after
    return int(np.count_nonzero(grows & (counts >= min_views) & is_wanted))


def count_looks(
    gains: Values, stamp_s: float, pixels_per_rad: float, parts: Values, since_s: Angles,
    last_look_s: Angles, look_counts: NDArray[np.uint16], finest: Values, steps: NDArray[np.intp],
    tables: Values, known_gains: Values, shifts: NDArray[np.intp], rules: GroupRules,
) -> None:  # fmt: skip
    """Count a picture's looks at cells, in place; all but tables are of (rows, columns) of a map.

    Args:
        gains: of the finest look at each cell; 0: none.
        parts: (best looks + 3, classes, rows, columns); see `core.look_groups`.
        steps: (classes, rows, columns) sizes of things, in steps of their logarithm.
        tables: (classes, steps) the exposure of a look by the size in the network's input.
        known_gains: (g,) all gains that there are.
        shifts: (g, classes) steps from sizes to sizes in the network's input.
    """
    is_shown = gains > 0.0
    is_old = is_shown & (stamp_s - since_s > rules.group_s)
    *best, total, past_best, past_sum = parts
    if is_old.any():
        since_s[is_old] = stamp_s
        counted = [one[:, is_old] for one in best[: rules.hits]]
        rest = np.maximum(total[:, is_old] - reduce(np.add, counted), np.float32(0.0))
        rest = np.minimum(rest, np.float32(rules.rest_looks) * counted[-1])
        group = counted[-1] + np.float32(rules.within) * rest
        past_sum[:, is_old] = np.minimum(past_sum[:, is_old] + group, np.float32(rules.sum_max))
        past_best[:, is_old] = np.maximum(past_best[:, is_old], group)
        for part in (*best, total):
            part[:, is_old] = 0.0
    np.copyto(last_look_s, stamp_s, where=is_shown)
    look_counts += is_shown & (look_counts < rules.counts_max)
    np.maximum(finest, gains * np.float32(pixels_per_rad), out=finest)

    if len(shifts) == 1:
        sizes = steps + shifts[0][:, None, None]
    else:
        sizes = steps + sum(
            (gains == gain) * shift[:, None, None]
            for gain, shift in zip(known_gains, shifts, strict=True)
        )
    np.clip(sizes, 0, tables.shape[1] - 1, out=sizes)
    sizes += tables.shape[1] * np.arange(len(tables)).reshape(-1, 1, 1)
    added = tables.take(sizes) * is_shown
    np.minimum(total + added, np.float32(rules.sum_max), out=total)
    left = added
    for one in best:  # the new one takes its place, the others move down
        worse = np.minimum(one, left)
        np.maximum(one, left, out=one)
        left = worse

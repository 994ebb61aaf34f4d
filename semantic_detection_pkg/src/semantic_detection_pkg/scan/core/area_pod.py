"""The probability of detection (POD) of an area: one number, wherever it is told.

It is that of a thing that stands anywhere on the ground of the area alike, times the weights of the
goal: page, report, messages, the end of a goal and the planner's wanted POD all go by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]

_PARTS = 3  # of the area along each axis, for the least POD


@dataclass(frozen=True)
class PodSummary:
    """The POD of one class in the area.

    Attributes:
        mean: 0..1, of a thing that stands anywhere in the area, see `area_weights`.
        least: 0..1, the same of the ninth of the area where it is least.
        least_bearing: (yaw, pitch) [rad] of the middle of that ninth.
    """

    mean: float
    least: float
    least_bearing: tuple[float, float]


def area_weights(is_wanted: NDArray[np.bool_], ground: Grid, likely: Grid | None = None) -> Grid:
    """Return the chance that a thing stands in each cell: (rows, columns), adds up to 1.

    Args:
        is_wanted: (rows, columns) which cells belong to the area.
        ground: (rows, columns) area of the ground behind each cell, in any unit.
        likely: (rows, columns) >= 0, how likely things are on equal ground; None: alike. What
            leaves nothing counts for nothing.
    """
    found = np.where(is_wanted, ground, 0.0)
    if likely is not None and (found * likely).sum() > 0.0:
        found = found * likely
    if not found.sum() > 0.0:  # nothing but sky
        found = is_wanted.astype(np.float64)
    return np.asarray(found / found.sum())


def summary_of(
    pod: NDArray[np.floating], weights: Grid, yaw_rad: Grid, pitch_rad: Grid
) -> PodSummary:
    """Return the POD of an area.

    Args:
        pod: (rows, columns) 0..1.
        weights: see `area_weights`.
        yaw_rad, pitch_rad: (columns), (rows) middles of the cells.
    """
    weighed = pod * weights
    rows, columns = weights.shape
    parts = []
    for row in np.array_split(np.arange(rows), min(_PARTS, rows)):
        for column in np.array_split(np.arange(columns), min(_PARTS, columns)):
            part = slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1)
            weight = float(weights[part].sum())
            if weight > 0.0:
                middle = float(yaw_rad[part[1]].mean()), float(pitch_rad[part[0]].mean())
                parts.append((float(weighed[part].sum()) / weight, middle))
    least, bearing = min(parts, default=(0.0, (0.0, 0.0)))
    return PodSummary(float(weighed.sum()), least, bearing)

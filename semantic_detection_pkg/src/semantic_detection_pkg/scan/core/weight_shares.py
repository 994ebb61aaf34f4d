"""What weights come to: which share of the chance lies in each part of the area, and on how much
of its ground.

It is computed from a message of coverage, so that a page and a report can tell it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semantic_detection_pkg.scan.core.area_pod import area_weights
from semantic_detection_pkg.scan.core.weights import Grid, WeightedArea, cell_shares


@dataclass(frozen=True)
class WeightShare:
    """Of a part of the area, or of what no part covers.

    Attributes:
        weight: on equal ground, against 1 elsewhere.
        ground: 0..1, of the area's ground.
        chance: 0..1, that what is sought stands there, if it is in the area.
    """

    weight: float
    ground: float
    chance: float


def weight_shares(weights: Sequence[WeightedArea], coverage: Any) -> list[WeightShare]:
    """Return what each part comes to, in their order, and last what is outside of all.

    Ground is level, as far as a terrain model has not other distances, and where nobody knows the
    distance it is by solid angle; see `area_pod.area_weights`.

    Args:
        coverage: message of type Coverage; without `range_m` distances are not known.
    """
    rows, columns, cell = int(coverage.rows), int(coverage.columns), float(coverage.cell_rad)
    yaw = coverage.yaw_min_rad + (np.arange(columns) + 0.5) * cell
    pitch = coverage.pitch_min_rad + (np.arange(rows) + 0.5) * cell
    covered = np.zeros((len(weights) + 1, rows, columns))  # share of each cell, the rest last
    covered[-1] = 1.0
    for index, one in enumerate(weights):
        shares = cell_shares(one, yaw, pitch)
        covered *= 1.0 - shares
        covered[index] = shares
    ground = _ground(coverage, pitch, columns)
    factors = np.array([*(one.weight for one in weights), 1.0])
    even = area_weights(np.ones(ground.shape, bool), ground)
    grounds = (covered * even).sum(axis=(1, 2))
    chances = factors * grounds if ground.sum() > 0.0 else grounds  # nothing but sky
    chances = chances if chances.sum() > 0.0 else grounds
    chances = chances / chances.sum()
    return [WeightShare(*map(float, one)) for one in zip(factors, grounds, chances, strict=True)]


def _ground(coverage: Any, pitch_rad: Grid, columns: int) -> Grid:
    """Return the area of the ground in each cell, in any unit: (rows, columns)."""
    solid = np.broadcast_to(np.cos(pitch_rad)[:, None], (len(pitch_rad), columns))
    range_m = np.asarray(coverage.range_m, np.float64)
    if coverage.is_range_assumed or range_m.size != solid.size:
        return np.asarray(solid, np.float64)
    # The height above level ground is the range times the sine of the fall, which the area is
    # inverse to.
    return np.asarray(solid * np.nan_to_num(range_m, posinf=0.0).reshape(solid.shape) ** 3)

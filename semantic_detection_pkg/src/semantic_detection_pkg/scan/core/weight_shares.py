"""What weights come to: which share of the chance lies in each part of the area, and on how much
of its ground.

It is computed from a message of coverage, so that a page and a report can tell it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from semantic_detection_pkg.scan.core.area_pod import area_weights
from semantic_detection_pkg.scan.core.weights import Grid, WeightedArea, cell_weights


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
    part_of = np.full((rows, columns), len(weights))
    for index, one in enumerate(weights):
        part_of[cell_weights([replace(one, weight=2.0)], yaw, pitch) == 2.0] = index
    ground = _ground(coverage, pitch, columns)
    factors = np.array([*(one.weight for one in weights), 1.0])
    is_wanted = np.ones(ground.shape, bool)
    grounds, chances = (
        np.bincount(part_of.ravel(), each.ravel(), len(factors))
        for each in (
            area_weights(is_wanted, ground),
            area_weights(is_wanted, ground, factors[part_of]),
        )
    )
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

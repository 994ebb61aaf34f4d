"""Where in the area what is sought is likelier: polygons of bearings, each with a weight.

A weight is a likelihood on equal ground against 1 outside of all polygons, as in a probability map
of a search; what they add up to does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area, Bearing

Grid = NDArray[np.float64]

MAX_PARTS = 100
MAX_VERTICES = 200
WEIGHT_MAX = 1000.0
_ROUNDING_RAD = 1e-6
_LARGE = 3.0  # cells: a polygon that reaches over more is looked at by their middles
_SAMPLES, _SAMPLES_MAX = 8, 32  # across one that reaches over less, and across a cell at most
_CROSSED_RAD = 2e-5  # by less, places far away cross only because their bearings are rounded


@dataclass(frozen=True)
class WeightedArea:
    """A polygon and its weight, as asked for; `check_weights` says whether they make sense.

    Attributes:
        vertices: (yaw, pitch) [rad], in their order; it goes the short way round between them.
        weight: 0..`WEIGHT_MAX`.
    """

    vertices: tuple[Bearing, ...]
    weight: float


def check_weight_counts(vertex_counts: Sequence[int]) -> None:
    """Check that a goal has no more parts and vertices than a scan can do with.

    Raises:
        ConfigurationError: it has.
    """
    if len(vertex_counts) > MAX_PARTS:
        raise ConfigurationError(
            f"weights: {len(vertex_counts)} parts are too many, at most {MAX_PARTS}"
        )
    for number, count in enumerate(vertex_counts, 1):
        if not 3 <= count <= MAX_VERTICES:
            raise ConfigurationError(
                f"weights: part {number} has {count} vertices, allowed are 3..{MAX_VERTICES}"
            )


def check_weights(weights: Sequence[WeightedArea], area: Area) -> None:
    """Check that weights make sense in an area that does.

    Raises:
        ConfigurationError: a weight is negative or too great, a polygon is none, crosses itself or
            lies outside the area, or nothing of the area is left; the line says which.
    """
    check_weight_counts([len(one.vertices) for one in weights])
    for number, one in enumerate(weights, 1):
        name = f"weights: part {number}"
        if not 0.0 <= one.weight <= WEIGHT_MAX:
            raise ConfigurationError(
                f"{name} has weight {one.weight:g}, allowed is 0..{WEIGHT_MAX:g}"
            )
        for yaw, pitch in one.vertices:
            if not (math.isfinite(yaw) and abs(pitch) <= math.pi / 2):
                raise ConfigurationError(
                    f"{name} has a vertex at yaw {math.degrees(yaw):.4g}, pitch "
                    f"{math.degrees(pitch):.4g} deg: both must be finite, pitch in -90..90"
                )
        crossed = crossing_edges(_placed(one.vertices, 0.0)[0], _CROSSED_RAD)
        if crossed is not None:
            raise ConfigurationError(f"{name} {crossing_text(*crossed)}")
        if not _touches(one.vertices, area):
            yaws, pitches = np.transpose(one.vertices)
            yaw = math.remainder(float(np.unwrap(yaws).mean()), math.tau)  # across 180 deg, too
            raise ConfigurationError(
                f"{name}, around yaw {math.degrees(yaw):.1f}, pitch "
                f"{math.degrees(pitches.mean()):.1f} deg, lies outside the area: it must cover "
                "some of it"
            )
    if weights and not _is_any_left(weights, area):
        raise ConfigurationError("weights: all of the area has weight 0, some needs more")


def crossing_edges(polygon: Grid, least: float) -> tuple[int, int] | None:
    """Return two edges of a polygon (n, 2) that cross; None: it does not cross itself.

    Edges cross where the ends of each lie on both sides of the other's line.

    Args:
        least: how far on both sides at least, in the polygon's units; what only touches is allowed.

    Returns:
        The numbers, 1.., of the corners that they begin with.
    """
    along = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.maximum(np.hypot(*along.T), np.finfo(float).tiny)
    off = polygon[None, :, :] - polygon[:, None, :]
    sides = (along[:, None, 0] * off[:, :, 1] - along[:, None, 1] * off[:, :, 0]) / lengths[:, None]
    ends = np.roll(sides, -1, axis=1)  # (edge, edge): where the other's end lies
    apart = (np.minimum(sides, ends) < -least) & (np.maximum(sides, ends) > least)
    crossed = np.argwhere(apart & apart.T)
    return None if not len(crossed) else (int(crossed[0][0]) + 1, int(crossed[0][1]) + 1)


def crossing_text(first: int, second: int) -> str:
    """Return that two edges of a polygon cross, in words, for after its name."""
    return (
        f"crosses itself: its edges from corner {first} and from corner {second} on, draw it as "
        "parts that do not"
    )


def cell_weights(weights: Sequence[WeightedArea], yaw_rad: Grid, pitch_rad: Grid) -> Grid:
    """Return the weight of each cell, the mean in it: (rows, columns); 1 where no polygon is.

    Args:
        yaw_rad: (columns) of the middles of cells, rising; they may go beyond pi.
        pitch_rad: (rows), rising.
    """
    found = np.ones((len(pitch_rad), len(yaw_rad)))
    for one in weights:
        shares = cell_shares(one, yaw_rad, pitch_rad)
        found = np.where(shares < 1.0, found + shares * (one.weight - found), one.weight)
    return found


def cell_shares(part: WeightedArea, yaw_rad: Grid, pitch_rad: Grid) -> Grid:
    """Return which share of each cell a polygon covers: (rows, columns) 0..1.

    Of one that is large against the cells it is 1 or 0, by their middles. One that is small, as
    places far away are as seen from the robot, would lie between all middles: it is looked at more
    finely, and counts for what it is, however small.

    Args:
        yaw_rad, pitch_rad: see `cell_weights`.
    """
    found = np.zeros((len(pitch_rad), len(yaw_rad)))
    middle = float(yaw_rad[0] + yaw_rad[-1]) / 2.0
    for polygon in _placed(part.vertices, middle):
        (columns, yaws), (rows, pitches) = (
            _samples(axis, polygon[:, index]) for index, axis in enumerate((yaw_rad, pitch_rad))
        )
        if not (yaws.size and pitches.size):
            continue
        shape = rows.stop - rows.start, columns.stop - columns.start
        inside = _cells_inside(polygon, yaws.ravel(), pitches.ravel())
        shares = inside.reshape(shape[0], -1, shape[1], yaws.shape[1]).mean(axis=(1, 3))
        if not inside.any():  # smaller than that: its area in the cell where its middle is
            at = np.argmin(np.abs(pitches.mean(axis=1) - polygon[:, 1].mean()))
            beside = np.argmin(np.abs(yaws.mean(axis=1) - polygon[:, 0].mean()))
            cell = _step(yaw_rad) * _step(pitch_rad)
            shares[at, beside] = min(_area(polygon) / cell, 1.0) if cell > 0.0 else 0.0
        found[rows, columns] = np.maximum(found[rows, columns], shares)
    return found


def _samples(middles: Grid, corners: Grid) -> tuple[slice, Grid]:
    """Return the cells of an axis that a polygon may reach, and samples in each: (cells, n)."""
    step, low, high = _step(middles), float(corners.min()), float(corners.max())
    cells = slice(
        int(np.searchsorted(middles + step / 2.0, low)),
        int(np.searchsorted(middles - step / 2.0, high, side="right")),
    )
    extent, count = high - low, 1
    if extent < _LARGE * step:
        count = min(math.ceil(_SAMPLES * step / max(extent, 1e-9)), _SAMPLES_MAX)
    offsets = step * ((np.arange(count) + 0.5) / count - 0.5)
    return cells, middles[cells][:, None] + offsets[None]


def _step(middles: Grid) -> float:
    """Return how far apart cells are; 0: there is one only."""
    return float(middles[1] - middles[0]) if len(middles) > 1 else 0.0


def _area(polygon: Grid) -> float:
    """Return the area of a polygon (n, 2) that does not cross itself (the shoelace formula)."""
    after = np.roll(polygon, -1, axis=0)
    return abs(float((polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]).sum())) / 2.0


def _weights_at(weights: Sequence[WeightedArea], yaw_rad: Grid, pitch_rad: Grid) -> Grid:
    """Return the weights at bearings (n,) of which yaw lies within a turn."""
    found = np.ones(len(yaw_rad))
    middle = float(yaw_rad.min() + yaw_rad.max()) / 2.0
    for one in weights:
        for polygon in _placed(one.vertices, middle):
            if _is_near(polygon, yaw_rad, pitch_rad):
                found[_inside(polygon, yaw_rad, pitch_rad)] = one.weight
    return found


def _is_near(polygon: Grid, yaw_rad: Grid, pitch_rad: Grid) -> bool:
    """Return whether the bounds of a polygon and of bearings overlap."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    across = low[0] <= yaw_rad.max() and high[0] >= yaw_rad.min()
    return bool(across and low[1] <= pitch_rad.max() and high[1] >= pitch_rad.min())


def _cells_inside(polygon: Grid, yaw_rad: Grid, pitch_rad: Grid) -> NDArray[np.bool_]:
    """Return which cells of a grid lie in a polygon: (rows, columns); yaw and pitch rise.

    Each edge that a row crosses turns round what is left of it, so an edge costs its rows only.
    """
    turns = np.zeros((len(pitch_rad), len(yaw_rad) + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        rows = np.flatnonzero((y0 > pitch_rad) != (y1 > pitch_rad))
        if len(rows):
            at = x0 + (pitch_rad[rows] - y0) * (x1 - x0) / (y1 - y0)
            turns[rows, np.searchsorted(yaw_rad, at)] += 1
    right_of = turns[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.asarray(right_of[:, 1:] % 2 == 1)


def _placed(vertices: Sequence[Bearing], middle_rad: float) -> list[Grid]:
    """Return the polygon (n, 2) without leaps of yaw, near a yaw and a turn to both sides of it."""
    points = np.array(vertices, np.float64)
    steps = np.diff(points[:, 0])
    short = np.array([math.remainder(step, math.tau) for step in steps.tolist()])
    points[1:, 0] = points[0, 0] + np.cumsum(short)
    off = float(points[:, 0].mean()) - middle_rad
    points[:, 0] += math.remainder(off, math.tau) - off
    return [points + (turn, 0.0) for turn in (-math.tau, 0.0, math.tau)]


def _inside(polygon: Grid, yaw_rad: Grid, pitch_rad: Grid) -> NDArray[np.bool_]:
    """Return which points (n,) lie in a polygon, by the number of its edges that a ray crosses."""
    inside = np.zeros(yaw_rad.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > pitch_rad) != (y1 > pitch_rad)
        inside ^= crosses & (yaw_rad < x0 + (pitch_rad - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _touches(vertices: Sequence[Bearing], area: Area) -> bool:
    """Return whether a polygon, by its bounds, has anything of an area."""
    if area.bearings:
        yaw, pitch = np.array(area.bearings).T
        middle = float(vertices[0][0])
        yaw = middle + np.remainder(yaw - middle + math.pi, math.tau) - math.pi
        return any(bool(_inside(one, yaw, pitch).any()) for one in _placed(vertices, middle))
    middle = (area.yaw_min_rad + area.yaw_max_rad) / 2.0
    low, high = area.pitch_min_rad + _ROUNDING_RAD, area.pitch_max_rad - _ROUNDING_RAD
    for polygon in _placed(vertices, middle):
        (yaw_low, pitch_low), (yaw_high, pitch_high) = polygon.min(axis=0), polygon.max(axis=0)
        across = yaw_low < area.yaw_max_rad - _ROUNDING_RAD
        across = across and yaw_high > area.yaw_min_rad + _ROUNDING_RAD
        if across and pitch_low < high and pitch_high > low:
            return True
    return False


def _is_any_left(weights: Sequence[WeightedArea], area: Area) -> bool:
    """Return whether some of the area has a weight above 0, looked at in 40 x 40 places."""
    if all(one.weight > 0.0 for one in weights):
        return True
    if area.bearings:
        yaw, pitch = np.array(area.bearings).T
        yaw = np.remainder(yaw, math.tau)
        return bool((_weights_at(weights, yaw, pitch) > 0.0).any())
    steps = (np.arange(40) + 0.5) / 40.0
    yaw = area.yaw_min_rad + steps * (area.yaw_max_rad - area.yaw_min_rad)
    pitch = area.pitch_min_rad + steps * (area.pitch_max_rad - area.pitch_min_rad)
    return bool((cell_weights(weights, yaw, pitch) > 0.0).any())

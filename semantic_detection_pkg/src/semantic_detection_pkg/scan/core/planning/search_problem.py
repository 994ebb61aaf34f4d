"""From the maps of a search to the problem that a plan of passes solves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from semantic_detection_pkg.common.core.looks import Look, WayOfLooking, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.planning.closer_looks import (
    CloserLookRules,
    CloserLooks,
    closer_looks,
)
from semantic_detection_pkg.scan.core.planning.pass_choices import (
    Grid,
    LookRate,
    PassRules,
    zooms_to_choose,
)
from semantic_detection_pkg.scan.core.planning.pass_layer import PassProblem, PlaceChances
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.tracking.tracker import TILE_HITS

_ROWS_MAX, _COLUMNS_MAX = 48, 16  # of the planner's own grid
_ALL_OF_IT = 0.95  # share of the picture from which tiles show all of it
_LEAST_SIZE_RAD = 1e-7  # of what is beyond all ground
_BY_DOUBLING = 0.25  # of what the planner gives for cells; see `search_order`


@dataclass(frozen=True)
class ProbabilityRules:
    """What a search by probability goes by.

    Attributes:
        wide: lens and picture at zoom 1.
        zoom: fixed by the goal; 0: the planner chooses.
        zoom_max: greatest there is.
        wanted_pod: 0..1, of the area, by its weights, and then without them.
        is_weighted: it is likelier somewhere: that part comes first, the rest after it.
        hits: looks that have to find a thing for it to be reported.
        closer: how candidates are looked at closer.
    """

    wide: CameraView
    limits: GimbalLimits
    zoom: float
    zoom_max: float
    zoom_rate_per_s: float
    wanted_pod: float
    is_weighted: bool
    hits: int
    closer: CloserLookRules


@dataclass(frozen=True)
class Seeing:
    """How the detector sees at present.

    Attributes:
        looks: at the newest frame; empty: nobody knows.
        rate_hz: pictures that are examined in a second.
        camera_s: [s] between pictures that come, as they would be examined if it took no time.
        latency_s: [s] from a capture until its detections are known.
    """

    looks: tuple[Look, ...]
    rate_hz: float
    camera_s: float
    latency_s: float


@dataclass(frozen=True)
class Way:
    """A way of looking that a plan can be made for.

    Attributes:
        name: that the detector is asked by; empty: it has its own.
        look_rates: see `PassRules`.
        rate_hz: pictures that are examined in a second.
        hits: looks that have to find a thing for it to be reported.
    """

    name: str
    look_rates: tuple[LookRate, ...]
    rate_hz: float
    hits: int


def pass_problems(
    rules: ProbabilityRules,
    coverage: CoverageMap,
    pod: PodMap,
    seeing: Seeing,
    shares: tuple[float, ...],
) -> tuple[tuple[str, PassProblem], ...]:
    """Return what is to be planned, on a coarser grid, by the names of ways of looking.

    Args:
        shares: see `PassProblem`.
    """
    first, *others = ways_of_looking(rules, pod.curves.ways, seeing, coverage.look_share)
    problem = _problem(rules, coverage, pod, first, shares, seeing.latency_s)
    found = [(first.name, problem)]
    for way in others:
        passes = replace(problem.rules, look_rates=way.look_rates, hits=way.hits)
        closer = _closer(rules, pod, problem.log_sizes, way)
        found.append((way.name, replace(problem, rules=passes, closer=closer)))
    return tuple(found)


def _closer(rules: ProbabilityRules, pod: PodMap, log_sizes: Grid, way: Way) -> CloserLooks:
    return closer_looks(
        rules.closer,
        [pod.class_curve(name) for name in pod.class_names],
        rules.wide,
        rules.zoom_max,
        log_sizes,
        max(one.gain for one in way.look_rates),
        way.rate_hz,
        (way.hits, pod.curves.dependence.within),
    )


def _problem(
    rules: ProbabilityRules,
    coverage: CoverageMap,
    pod: PodMap,
    way: Way,
    shares: tuple[float, ...],
    latency_s: float,
) -> PassProblem:
    curves = tuple(pod.class_curve(name) for name in pod.class_names)
    rows = np.arange(0, len(coverage.pitch_rad), _step(len(coverage.pitch_rad), _ROWS_MAX))
    columns = np.arange(0, len(coverage.yaw_rad), _step(len(coverage.yaw_rad), _COLUMNS_MAX))
    ground, order = pod.area_weights, search_order(pod)
    even = None
    if rules.is_weighted:
        grounds = pod.even_weights, search_order(pod, pod.even_weights)
        even = PlaceChances(*(_sums(one, rows, columns) for one in grounds))
    pooling = order + 1e-9 / order.size
    pooled = _sums(pooling, rows, columns)
    pods = np.array([_sums(one * pooling, rows, columns) / pooled for one in class_pods(pod)])
    ceilings = np.array([max(one.curve.ceiling, 1e-9) for one in curves])[:, None, None]
    exposures = -np.log(np.maximum(1.0 - pods / ceilings, 1e-7))
    angles = [pod.ranges.sizes_rad(pod.size_m(name)) for name in pod.class_names]
    logs = np.log(np.maximum(angles, _LEAST_SIZE_RAD))
    sizes = np.array([_sums(one * pooling, rows, columns) for one in logs]) / pooled
    if float(np.ptp(sizes, axis=2).max()) < 0.02:  # level: alike in all columns
        sizes = sizes[:, :, :1]
    dependence = pod.curves.dependence
    return PassProblem(
        rules=PassRules(
            rules.wide,
            rules.limits,
            zooms_to_choose(rules.zoom, rules.zoom_max),
            way.look_rates,
            way.hits,
            coverage.criteria.edge_margin,
            coverage.criteria.exposure_time_s,
            coverage.criteria.max_motion_blur_px,
            dependence.within,
        ),
        curves=curves,
        pitch_rad=_means(coverage.pitch_rad, rows),
        yaw_edges_rad=coverage.yaw_min_rad
        + coverage.cell_rad * np.append(columns, len(coverage.yaw_rad)),
        log_sizes=sizes,
        ground=_sums(ground, rows, columns),
        order=_sums(order, rows, columns),
        even=even,
        best=exposures,
        total=exposures,
        between=dependence.between,
        wanted_pod=rules.wanted_pod,
        shares=shares,
        closer=_closer(rules, pod, sizes, way),
        latency_s=latency_s,
        zoom_rate_per_s=rules.zoom_rate_per_s,
    )


def ways_of_looking(
    rules: ProbabilityRules, offered: Sequence[WayOfLooking], seeing: Seeing, share: float
) -> tuple[Way, ...]:
    """Return the ways of looking to choose from: those that the detector offers, or its own.

    Args:
        share: 0..1, of the picture that the tiles of the newest frames show.
    """
    ways = []
    for one in offered:
        rate_hz = 1.0 / max(seeing.camera_s, one.frame_s)
        rates = [LookRate(one.gain, rate_hz * (one.share if one.share < _ALL_OF_IT else 1.0))]
        if one.whole_gain > 0.0 and one.share < _ALL_OF_IT:
            rates.insert(0, LookRate(one.whole_gain, rate_hz))
        hits = rules.hits if one.name == "full" else min(rules.hits, TILE_HITS)
        ways.append(Way(one.name, tuple(rates), rate_hz, hits))
    if ways:
        return tuple(ways)
    has_tiles = bool(tiles_of(seeing.looks, rules.wide.width, rules.wide.height))
    hits = min(rules.hits, TILE_HITS) if has_tiles else rules.hits
    return (Way("", _look_rates(rules, seeing, share), seeing.rate_hz, hits),)


def _look_rates(rules: ProbabilityRules, seeing: Seeing, share: float) -> tuple[LookRate, ...]:
    """Return how the detector looks at pictures, as far as the newest frame tells.

    Args:
        share: 0..1, of the picture that its tiles show.
    """
    view, rate_hz = rules.wide, seeing.rate_hz
    whole = [one.gain for one in seeing.looks if one.is_whole(view.width, view.height)]
    tiles = [one.gain for one in tiles_of(seeing.looks, view.width, view.height)]
    found = []
    if whole or not tiles:
        gain = max(whole, default=min(1.0, 640.0 / max(view.width, view.height)))
        found.append(LookRate(gain, rate_hz))
    if tiles:
        is_all = share >= _ALL_OF_IT
        fine = LookRate(max(tiles), rate_hz * (1.0 if is_all else share))
        found = [fine] if is_all else [*found, fine]
    return tuple(found)


def search_order(pod: PodMap, chances: Grid | None = None) -> Grid:
    """Return how much the planner gives for each cell: (rows, columns), adds up to 1.

    Most of it goes by where a thing stands in the area. By that alone near ground, which is
    little, would be left to the end, or out. So a share is given alike in each doubling of the
    distance, and the wanted POD is reached when it is reached by this, too. What is told goes by
    the area alone.

    Args:
        chances: (rows, columns) that a thing stands there; None: by the goal's weights.
    """
    chances, range_m = pod.area_weights if chances is None else chances, pod.ranges.range_m
    order = np.where(np.isfinite(range_m), chances / range_m**2, 0.0)
    if not order.sum() > 0.0:  # nothing but sky
        return chances
    return np.asarray(_BY_DOUBLING * order / order.sum() + (1.0 - _BY_DOUBLING) * chances)


def class_pods(pod: PodMap) -> Grid:
    """Return the PODs of all classes: (classes, rows, columns)."""
    shape = pod.last_look_s.shape
    return np.array([pod.pod(name) for name in pod.class_names], np.float64).reshape(-1, *shape)


def _step(count: int, most: int) -> int:
    return max(1, math.ceil(count / most))


def _sums(values: Grid, rows: np.ndarray, columns: np.ndarray) -> Grid:
    return np.asarray(np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1))


def _means(values: Grid, starts: np.ndarray) -> Grid:
    ends = np.append(starts[1:], len(values))
    return np.asarray(np.add.reduceat(values, starts) / (ends - starts))

"""Curves, blur, ceiling and dependence of looks by maximum likelihood, with bootstrap intervals.

Resampled are scenes (pictures, worlds), not looks: those of one scene are alike, and intervals from
single looks would be too narrow; of one scene there are none. A weak prior keeps the fit where few
looks say little: the rise of the curve is about 0.35 wide (in the logarithm of the size), within a
factor of two or so. Where even the smallest things were found, nobody knows how much smaller they
may be: the size for half is then half of the smallest that were looked at. The most that can be
found has the prior of one look more that found and one more that did not: where few things were
large it is no certainty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from measure_detector.records import Look, scenes_of
from semantic_detection_pkg.common.core.detection_curve import EXPOSURE_MAX

Matrix = NDArray[np.float64]

RESAMPLES = 80
#: No size for half is sought beyond: who comes here has found hardly anything, of whatever size.
SIZE_MOST_PX = 1000.0
_SEED = 7
_PRIOR_LOG_WIDTH = (math.log(0.35), 0.5)
_LOG_WIDTHS = (math.log(0.03), math.log(2.0))
_LEAST = 1e-6
_EDGES = 2.0 ** np.arange(1.0, 11.01, 0.5)  # of the bins of sizes [px]


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval; None: of one scene nobody knows them."""

    value: float
    low: float | None = None
    high: float | None = None

    def plain(self) -> dict[str, float]:
        """Return it for JSON, without the ends that nobody knows."""
        return {key: round(one, 4) for key, one in vars(self).items() if one is not None}


@dataclass(frozen=True)
class CurveFit:
    """A curve at one threshold."""

    p_max: Estimate
    size_50_px: Estimate
    width: Estimate


@dataclass(frozen=True)
class Bin:
    """Looks at things of about one size, and how many found them."""

    low_px: float
    high_px: float
    looks: int
    found: int

    def wilson(self) -> tuple[float, float]:
        """Return the 95 % Wilson interval of the share found (E. B. Wilson, 1927)."""
        z = 1.96
        n, share = self.looks, self.found / self.looks
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(middle - half, 0.0), min(middle + half, 1.0)


def fit_curve(looks: Sequence[Look], confidence: float) -> CurveFit:
    """Fit sharp looks at one class at one threshold, with intervals."""
    scenes = [_columns(one, confidence) for one in scenes_of(looks)]
    middle = _curve(np.concatenate(scenes, axis=1))
    rng = np.random.default_rng(_SEED)
    drawn = [
        _curve(
            np.concatenate([scenes[i] for i in rng.integers(0, len(scenes), len(scenes))], 1),
            near=middle,
        )
        for _ in range(RESAMPLES if len(scenes) > 1 else 0)
    ]
    return CurveFit(*(_estimate(middle[i], [one[i] for one in drawn]) for i in range(3)))


def bins_of(looks: Sequence[Look], confidence: float) -> list[Bin]:
    """Return the looks by size, without empty bins."""
    sizes, found = _columns(looks, confidence)
    bins = []
    for low, high in zip(_EDGES[:-1], _EDGES[1:], strict=True):
        is_in = (sizes >= low) & (sizes < high)
        if is_in.any():
            bins.append(Bin(float(low), float(high), int(is_in.sum()), int(found[is_in].sum())))
    return bins


def probability(sizes: Matrix, curve: Sequence[float] | Matrix) -> Matrix:
    """Return the chance of one look at things of these sizes [px]; (p_max, size_50, width)."""
    p_max, size_50, width = curve
    rise = np.clip(np.log(sizes / size_50) / width, -60.0, 60.0)
    return np.asarray(p_max / (1.0 + np.exp(-rise)))


def fit_blur(looks: Sequence[tuple[Sequence[float], Look]], confidence: float) -> Estimate | None:
    """Fit the blur of the detector; None where no look is blurred.

    Args:
        looks: each with the curve of its class.
    """
    blurred = [(curve, one) for curve, one in looks if one.smear_px > 0.5]
    if len(blurred) < 30:
        return None
    curves = np.array([curve for curve, _ in blurred])
    smear = np.array([one.smear_px for _, one in blurred])
    sizes = np.array([one.size_px for _, one in blurred])
    found = np.array([one.score > confidence for _, one in blurred])
    scenes = np.array([one.scene for _, one in blurred])

    def best(rows: NDArray[np.intp]) -> float:
        def cost(log_blur: Matrix) -> float:
            shrunk = sizes[rows] / np.sqrt(1.0 + (smear[rows] / math.exp(log_blur[0])) ** 2)
            p = probability(shrunk, curves[rows].T)
            return _negative_log_likelihood(p, found[rows]) + 0.5 * ((log_blur[0] - 1.4) / 1.5) ** 2

        return math.exp(_least(cost, [[0.0], [1.5], [3.0]], [(-1.5, 5.0)])[0])

    return _bootstrap(best, scenes)


@dataclass(frozen=True, eq=False)
class Chains:
    """Looks at things over several visits, of one class.

    Attributes:
        p: (n, visits, looks) chance of each look by the curve; 0: there was none.
        found: (n, visits) whether the visit reported the thing.
        scenes: (n) of the thing.
    """

    p: Matrix
    found: NDArray[np.bool_]
    scenes: NDArray[np.intp]


def chains_of(looks: Sequence[Look], curve: Sequence[float], confidence: float) -> Chains:
    """Return the looks by thing and visit; things that were visited once are left out."""
    things: dict[tuple[int, int], dict[int, list[Look]]] = {}
    for one in looks:
        things.setdefault((one.scene, one.thing), {}).setdefault(one.visit, []).append(one)
    longest = max((len(v) for visits in things.values() for v in visits.values()), default=1)
    count = max((len(visits) for visits in things.values()), default=1)
    p = np.zeros((len(things), count, longest))
    found = np.zeros((len(things), count), bool)
    for row, visits in enumerate(things.values()):
        for column, visit in enumerate(visits[key] for key in sorted(visits)):
            sizes = np.array([one.size_px for one in visit])
            p[row, column, : len(visit)] = probability(sizes, curve)
            found[row, column] = any(one.score > confidence for one in visit)
    return Chains(p, found, np.array([scene for scene, _ in things], np.intp))


def fit_ceiling(chains: Chains, p_max: float) -> Estimate:
    """Fit the share of things that are reported sooner or later: by their best visits.

    Of things that had several visits with a chance near `p_max`, those that no visit reported.
    """
    good = (chains.p.max(axis=2) >= 0.9 * p_max).sum(axis=1) >= 3
    if good.sum() < 10:
        return Estimate(p_max)
    seen = chains.found[good].any(axis=1)
    # With a uniform prior: never 1, and less sure where few things stand behind it.
    share = (seen.sum() + 1.0) / (len(seen) + 2.0)
    low, high = Bin(1.0, 2.0, len(seen), int(seen.sum())).wilson()
    return Estimate(*(max(float(one), p_max) for one in (share, low, high)))


def fit_dependence(chains: Sequence[tuple[Chains, float]]) -> tuple[Estimate, Estimate]:
    """Fit how looks of one visit, and visits to one thing, hang together.

    Args:
        chains: of each class, with its ceiling.

    Returns:
        `within` and `between`.
    """
    parts = [
        (_exposures(one.p, ceiling), one.found, one.scenes, ceiling) for one, ceiling in chains
    ]

    def within(draw: Callable[[Chains], NDArray[np.intp]]) -> float:
        def cost(x: Matrix) -> float:
            total = 0.0
            for (one, _), (exposure, found, _, ceiling) in zip(chains, parts, strict=True):
                rows = draw(one)
                pod = _pod(_combined(exposure[rows], x[0], axis=2), ceiling)
                is_visit = (one.p[rows] > 0.0).any(axis=2)
                total += _negative_log_likelihood(pod[is_visit], found[rows][is_visit])
            return total

        return float(_least(cost, [[0.1], [0.5]], [(0.0, 1.0)])[0])

    def between(draw: Callable[[Chains], NDArray[np.intp]], inner: float) -> float:
        def cost(x: Matrix) -> float:
            total = 0.0
            for (one, _), (exposure, found, _, ceiling) in zip(chains, parts, strict=True):
                rows = draw(one)
                groups = _combined(exposure[rows], inner, axis=2)
                pod = _pod(_combined(groups, x[0], axis=1), ceiling)
                total += _negative_log_likelihood(pod, found[rows].any(axis=1))
            return total

        return float(_least(cost, [[0.1], [0.5]], [(0.0, 1.0)])[0])

    def everything(one: Chains) -> NDArray[np.intp]:
        return np.arange(len(one.scenes))

    inner = within(everything)
    outer = between(everything, inner)
    rng = np.random.default_rng(_SEED)
    scenes = np.unique(np.concatenate([one.scenes for one, _ in chains]))
    drawn = []
    for _ in range(RESAMPLES // 4 if len(scenes) > 1 else 0):
        chosen = rng.choice(scenes, len(scenes))

        def draw(one: Chains, chosen: NDArray[np.intp] = chosen) -> NDArray[np.intp]:
            return np.concatenate([np.flatnonzero(one.scenes == scene) for scene in chosen])

        again = within(draw)
        drawn.append((again, between(draw, again)))
    return (
        _estimate(inner, [one for one, _ in drawn]),
        _estimate(outer, [one for _, one in drawn]),
    )


def _exposures(p: Matrix, ceiling: float) -> Matrix:
    left = np.maximum(1.0 - p / ceiling, math.exp(-EXPOSURE_MAX))
    return np.asarray(-np.log(left))


def _combined(exposure: Matrix, share: float, axis: int) -> Matrix:
    best = exposure.max(axis=axis)
    return np.asarray(best + share * (exposure.sum(axis=axis) - best))


def _pod(exposure: Matrix, ceiling: float) -> Matrix:
    return np.asarray(-ceiling * np.expm1(-exposure))


def _columns(looks: Sequence[Look], confidence: float) -> Matrix:
    return np.array(
        [[one.size_px for one in looks], [one.score > confidence for one in looks]], float
    )


def _curve(columns: Matrix, near: Matrix | None = None) -> Matrix:
    """Return (p_max, size_50, width) of (2, n) sizes and whether each was found.

    Args:
        near: where to begin; None: nobody knows.
    """
    # Sizes of one per cent are one size: few numbers, however many looks.
    steps = np.round(np.log(np.maximum(columns[0], 0.1)) / 0.01).astype(int)
    steps -= steps.min()
    found = np.bincount(steps, columns[1])
    looks = np.bincount(steps)
    is_used = looks > 0
    sizes = (np.bincount(steps, columns[0])[is_used]) / looks[is_used]
    found, missed = found[is_used], (looks[is_used] - found[is_used])
    mean, spread = _PRIOR_LOG_WIDTH

    def cost(x: Matrix) -> float:
        p = np.clip(probability(sizes, (x[0], math.exp(x[1]), math.exp(x[2]))), _LEAST, 1 - _LEAST)
        likelihood = found @ np.log(p) + missed @ np.log1p(-p)
        likelihood += math.log(x[0]) + math.log1p(-x[0])
        return float(0.5 * ((x[2] - mean) / spread) ** 2 - likelihood)

    starts = [[0.9, math.log(size), mean] for size in (6.0, 12.0, 25.0, 60.0)]
    if near is not None:
        starts = [[near[0], math.log(near[1]), math.log(near[2])]]
    smallest = float(np.percentile(np.repeat(sizes, looks[is_used]), 2.0))
    least = math.log(max(smallest / 2.0, 1.0))
    bounds = [(0.001, 0.9999), (least, max(math.log(SIZE_MOST_PX), least + 1.0)), _LOG_WIDTHS]
    starts = [[p, max(size, least), width] for p, size, width in starts]
    best = _least(cost, starts, bounds)
    return np.array([best[0], math.exp(best[1]), math.exp(best[2])])


def _negative_log_likelihood(p: Matrix, found: NDArray[np.bool_]) -> float:
    p = np.clip(p, _LEAST, 1.0 - _LEAST)
    return float(-np.log(np.where(found, p, 1.0 - p)).sum())


def _least(
    cost: Callable[[Matrix], float],
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
) -> Matrix:
    options = {"maxiter": 80, "ftol": 1e-7}
    results = [
        minimize(cost, start, method="L-BFGS-B", bounds=bounds, options=options) for start in starts
    ]
    return np.asarray(min(results, key=lambda one: one.fun).x)


def _bootstrap(best: Callable[[NDArray[np.intp]], float], scenes: NDArray[np.intp]) -> Estimate:
    value = best(np.arange(len(scenes)))
    rng = np.random.default_rng(_SEED)
    known = np.unique(scenes)
    drawn = []
    for _ in range(RESAMPLES // 4 if len(known) > 1 else 0):
        chosen = rng.choice(known, len(known))
        drawn.append(best(np.concatenate([np.flatnonzero(scenes == one) for one in chosen])))
    return _estimate(value, drawn)


def _estimate(value: float, drawn: Sequence[float]) -> Estimate:
    if not drawn:
        return Estimate(float(value))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)))

"""One layer of passes over a map: which bands of rows, at which zoom and pace, at what price.

Rows are shared out among passes by dynamic programming, from the lowest up, each pass over the
range of yaw where it is worth most; see `pass_planning`.

Gains are whole numbers, so that sums do not depend on their order, nor choices on last bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detection_curve import EXPOSURE_MAX, ClassCurve
from semantic_detection_pkg.scan.core.planning.closer_looks import CloserLooks, Shown
from semantic_detection_pkg.scan.core.planning.pass_choices import Grid, PassChoices, PassRules

_UNITS = float(1 << 40)  # of a POD of 1
_ALIKE = 0.02  # of what bands are worth: columns that differ by less are one
_TURN_S = 0.6  # [s] between two passes, before their order is known
_PRICES = (1e-5, 3.0)  # [1/s] POD of a second: the least that is worth it, and the greatest
_PRICE_STEPS = 10  # bisection
_BEST_SHARE = 0.97  # of what is gained at best: the rest would take long, where it is not enough


class PlaceChances(NamedTuple):
    """Chances that a thing stands in each cell: (rows, columns), each adds up to 1; see there."""

    ground: Grid
    order: Grid


@dataclass(frozen=True, eq=False)
class PassProblem:
    """What is known where a plan is wanted.

    Attributes:
        rules: what passes can be made of.
        curves: (classes) of the detector.
        pitch_rad: (rows) of the middles of rows.
        yaw_edges_rad: (columns + 1) edges of columns, rising.
        log_sizes: (classes, rows, columns) natural logarithm of the angular size [rad].
        ground: (rows, columns) chance that a thing stands there, of which the POD of the area is
            made up; adds up to 1.
        order: (rows, columns) what passes are chosen and ordered by; adds up to 1.
        even: the same without the weights of the goal; None: it has none.
        best, total: (classes, rows, columns) exposure of the best group of looks and of all.
        between: share of its exposure that a group adds to the best one.
        wanted_pod: 0..1, by `ground` and by `order`, and then by both of `even`.
        shares: rising to 1, of what is wanted by `ground` and `order`: closer looks at what was
            seen come after each but the last.
        closer: looks at false alarms.
        latency_s: [s] from a look until what it found is known.
        zoom_rate_per_s: how fast the zoom moves.
    """

    rules: PassRules
    curves: tuple[ClassCurve, ...]
    pitch_rad: Grid
    yaw_edges_rad: Grid
    log_sizes: Grid
    ground: Grid
    order: Grid
    even: PlaceChances | None
    best: Grid
    total: Grid
    between: float
    wanted_pod: float
    shares: tuple[float, ...]
    closer: CloserLooks
    latency_s: float
    zoom_rate_per_s: float


class PodGain(NamedTuple):
    """PODs of the area: by where things stand on its ground, and by the planner's order."""

    gain: float
    worth: float

    def plus(self, other: PodGain) -> PodGain:
        return PodGain(self.gain + other.gain, self.worth + other.worth)

    def less(self, other: PodGain) -> PodGain:
        return PodGain(self.gain - other.gain, self.worth - other.worth)

    def reaches(self, wanted: PodGain) -> bool:
        return self.gain >= wanted.gain - 1e-9 and self.worth >= wanted.worth - 1e-9


@dataclass(frozen=True)
class PlannedPass:
    """One pass of the axis.

    Attributes:
        start_rad, end_rad: yaw of the axis; equal: it stays there.
        rate_rad_s: yaw rate, > 0.
        stay_s: [s] to stay where it does not move.
        gain: of the POD, 0..1.
        worth: the same by the order of the problem.
    """

    zoom: float
    pitch_rad: float
    start_rad: float
    end_rad: float
    rate_rad_s: float
    stay_s: float
    gain: float
    worth: float

    @property
    def gains(self) -> PodGain:
        """Return both gains."""
        return PodGain(self.gain, self.worth)

    @property
    def duration_s(self) -> float:
        """Return the time from its start to its end. [s]"""
        return max(abs(self.end_rad - self.start_rad) / self.rate_rad_s, self.stay_s)


class Band(NamedTuple):
    choice: int
    row: int
    first: int  # column
    last: int  # column, included
    gain: int
    worth: int


def gain_of(bands: list[Band]) -> PodGain:
    """Return what bands gain of the POD."""
    gain, worth = sum(one.gain for one in bands), sum(one.worth for one in bands)
    return PodGain(gain / _UNITS, worth / _UNITS)


def pods_of(curves: tuple[ClassCurve, ...], exposures: Grid) -> Grid:
    """Return PODs of exposures (..., classes, rows, columns)."""
    ceilings = np.array([one.curve.ceiling for one in curves])[:, None, None]
    return np.asarray(-ceilings * np.expm1(-np.minimum(exposures, EXPOSURE_MAX)))


def area_pods(problem: PassProblem, best: Grid, total: Grid) -> PodGain:
    """Return the POD of the area by exposures, by ground and by order, 0..1."""
    pods = pods_of(problem.curves, best + problem.between * (total - best)).mean(axis=0)
    return PodGain(float((pods * problem.ground).sum()), float((pods * problem.order).sum()))


class PassLayer:
    """One layer of passes over a state of the map."""

    def __init__(
        self,
        problem: PassProblem,
        choices: PassChoices,
        groups: Grid,
        state: tuple[Grid, Grid],
    ) -> None:
        self._problem, self._choices, self._groups, self._state = problem, choices, groups, state
        best, total = state
        highest = np.maximum(best[None], groups)
        after = highest + problem.between * (total[None] + groups - highest)
        pods = pods_of(problem.curves, best + problem.between * (total - best))
        gained = np.maximum(pods_of(problem.curves, after) - pods[None], 0.0).mean(axis=1)
        self._worth = _of_bands(gained, problem.order, choices)
        self._gained = _of_bands(gained, problem.ground, choices)
        self._starts = _alike(self._worth)
        self._spans = np.add.reduceat(self._worth, self._starts, axis=2)
        self._widths = np.add.reduceat(np.diff(problem.yaw_edges_rad), self._starts)
        # A false alarm that is looked at closer was seen in as many looks as a thing has to be.
        alarms_hz = choices.looks_hz[:, None] / (problem.rules.hits + 1.0)
        slow = 1.0 + problem.closer.alarms_per_look * problem.closer.look_s * alarms_hz
        rate = np.where(choices.rows > 0, choices.rate_rad_s, 1e-6)
        self._column_s = slow / rate  # (K, R) per rad
        extra = -2.0 * choices.half_rad * (1.0 - 2.0 * choices.ratio)
        self._band_s = np.maximum(extra / rate, 0.0) * slow + _TURN_S

    def bands(self, wanted: PodGain) -> list[Band]:
        """Return the bands of the greatest price that gains so much, or nearly the best."""
        low, high = (math.log(price) for price in _PRICES)
        chosen = self._at_price(math.exp(low))
        best = gain_of(chosen)
        wanted = PodGain(
            *(min(one, _BEST_SHARE * most) for one, most in zip(wanted, best, strict=True))
        )
        for _ in range(_PRICE_STEPS):
            middle = (low + high) / 2.0
            tried = self._at_price(math.exp(middle))
            if gain_of(tried).reaches(wanted):
                chosen, low = tried, middle
            else:
                high = middle
        return chosen

    def _at_price(self, price: float) -> list[Band]:
        """Return the bands that gain most, less the price of their time."""
        net, first, last = self._best_ranges(price * _UNITS)
        count = net.shape[1]
        best = np.zeros(count + 1)
        taken = np.full(count, -1)
        for row in range(count - 1, -1, -1):
            best[row] = best[row + 1]
            sums = net[:, row] + best[row + self._choices.rows[:, row]]
            choice = int(np.argmax(sums))
            if self._choices.rows[choice, row] > 0 and sums[choice] > best[row]:
                best[row], taken[row] = sums[choice], choice
        bands: list[Band] = []
        row = 0
        while row < count:
            choice = int(taken[row])
            if choice < 0:
                row += 1
                continue
            ends = (*self._starts[1:].tolist(), self._worth.shape[2])
            span = slice(int(self._starts[first[choice, row]]), ends[last[choice, row]])
            gain, worth = (int(one[choice, row, span].sum()) for one in (self._gained, self._worth))
            bands.append(Band(choice, row, span.start, span.stop - 1, gain, worth))
            row += int(self._choices.rows[choice, row])
        return bands

    def _best_ranges(self, price: float) -> tuple[Grid, NDArray[np.int64], NDArray[np.int64]]:
        """Return for each band the range of spans that is worth most, and how much: (K, R)."""
        shape = self._worth.shape[:2]
        here, start = np.full(shape, -np.inf), np.zeros(shape, np.int64)
        best, first, last = np.full(shape, -np.inf), np.zeros_like(start), np.zeros_like(start)
        for column, width in enumerate(self._widths.tolist()):
            value = self._spans[:, :, column] - price * width * self._column_s
            begins = here <= 0.0
            start = np.where(begins, column, start)
            here = np.where(begins, value, here + value)
            is_better = here > best
            best = np.where(is_better, here, best)
            first, last = np.where(is_better, start, first), np.where(is_better, column, last)
        return best - price * self._band_s, first, last

    def planned(self, band: Band) -> PlannedPass:
        """Return the pass of a band."""
        choices, at = self._choices, (band.choice, band.row)
        edges = self._problem.yaw_edges_rad
        half, ratio = float(choices.half_rad[at]), float(choices.ratio[at])
        pitch = float(choices.pitch_rad[at])
        inset = half * (1.0 - 2.0 * ratio)
        low, high = float(edges[band.first]) + inset, float(edges[band.last + 1]) - inset
        if low >= high:
            low = high = (low + high) / 2.0
        limits = self._problem.rules.limits
        low, high = (limits.nearest((yaw, pitch))[0] for yaw in (low, high))
        rate = float(choices.rate_rad_s[at])
        stay_s = (self._problem.rules.hits + 1.0) / float(choices.looks_hz[band.choice])
        gain, worth = band.gain / _UNITS, band.worth / _UNITS
        zoom = float(choices.zooms[band.choice])
        return PlannedPass(zoom, pitch, low, high, rate, stay_s, gain, worth)

    def shown(self, band: Band) -> Shown:
        """Return what the pass of a band shows."""
        rows = slice(band.row, band.row + int(self._choices.rows[band.choice, band.row]))
        looks = self.planned(band).duration_s * float(self._choices.looks_hz[band.choice])
        return Shown(rows, slice(band.first, band.last + 1), looks)

    def state_after(self, bands: list[Band]) -> tuple[Grid, Grid]:
        """Return the exposures after these passes."""
        best, total = (one.copy() for one in self._state)
        for band in bands:
            rows, columns, _ = self.shown(band)
            part = slice(None), rows, columns
            added = self._groups[band.choice][:, rows]
            if added.shape[-1] > 1:
                added = added[:, :, part[2]]
            best[part], total[part] = np.maximum(best[part], added), total[part] + added
        return best, total


def _of_bands(gained: Grid, chances: Grid, choices: PassChoices) -> Grid:
    """Return what bands gain in each column, in whole units: (K, R, columns)."""
    units = np.rint(gained * chances[None] * _UNITS)
    sums = np.zeros((units.shape[0], units.shape[1] + 1, units.shape[2]))
    np.cumsum(units, axis=1, out=sums[:, 1:])
    ends = np.arange(units.shape[1])[None] + choices.rows  # (K, R)
    return np.take_along_axis(sums, ends[:, :, None], axis=1) - sums[:, :-1]


def _alike(worth: Grid) -> NDArray[np.intp]:
    """Return where spans of columns begin whose bands are worth the same, of (K, R, columns)."""
    sizes = np.abs(worth).max(axis=(0, 1))
    apart = np.abs(np.diff(worth, axis=2)).max(axis=(0, 1), initial=0.0)
    is_new = apart > _ALIKE * np.maximum(sizes[1:], sizes[:-1])
    return np.concatenate([[0], np.flatnonzero(is_new) + 1])

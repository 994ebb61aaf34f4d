"""The probability of detection (POD) of each cell and class: had one been there, was it reported?

Each look adds exposure, by the apparent size of a thing in it and by its motion blur; what exposure
is, and how looks and groups of looks add up, is said in `common.core.detection_curve`. The camera
stands where it stands, so a cell is always seen from the same side: looks form groups by time.

Sizes are counted in steps of the natural logarithm, so that a look costs an addition and a table
for each cell, and no function whose last bits differ between machines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detection_curve import (
    EXPOSURE_MAX,
    ClassCurve,
    DetectionCurve,
    DetectionCurves,
    assumed_curves,
)
from semantic_detection_pkg.common.core.looks import Look, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area_pod import PodSummary, area_weights, summary_of
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.look_groups import OTHER_PARTS, LookGroups, Values
from semantic_detection_pkg.scan.core.pod_ageing import PodAgeing
from semantic_detection_pkg.scan.core.pod_record import PodRecord
from semantic_detection_pkg.scan.core.thing_sizes import (
    CellRanges,
    Grid,
    Ground,
    PodSettings,
    cell_ranges,
)
from semantic_detection_pkg.scan.core.tracking.tracker import TILE_HITS
from semantic_detection_pkg.scan.kernels import implementation

_STEPS = 64  # of a natural logarithm: 1.6 per cent of the size
_ENTRIES = 9 * _STEPS  # sizes up to exp(9) = 8100 px of the network's input
_UNKNOWN_INPUT_PX = 640.0  # of the network, where a recording does not say what it looked at
_MOST_VALUES = 1_000_000  # cells times classes: beyond it classes are left out
_LEAST_SIZE_RAD = 1e-7  # of what is beyond all ground
_LOOKS_MAX = int(np.iinfo(np.uint16).max)
_STALE_MAX = 8  # parts of a map that were looked at: of more than that all is computed


class PodMap:
    """POD over the cells of a coverage map.

    Attributes:
        class_names: that it is known for; the rest had no room.
        curves: in force, each class known or assumed.
        ranges: of the cells.
        finest: (rows, columns) [px of the network's input per rad] of the finest look; 0: never.
        look_counts: (rows, columns) looks that showed a cell.
        last_look_s: (rows, columns) stamp of the newest of them [s]; -inf: never.
        now_s: what is told is told for this moment [s]; no earlier than the newest look.
        area_weights: (rows, columns) of the PODs of the area, see `area_pod.area_weights`.
        even_weights: the same as if things were alike wherever they can be at all.
        ageing: of what was seen before.
    """

    def __init__(
        self,
        grid: CoverageMap,
        class_names: Sequence[str],
        settings: PodSettings | None = None,
        hits: int = 1,
        weights: Grid | None = None,
    ) -> None:
        """Begin with nothing seen, by assumed curves and an assumed range.

        Args:
            weights: (rows, columns) >= 0, how likely things are on equal ground; None: alike.
            hits: looks of a group, >= 1, that have to find a thing for it to be reported; where
                tiles are looked at no more than `TILE_HITS`, as in the tracker.
        """
        self._grid = grid
        self._settings = settings or PodSettings()
        self.now_s = 0.0
        self.ageing = PodAgeing(self._settings.pod_half_life_s)
        shape = grid.is_wanted.shape
        room = _MOST_VALUES // grid.is_wanted.size
        self.class_names = tuple(dict.fromkeys(class_names))[:room]
        # Best looks of the group in hand, the best first; their sum; best and sum of groups before.
        self._memory = np.zeros((hits + OTHER_PARTS, len(self.class_names), *shape), np.float32)
        self._parts = list(self._memory)
        self._hits, self._weights = hits, weights
        self._group_since_s = np.full(shape, -np.inf)
        self.last_look_s = np.full(shape, -np.inf)
        self.finest = np.zeros(shape, np.float32)
        self.look_counts = np.zeros(shape, np.uint16)
        self._means: Grid | None = None  # see `mean_pods`, and where it does not hold any more
        self._stale: list[tuple[slice, slice]] = []
        self._given: DetectionCurves | None = None
        self._set_curves(assumed_curves())
        self._set_ground(Ground())

    def use(self, curves: DetectionCurves | None, ground: Ground) -> None:
        """Go by these curves and this ground from the next look on; costs nothing if it does."""
        if curves is not None and curves is not self._given:
            self._given = curves
            self._set_curves(curves)
        if not ground.is_like(self._ground):
            self._set_ground(ground)

    def update(
        self,
        view: CameraView,
        stamp_s: float,
        rates_rad_s: tuple[float, float] = (0.0, 0.0),
        looks: Sequence[Look] = (),
    ) -> None:
        """Count the looks at one picture.

        Args:
            stamp_s: [s] of its capture; on a clock that never falls.
            rates_rad_s: (yaw, pitch) at which the gimbal turned then.
            looks: what the detector looked at, and how finely; empty: nobody knows.
        """
        looks = looks or _whole(view)
        self.now_s = max(self.now_s, stamp_s)
        self._note_way_of_looking(view, looks)
        shifts, rules = self._shifts(view, rates_rad_s, looks), self._groups.rules(_LOOKS_MAX)
        known, steps = np.array(list(shifts), np.float32), np.array(list(shifts.values()), np.intp)
        for rows, columns, gains in self._grid.gains_in(view, looks):
            part = rows, columns
            if self.ageing.half_life_s:
                self._begin_groups(rows, columns, gains > 0.0, stamp_s)
            implementation("maps").count_looks(
                gains,
                stamp_s,
                view.pixels_per_rad,
                self._memory[:, :, rows, columns],
                self._group_since_s[part],
                self.last_look_s[part],
                self.look_counts[part],
                self.finest[part],
                self._steps[:, rows, columns],
                self._tables,
                known,
                steps.reshape(len(steps), -1),
                rules,
            )
            self._stale.append(part)

    def gain(
        self,
        view: CameraView,
        stamp_s: float,
        rates_rad_s: tuple[float, float] = (0.0, 0.0),
        looks: Sequence[Look] = (),
    ) -> Values:
        """Return by how much `update` would raise the POD: (classes, rows, columns); see there."""
        looks = looks or _whole(view)
        shifts = self._shifts(view, rates_rad_s, looks)
        gained = np.zeros_like(self._parts[0])
        for rows, columns, gains in self._grid.gains_in(view, looks):
            state = self._state(rows, columns)
            since = self._group_since_s[rows, columns]
            is_new = stamp_s - since > self.curves.dependence.group_s
            before, ages_s = self._groups.total(state), stamp_s - since
            closed = self.ageing.parts(self._groups.closed(state), before, ages_s)
            after = [np.where(is_new, new, old) for new, old in zip(closed, state, strict=True)]
            self._groups.add_look(after, self._added(rows, columns, gains, shifts))
            seen = self._groups.total(after), np.where(is_new, 0.0, ages_s)
            exposures = self.ageing.exposure(before, ages_s), self.ageing.exposure(*seen)
            pods = [_pod(exposure, self._ceilings) for exposure in exposures]
            gained[:, rows, columns] = np.maximum(pods[1] - pods[0], 0.0) * (gains > 0.0)
        return gained

    def exposure(self, class_name: str) -> Values:
        """Return the exposure of each cell: (rows, columns).

        Raises:
            KeyError: the class is not one of `class_names`.
        """
        index = self._index(class_name)
        exposure = self._groups.total([part[index] for part in self._parts])
        return self.ageing.exposure(exposure, self.now_s - self._group_since_s)

    def pod(self, class_name: str) -> Values:
        """Return the POD of each cell: (rows, columns) 0..1.

        Raises:
            KeyError: the class is not one of `class_names`.
        """
        return _pod(self.exposure(class_name), self._ceilings[self._index(class_name)])

    def class_curve(self, class_name: str) -> ClassCurve:
        """Return the curve in force of a class.

        Raises:
            KeyError: the class is not one of `class_names`.
        """
        return self._class_curves[self._index(class_name)]

    def is_measured(self, class_name: str) -> bool:
        """Return whether the curve of a class was measured and its size told, or one is assumed.

        Raises:
            KeyError: the class is not one of `class_names`.
        """
        return self.class_curve(class_name).is_measured and self._settings.knows_size(class_name)

    def size_m(self, class_name: str) -> tuple[float, float]:
        """Return (width, height) [m] that things of a class are taken to have."""
        return self._settings.size_m(class_name)

    def summary(self, class_name: str) -> PodSummary:
        """Return the POD in the area.

        Raises:
            KeyError: the class is not one of `class_names`.
        """
        grid = self._grid
        return summary_of(self.pod(class_name), self.area_weights, grid.yaw_rad, grid.pitch_rad)

    def area_pod(self) -> float:
        """Return the POD of the area, the mean of the classes: 0..1."""
        return self._mean_pod(self.area_weights)

    def even_pod(self) -> float:
        """Return what the POD of the area is without its weights: 0..1, see `even_weights`."""
        return self._mean_pod(self.even_weights)

    def mean_pods(self) -> Grid:
        """Return the mean of the classes' PODs of each cell: (rows, columns), not to be changed.

        PODs that do not age are computed anew only where something was looked at.
        """
        if self._means is None or self.ageing.half_life_s or len(self._stale) > _STALE_MAX:
            self._stale = [(slice(None), slice(None))]
            self._means = np.zeros(self.finest.shape)
        for rows, columns in self._stale:
            exposure = self._groups.total(self._state(rows, columns))
            ages_s = self.now_s - self._group_since_s[rows, columns]
            pods = _pod(self.ageing.exposure(exposure, ages_s), self._ceilings)
            self._means[rows, columns] = pods.astype(np.float64).mean(axis=0)
        self._stale.clear()
        return self._means

    def record(self) -> PodRecord:
        """Return a copy of what is known."""
        return PodRecord(
            self.class_names,
            np.stack(self._parts, axis=1),
            self._group_since_s.copy(),
            self.last_look_s.copy(),
            self.finest.copy(),
            self.look_counts.copy(),
        )

    def restore(self, record: PodRecord) -> None:
        """Take over what another map of the same area knew; classes that it had not begin anew.

        A class that is spelled otherwise there, in the same place of as many, is the same.

        Raises:
            ValueError: it had other cells.
        """
        shape = self.finest.shape
        wanted = {(len(record.class_names), len(self._parts), *shape), shape}
        if {one.shape for one in record.arrays} - wanted:
            raise ValueError(f"POD of {record.exposures.shape} cells for a map of {shape}")
        named = record.class_names
        for index, name in enumerate(self.class_names):
            is_there = len(named) == len(self.class_names) and named[index] not in self.class_names
            if name in named or is_there:
                before = record.exposures[named.index(name) if name in named else index]
                for part, values in zip(self._parts, before, strict=True):
                    part[index] = values
        self._group_since_s = np.array(record.group_since_s, np.float64)
        self.last_look_s = np.array(record.last_look_s, np.float64)
        self.finest = np.array(record.finest, np.float32)
        self.look_counts = np.array(record.look_counts, np.uint16)
        self._means = None

    def _mean_pod(self, chances: Grid) -> float:
        pods = [float((self.pod(name) * chances).sum()) for name in self.class_names]
        return sum(pods) / max(1, len(pods))

    def _index(self, class_name: str) -> int:
        if class_name not in self.class_names:
            raise KeyError(class_name)
        return self.class_names.index(class_name)

    def _set_curves(self, curves: DetectionCurves) -> None:
        self.curves = curves.with_classes(self.class_names)
        self._class_curves = self.curves.classes
        # Of all classes, one after the other, as are `_steps`: what a look costs is mostly calls.
        tables = [_table(one.curve) for one in self._class_curves]
        self._tables = np.array(tables, np.float32).reshape(-1, _ENTRIES)
        ceilings = [one.curve.ceiling for one in self._class_curves]
        self._ceilings = np.array(ceilings, np.float32).reshape(-1, 1, 1)
        self._set_groups(self._hits)

    def _set_ground(self, ground: Ground) -> None:
        self._ground = ground
        grid, assumed_m = self._grid, self._settings.assumed_range_m
        self.ranges: CellRanges = cell_ranges(grid.yaw_rad, grid.pitch_rad, ground, assumed_m)
        self.area_weights = area_weights(grid.is_wanted, self.ranges.weights, self._weights)
        self.even_weights = self.area_weights
        if self._weights is not None:
            possible = (self._weights > 0.0).astype(np.float64)
            self.even_weights = area_weights(grid.is_wanted, self.ranges.weights, possible)
        sizes = [self.ranges.sizes_rad(self.size_m(name)) for name in self.class_names]
        logs = np.log(np.maximum(np.array(sizes), _LEAST_SIZE_RAD))
        steps = np.round(_STEPS * logs.reshape(-1, *self.finest.shape))
        self._steps = steps.astype(np.intp)

    def _begin_groups(
        self, rows: slice, columns: slice, is_shown: NDArray[np.bool_], stamp_s: float
    ) -> list[Values]:
        """Close the groups of cells that began too long ago, begin new ones; return the parts."""
        state, since = self._state(rows, columns), self._group_since_s[rows, columns]
        is_old = is_shown & (stamp_s - since > self.curves.dependence.group_s)
        if is_old.any():
            old = [part[:, is_old] for part in state]
            ages_s = stamp_s - since[is_old]
            total, closed = self._groups.total(old), self._groups.closed(old)
            closed = self.ageing.parts(closed, total, ages_s)
            since[is_old] = stamp_s
            for part, values in zip(state, closed, strict=True):
                part[:, is_old] = values
        return state

    def _shifts(
        self, view: CameraView, rates_rad_s: tuple[float, float], looks: Sequence[Look]
    ) -> dict[np.float32, NDArray[np.intp]]:
        """Return by gain the steps from angular sizes to sizes in the network: (classes, 1, 1)."""
        smear_px = self._grid.criteria.motion_blur_px(view, rates_rad_s)
        found = {}
        for gain in {np.float32(look.gain) for look in looks}:
            log_scale = math.log(view.pixels_per_rad * float(gain))
            blur_px = smear_px * float(gain)
            steps = [
                round(_STEPS * (log_scale - one.curve.log_blur(blur_px)))
                for one in self._class_curves
            ]
            found[gain] = np.array(steps, np.intp).reshape(-1, 1, 1)
        return found

    def _added(
        self,
        rows: slice,
        columns: slice,
        gains: Values,
        shifts: dict[np.float32, NDArray[np.intp]],
    ) -> Values:
        """Return the exposure that a look adds to a window, 0 where it shows none of a cell."""
        sizes = self._steps[:, rows, columns]
        if len(shifts) == 1:
            sizes = sizes + next(iter(shifts.values()))
        else:
            sizes = sizes + sum((gains == gain) * shift for gain, shift in shifts.items())
        np.minimum(np.maximum(sizes, 0, out=sizes), _ENTRIES - 1, out=sizes)
        sizes += _ENTRIES * np.arange(len(sizes)).reshape(-1, 1, 1)
        return np.asarray(self._tables.take(sizes) * (gains > 0.0))

    def _state(self, rows: slice, columns: slice) -> list[Values]:
        """Return views of the parts of a window: (classes, rows, columns) each."""
        return [part[:, rows, columns] for part in self._parts]

    def _set_groups(self, hits: int) -> None:
        self._groups = LookGroups(self.curves.dependence, hits)
        self._means = None

    def _note_way_of_looking(self, view: CameraView, looks: Sequence[Look]) -> None:
        has_tiles = bool(tiles_of(looks, view.width, view.height))
        hits = min(self._hits, TILE_HITS) if has_tiles else self._hits
        if hits != self._groups.hits:
            self._set_groups(hits)


def _table(curve: DetectionCurve) -> Values:
    """Return the exposure of one sharp look by the steps of the size's logarithm."""
    sizes = (math.exp(step / _STEPS) for step in range(_ENTRIES))
    found = [curve.exposure(curve.probability(size)) for size in sizes]
    found[0] = 0.0  # a pixel or less
    return np.array(found, np.float32)


def _whole(view: CameraView) -> tuple[Look, ...]:
    """Return the look that is taken for one where nobody knows what was looked at."""
    gain = min(1.0, _UNKNOWN_INPUT_PX / max(view.width, view.height))
    return (Look(0, 0, view.width, view.height, gain),)


def _pod(exposure: Values, ceiling: Values) -> Values:
    limited = np.minimum(exposure, np.float32(EXPOSURE_MAX))
    return np.asarray(-ceiling * np.expm1(-limited), np.float32)

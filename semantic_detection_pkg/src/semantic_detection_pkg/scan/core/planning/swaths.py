"""Coverage path planning: swaths along yaw that cover the unseen cells of an area.

A picture shows a narrower range of yaw at its lower edge than at its upper one when the camera
looks down, and the other way round when it looks up. So the height of a swath is worked out row by
row, from how long each row stays in the picture, and not from the vertical field of view alone.

Parallel swaths to and fro are the boustrophedon pattern of H. Choset and P. Pignon, "Coverage Path
Planning: The Boustrophedon Cellular Decomposition", 1998; here over bearings instead of ground.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageMap, Mask

_LEAST_WIDTH = 0.4  # of the middle row's: rows seen over less are not part of a swath
_COST_OF_A_BAND = 4000  # as if it had so many cells more
_EVEN_STEPS = 12  # bisection steps when the overlap of swaths is evened out


@dataclass(frozen=True, eq=False)
class Swath:
    """One pass of the camera's axis at one pitch, in either direction.

    Attributes:
        pitch_rad: of the axis.
        low_rad, high_rad: yaw of the axis at its ends; equal: the camera stays there until the
            cells are seen.
        rate_rad_s: yaw rate [rad/s], > 0.
        rows, columns: the part of the map that it covers.
        cells: (rows, columns) which cells of that part. A mask of the whole map for each of
            thousands of swaths would take gigabytes.
    """

    pitch_rad: float
    low_rad: float
    high_rad: float
    rate_rad_s: float
    rows: slice
    columns: slice
    cells: Mask

    def covers_any(self, cells: Mask) -> bool:
        """Return whether it covers one of these cells of the map."""
        return bool((self.cells & cells[self.rows, self.columns]).any())

    @property
    def is_stationary(self) -> bool:
        """Return whether the camera stays at one bearing instead of moving along."""
        return self.low_rad == self.high_rad


@dataclass(frozen=True)
class SpeedProfile:
    """How many pictures the detector gets, and how fast the axis may turn.

    Attributes:
        frame_rate_hz: frames that the detector processes in a second, > 0.
        share: 0..1, of the greatest rate at which every cell is still seen often enough.
    """

    frame_rate_hz: float
    share: float = 1.0


def half_widths(view: CameraView, edge: float, pitch_rad: NDArray[np.float64]) -> NDArray:
    """Return half the range of yaw over which each pitch is in the picture, or 0: (n,) [rad].

    The side of the picture is a great circle, sin(y) - t cos(p0) cos(y) <= t sin(p0) tan(p) with t
    the half width of the picture over its focal length; its upper and lower edges are others,
    cos(y) >= tan(p) / tan(p0 + a) with a half the vertical field of view.
    """
    return np.asarray(half_widths_at(view, edge, np.array([view.pitch_rad]), pitch_rad)[0])


def half_widths_at(
    view: CameraView, edge: float, axis_rad: NDArray[np.float64], pitch_rad: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `half_widths` of a view at each of some pitches of its axis: (axes, n) [rad].

    Args:
        axis_rad: (axes,) pitch of the axis in place of the view's.
    """
    side = view.width * (0.5 - edge) / view.pixels_per_rad
    rise = view.height * (0.5 - edge) / view.pixels_per_rad
    cos_view, sin_view = np.cos(axis_rad)[:, None], np.sin(axis_rad)[:, None]
    slope = np.tan(np.clip(pitch_rad, -math.pi / 2 + 1e-6, math.pi / 2 - 1e-6))[None]
    swing = side * sin_view * slope / np.hypot(1.0, side * cos_view)
    across = np.where(
        swing >= 1.0,
        math.pi,
        np.arctan(side * cos_view) + np.arcsin(np.clip(swing, -1.0, 1.0)),
    )
    width = np.clip(np.where(swing <= -1.0, 0.0, across), 0.0, math.pi)
    for sign in (1.0, -1.0):  # lower edge, then the upper one: the same, seen upside down
        near = sign * sin_view + rise * cos_view
        limit = sign * slope * (cos_view - rise * sign * sin_view)
        is_near = near > 0.0
        share = np.clip(limit / np.where(is_near, near, 1.0), -1.0, 1.0)
        beyond = np.where(limit <= near, math.pi, 0.0)
        width = np.minimum(width, np.where(is_near, np.arccos(share), beyond))
    return np.asarray(width)


def planning_cost(unseen: Mask, coverage: CoverageMap, view: CameraView) -> float:
    """Return how long `plan_swaths` takes: 10,000 are some 10 ms on a fast core."""
    rows = np.nonzero(unseen.any(axis=1))[0]
    if rows.size == 0:
        return 0.0
    bands = float(rows[-1] - rows[0] + 1) * coverage.cell_rad / view.vfov_rad
    return max(bands, 1.0) * (unseen.size + _COST_OF_A_BAND)


def plan_swaths(
    unseen: Mask,
    coverage: CoverageMap,
    view: CameraView,
    limits: GimbalLimits,
    speed: SpeedProfile,
) -> tuple[Swath, ...]:
    """Return swaths that show every unseen cell of the area often enough, in no order.

    Args:
        unseen: (rows, columns) the cells.
        coverage: their bearings, and when a cell counts as seen; what is seen is not looked at, so
            the map may change meanwhile.
        view: lens of the sweep; where it looks does not matter.
        limits: of the gimbal.
        speed: frame rate, and share of the greatest rate.
    """
    rows = np.nonzero(unseen.any(axis=1))[0]
    if rows.size == 0:
        return ()
    bands = _PitchBands(coverage, view, limits, speed)
    swaths: list[Swath] = []
    left = unseen.copy()
    for pitch in bands.pitches(int(rows[0]), int(rows[-1])):
        cells = left & bands.rows_shown(pitch)[:, None]
        left &= ~cells
        swaths += bands.swaths(pitch, cells)
    return tuple(swaths)


class _PitchBands:
    """The band of rows that a pass at each pitch shows for long enough."""

    def __init__(
        self, coverage: CoverageMap, view: CameraView, limits: GimbalLimits, speed: SpeedProfile
    ) -> None:
        self._coverage = coverage
        self._view = view
        self._limits = limits
        self._speed_share = speed
        self._half_cell = coverage.cell_rad / 2.0
        self._shown: dict[float, Mask] = {}  # by pitch; the bisections come to the same ones

    def pitches(self, first: int, last: int) -> list[float]:
        """Return pitches whose bands cover the rows: as few as possible, evenly spread.

        With the greatest bands the last one often overlaps the others by far. So the bands are made
        narrower by bisection as long as their number stays the same.
        """
        best = self._cover(first, last, 0.0)
        low, high = 0.0, self._view.vfov_rad / 2.0
        for _ in range(_EVEN_STEPS):
            inset = (low + high) / 2.0
            tried = self._cover(first, last, inset)
            if len(tried) <= len(best):
                best, low = tried, inset
            else:
                high = inset
        return best

    def rows_shown(self, pitch_rad: float) -> Mask:
        """Return which rows (rows,) a pass at this pitch shows for long enough; read only."""
        shown = self._shown.get(pitch_rad)
        if shown is None:
            at_rad = np.append(self._coverage.pitch_rad, pitch_rad)  # the rows, and the middle
            widths = half_widths(*self._view_at(pitch_rad), at_rad)
            shown = np.asarray(widths[:-1] >= _LEAST_WIDTH * widths[-1])
            self._shown[pitch_rad] = shown
        return shown

    def swaths(self, pitch_rad: float, cells: Mask) -> Iterator[Swath]:
        """Yield the swaths at one pitch for these cells; wide gaps between them are skipped."""
        columns = np.nonzero(cells.any(axis=0))[0]
        if columns.size == 0:
            return
        shown = np.nonzero(cells.any(axis=1))[0]
        rows = slice(int(shown[0]), int(shown[-1]) + 1)
        widths = self._widths(pitch_rad)
        half = float(widths[shown].min())
        gap = 2.0 * half / self._coverage.cell_rad
        parts = np.split(columns, np.nonzero(np.diff(columns) > gap)[0] + 1)
        for part in parts:
            across = slice(int(part[0]), int(part[-1]) + 1)
            own = cells[rows, across].copy()
            half_rad = float(widths[rows][own.any(axis=1)].min())
            yield self._swath(pitch_rad, (rows, across), own, half_rad)

    def _swath(
        self, pitch_rad: float, part: tuple[slice, slice], cells: Mask, half_rad: float
    ) -> Swath:
        coverage, criteria = self._coverage, self._coverage.criteria
        columns = part[1]
        # One more picture than needed: the first may be captured just before the axis arrives.
        dwell_s = (criteria.min_views + 1) / self._speed_share.frame_rate_hz
        rate = self._speed_share.share * min(
            criteria.max_sharp_yaw_rate_rad_s(replace(self._view, pitch_rad=pitch_rad)),
            self._limits.rate_rad_s,
            half_rad / dwell_s,
        )
        inset = half_rad - rate * dwell_s
        low = float(coverage.yaw_rad[columns.start]) - self._half_cell + inset
        high = float(coverage.yaw_rad[columns.stop - 1]) + self._half_cell - inset
        if low >= high:
            low = high = (low + high) / 2.0
        low, high = (self._limits.nearest((yaw, pitch_rad))[0] for yaw in (low, high))
        return Swath(pitch_rad, low, high, rate, *part, cells)

    def _cover(self, first: int, last: int, inset_rad: float) -> list[float]:
        """Return pitches from the highest row down, each as low as still shows the next row."""
        pitches: list[float] = []
        row = first
        while row <= last:
            pitch = self._lowest_showing(row, last, inset_rad)
            shown = self.rows_shown(pitch)
            if inset_rad:
                reach = self._view.vfov_rad / 2.0 - inset_rad
                shown = shown & (np.abs(self._coverage.pitch_rad - pitch) <= reach)
            hidden = np.nonzero(~shown[row : last + 1])[0]
            pitches.append(pitch)
            # A row that no pitch shows (beyond what the gimbal reaches) must not stop the others.
            row = last + 1 if hidden.size == 0 else row + max(1, int(hidden[0]))
        return pitches

    def _lowest_showing(self, row: int, last: int, inset_rad: float) -> float:
        """Return the greatest pitch that shows a row, at most the middle of the rows left."""
        at = self._coverage.pitch_rad
        top, bottom = float(at[row]), float(at[last])
        reach = max(self._view.vfov_rad / 2.0 - inset_rad, self._half_cell)
        high = min(top + reach, max(top, (top + bottom) / 2.0))
        low = top
        high, low = (self._limits.nearest((0.0, pitch))[1] for pitch in (high, low))
        if self.rows_shown(high)[row]:
            return high
        for _ in range(_EVEN_STEPS):
            pitch = (low + high) / 2.0
            if self.rows_shown(pitch)[row]:
                low = pitch
            else:
                high = pitch
        return low

    def _widths(self, pitch_rad: float) -> NDArray[np.float64]:
        return half_widths(*self._view_at(pitch_rad), self._coverage.pitch_rad)

    def _view_at(self, pitch_rad: float) -> tuple[CameraView, float]:
        """Return the view at a pitch of its axis, and its margin."""
        return replace(self._view, pitch_rad=pitch_rad), self._coverage.criteria.edge_margin

"""The coverage map: a grid over yaw and pitch with time, resolution and result of each cell.

A cell counts as seen only when enough sharp pictures of the wanted resolution have shown it: in a
picture taken while the gimbal turns too fast a detector finds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant, setting
from ros_support_pkg.core.words import CellResult
from semantic_detection_pkg.common.core.looks import Look, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area, Bearing
from semantic_detection_pkg.scan.core.grid_windows import GridWindows, Window, span
from semantic_detection_pkg.scan.kernels import implementation

Mask = NDArray[np.bool_]

_NOTHING = Look(0, 0, 0, 0, 1.0)
_SHARE_STEP_PX = 16  # so finely the share of a picture that tiles show is counted
_LEAST_SHARE = 0.05
_TILES_GIVEN_UP_MAX = 20  # frames in a row that may lack the tiles of those before
_MOST_CELLS = 2_000_000  # of a map: 0.1 deg over a sphere would be 6.5 million


@dataclass(frozen=True)
class CoverageCriteria:
    """When a part of the area counts as seen.

    Attributes:
        edge_margin: 0..0.4, share of the picture at each edge that does not count: objects there
            are cut off.
        pixels_per_rad: [px/rad] least resolution of a picture that counts.
    """

    exposure_time_s: float = setting(
        0.004,
        "open time of the shutter; with the rate it decides the motion blur",
        minimum=0.0,
        maximum=0.1,
        formerly=("exposure_s",),
    )
    # The default is from the demo detector, which sees half the camera's pixels and on rendered
    # worlds finds as much at 7 px of 1280 as at rest.
    max_motion_blur_px: float = setting(
        5.0,
        "motion blur above which a picture of the sweep does not count",
        minimum=0.1,
        maximum=50.0,
        formerly=("smear_px",),
    )
    min_views: int = setting(
        2, "sharp pictures that must show a cell", minimum=1, maximum=20, formerly=("looks",)
    )
    edge_margin: float = constant(0.04, formerly=("edge",))
    pixels_per_rad: float = 0.0

    def __post_init__(self) -> None:
        check = partial(check_range, error=ConfigurationError)
        check("exposure_time_s", self.exposure_time_s, 0.0)
        check("max_motion_blur_px", self.max_motion_blur_px, above=0.0)
        check("pixels_per_rad", self.pixels_per_rad, 0.0)
        check("min_views", self.min_views, 1)
        check("edge_margin", self.edge_margin, 0.0, 0.4)

    def motion_blur_px(self, view: CameraView, rates_rad_s: tuple[float, float]) -> float:
        """Return the motion blur in the centre of a picture at (yaw, pitch) rates. [px]"""
        yaw_rate, pitch_rate = rates_rad_s
        across = yaw_rate * math.cos(view.pitch_rad) * math.cos(view.roll_rad)
        along = pitch_rate + yaw_rate * math.sin(view.roll_rad)
        return self.exposure_time_s * view.pixels_per_rad * math.hypot(across, along)

    def max_sharp_yaw_rate_rad_s(self, view: CameraView) -> float:
        """Return the greatest yaw rate at which a picture still counts. [rad/s]"""
        exposure = self.exposure_time_s * view.pixels_per_rad * math.cos(view.pitch_rad)
        return self.max_motion_blur_px / exposure if exposure > 0.0 else math.inf


@dataclass(frozen=True, eq=False)
class CoverageRecord:
    """What a map knows of its cells, for a checkpoint; all are (rows, columns)."""

    last_seen_s: NDArray[np.float64]
    pixels_per_rad: NDArray[np.float32]
    results: NDArray[np.uint8]
    view_counts: NDArray[np.uint16]

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arrays in the order of the fields."""
        return self.last_seen_s, self.pixels_per_rad, self.results, self.view_counts


class CoverageMap:
    """The area as cells, row-major, rows along rising pitch, columns along rising yaw.

    Attributes:
        area: what it covers.
        criteria: when a cell counts as seen.
        cell_rad: side of a cell [rad].
        yaw_rad: (columns,) middles of the cells; they may go beyond pi.
        pitch_rad: (rows,) middles of the cells.
        is_wanted: (rows, columns) which cells belong to the area.
        last_seen_s: (rows, columns) stamp of the newest picture that counted [s]; -inf: never.
        pixels_per_rad: (rows, columns) finest resolution of a picture that counted; 0: never.
        results: (rows, columns) uint8, `CellResult`.
        look_share: 0..1, how much of the newest picture was looked at as finely as it counts.
    """

    def __init__(
        self, area: Area, cell_rad: float, criteria: CoverageCriteria | None = None
    ) -> None:
        """Begin with nothing seen.

        Raises:
            ConfigurationError: cell_rad is not above 0, or there would be too many cells.
        """
        self.area = area
        self.criteria = criteria or CoverageCriteria()
        self.cell_rad = cell_rad
        low, high = _bounds(area, cell_rad)
        columns, rows = (
            max(1, math.ceil((end - start) / cell_rad - 1e-6))
            for start, end in zip(low, high, strict=True)
        )
        if rows * columns > _MOST_CELLS:
            raise ConfigurationError(
                f"coverage: {columns} x {rows} cells of {math.degrees(cell_rad):.3g} deg are too "
                f"many, at most {_MOST_CELLS}"
            )
        self.yaw_min_rad, self.pitch_min_rad = low
        self.yaw_rad = low[0] + cell_rad * (np.arange(columns) + 0.5)
        self.pitch_rad = low[1] + cell_rad * (np.arange(rows) + 0.5)
        shape = (rows, columns)
        self.is_wanted = np.ones(shape, bool)
        if area.bearings:
            self.is_wanted[:] = False
            self._want(area.bearings)
        self.last_seen_s = np.full(shape, -np.inf)
        self.pixels_per_rad = np.zeros(shape, np.float32)
        self.results = np.zeros(shape, np.uint8)
        self._view_counts = np.zeros(shape, np.uint16)  # no more than wanted
        self._cells_wanted = int(np.count_nonzero(self.is_wanted))
        self._cells_seen: int | None = None  # of them: not counted yet
        self.look_share = 1.0
        self._without_tiles = _TILES_GIVEN_UP_MAX  # frames since the last one with tiles
        self._windows = GridWindows(
            self.yaw_rad, self.pitch_rad, low, cell_rad, self.criteria.edge_margin
        )

    def record(self) -> CoverageRecord:
        """Return a copy of what is known of the cells."""
        return CoverageRecord(
            self.last_seen_s.copy(),
            self.pixels_per_rad.copy(),
            self.results.copy(),
            self._view_counts.copy(),
        )

    def restore(self, record: CoverageRecord) -> None:
        """Take over what another map of the same area knew of its cells.

        Raises:
            ValueError: it had other cells.
        """
        shapes = {one.shape for one in record.arrays}
        if shapes != {self.results.shape}:
            raise ValueError(f"coverage of {shapes} cells for a map of {self.results.shape}")
        self.last_seen_s = np.array(record.last_seen_s, np.float64)
        self.pixels_per_rad = np.array(record.pixels_per_rad, np.float32)
        self.results = np.array(record.results, np.uint8)
        self._view_counts = np.array(record.view_counts, np.uint16)
        self._cells_seen = None

    def add_view(
        self,
        view: CameraView,
        stamp_s: float,
        rates_rad_s: tuple[float, float] = (0.0, 0.0),
        looks: Sequence[Look] = (),
    ) -> bool:
        """Count one picture, and return whether it counts: sharp, and of the wanted resolution.

        Where a detector looks at tiles, what it saw only in the coarse whole does not count.

        Args:
            view: of the picture.
            stamp_s: [s] of its capture.
            rates_rad_s: (yaw, pitch) at which the gimbal turned then.
            looks: parts of the picture that the detector looked at; empty: all of it.
        """
        criteria = self.criteria
        fine = self._fine_looks(view, looks)
        if view.pixels_per_rad < criteria.pixels_per_rad * (1.0 - 1e-9):
            return False
        if criteria.motion_blur_px(view, rates_rad_s) > criteria.max_motion_blur_px * 1.05:
            return False
        for window in self._windows.shown_by(view):
            part = window.rows, window.columns
            reached = implementation("maps").count_view(
                self._shown(view, window, fine),
                stamp_s,
                view.pixels_per_rad,
                self.last_seen_s[part],
                self.pixels_per_rad[part],
                self._view_counts[part],
                self.results[part],
                self.is_wanted[part],
                criteria.min_views,
                (CellResult.UNSEEN, CellResult.EMPTY),
            )
            if self._cells_seen is not None:
                self._cells_seen += reached
        return True

    def gains_in(
        self, view: CameraView, looks: Sequence[Look]
    ) -> list[tuple[slice, slice, NDArray[np.float32]]]:
        """Return how finely the cells of each window that a view can show were looked at.

        Returns:
            (rows, columns, gains): the greatest gain of the looks that show a cell inside the
            picture's margin, 0 where none does.
        """
        wholes = [look.gain for look in looks if look.is_whole(view.width, view.height)]
        tiles = tiles_of(looks, view.width, view.height)
        found = []
        for window in self._windows.shown_by(view):
            gains = window.is_inside * np.float32(max(wholes, default=0.0))
            for gain in sorted({look.gain for look in tiles}):
                alike = [look for look in tiles if look.gain == gain]
                shown = self._shown(view, window, alike)
                gains[shown] = np.maximum(gains[shown], np.float32(gain))
            found.append((window.rows, window.columns, gains))
        return found

    def needs(self) -> NDArray[np.float64]:
        """Return how much one more fine look is worth at each cell: (rows, columns) 0..1.

        The chance that a look is the first to find something falls with every look before it.
        Where cells count as seen, and outside the area, a look is worth nothing.
        """
        worth = 1.0 / (1.0 + self._view_counts)
        return np.where(self.unseen(), worth, 0.0)

    def at(self, values: NDArray[np.float64], bearing: Bearing) -> float:
        """Return the value (rows, columns) of the cell at a bearing, or of the nearest."""
        middle = (self.yaw_rad[0] + self.yaw_rad[-1]) / 2.0
        yaw = middle + math.remainder(bearing[0] - middle, math.tau)
        column = math.floor((yaw - self.yaw_min_rad) / self.cell_rad)
        row = math.floor((bearing[1] - self.pitch_min_rad) / self.cell_rad)
        rows, columns = values.shape
        return float(values[min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)])

    def needs_at(self, things: Sequence[tuple[Bearing, Bearing]]) -> NDArray[np.float64]:
        """Return 1 at the cells of some things, 0 elsewhere: (rows, columns); see `needs`.

        Args:
            things: bearing and size [rad] of each.
        """
        needs = np.zeros(self.results.shape)
        for bearing, size_rad in things:
            needs[self._cells(bearing, size_rad)] = 1.0
        return needs

    def _fine_looks(self, view: CameraView, looks: Sequence[Look]) -> tuple[Look, ...]:
        """Return the looks that count; empty: all of the picture does."""
        tiles = tiles_of(looks, view.width, view.height)
        self._without_tiles = 0 if tiles else self._without_tiles + 1
        if not tiles:
            # A frame or two without tiles had no time for them; many: nobody looks at any.
            if self._without_tiles <= _TILES_GIVEN_UP_MAX:
                return (_NOTHING,)
            self.look_share = 1.0
            return ()
        shown = np.zeros((view.height // _SHARE_STEP_PX + 1, view.width // _SHARE_STEP_PX + 1))
        for look in tiles:
            x0, y0, x1, y1 = (round(edge / _SHARE_STEP_PX) for edge in look[:4])
            shown[y0 : y1 + 1, x0 : x1 + 1] = 1.0
        self.look_share = max(float(shown.mean()), _LEAST_SHARE)
        return tiles

    def _shown_in(
        self,
        looks: Sequence[Look],
        view: CameraView,
        right: NDArray[np.float64],
        down: NDArray[np.float64],
    ) -> Mask:
        """Return which cells lie in a look, inside the picture's margin; tangents of all cells."""
        width, height, focal = view.width, view.height, view.pixels_per_rad
        x, y = right * focal + width / 2.0, down * focal + height / 2.0
        shown = np.zeros(x.shape, bool)
        for look in looks:
            shown |= (x >= look.x0) & (x <= look.x1) & (y >= look.y0) & (y <= look.y1)
        inside = 0.5 - self.criteria.edge_margin
        shown &= np.abs(x - width / 2.0) <= width * inside
        return shown & (np.abs(y - height / 2.0) <= height * inside)

    def mark(self, bearing: Bearing, size_rad: Bearing, result: CellResult) -> None:
        """Set the result of the cells of a box: (width, height) [rad] around a bearing."""
        self.results[self._cells(bearing, size_rad)] = result

    def unseen(self) -> Mask:
        """Return which cells of the area do not count as seen yet: (rows, columns)."""
        return self.is_wanted & (self._view_counts < self.criteria.min_views)

    def share_seen(self, pixels_per_rad: float = 0.0) -> float:
        """Return how much of the area was seen with at least this resolution, 0..1."""
        if self._cells_seen is None or pixels_per_rad > 0.0:
            is_seen = (self._view_counts >= self.criteria.min_views) & (
                self.pixels_per_rad >= pixels_per_rad
            )
            seen = int(np.count_nonzero(is_seen & self.is_wanted))
            if pixels_per_rad > 0.0:
                return seen / self._cells_wanted
            self._cells_seen = seen
        return self._cells_seen / self._cells_wanted

    def ages_s(self, now_s: float) -> NDArray[np.float64]:
        """Return the time since each cell was last seen, inf: never; (rows, columns) [s]."""
        return np.asarray(now_s - self.last_seen_s)

    def forget_emptiness(self) -> None:
        """Have cells that were seen with nothing in them unseen: not all was looked for."""
        self.results[self.results == CellResult.EMPTY] = CellResult.UNSEEN

    def forget_older(self, now_s: float, age_s: float) -> int:
        """Make cells count as unseen that were last seen `age_s` ago or longer; 0: all of them.

        Times, resolutions and results are kept. Returns how many cells of the area are unseen now.
        """
        self._view_counts[self.ages_s(now_s) >= age_s] = 0
        self._cells_seen = None
        return int(np.count_nonzero(self.unseen()))

    def _shown(self, view: CameraView, window: Window, looks: Sequence[Look]) -> Mask:
        """Return which cells the view shows inside its margin, in one of the looks; read only."""
        if not looks:
            return window.is_inside
        depth = window.depth
        ahead = np.where(depth > 0.0, depth, np.nan)  # NaN: behind the camera, in no look
        return self._shown_in(looks, view, window.right / ahead, window.down / ahead)

    def _want(self, bearings: Sequence[Bearing]) -> None:
        """Make the cells of bearings part of the area."""
        middle = (self.yaw_rad[0] + self.yaw_rad[-1]) / 2.0
        for yaw, pitch in bearings:
            turned = middle + math.remainder(yaw - middle, math.tau)
            column = math.floor((turned - self.yaw_min_rad) / self.cell_rad)
            row = math.floor((pitch - self.pitch_min_rad) / self.cell_rad)
            if 0 <= column < len(self.yaw_rad) and 0 <= row < len(self.pitch_rad):
                self.is_wanted[row, column] = True

    def _cells(self, bearing: Bearing, size_rad: Bearing) -> tuple[slice, slice]:
        """Return the cells under a box, at least one where it touches the grid."""
        yaw, pitch = bearing
        middle = (self.yaw_rad[0] + self.yaw_rad[-1]) / 2.0
        yaw = middle + math.remainder(yaw - middle, math.tau)
        width = size_rad[0] / max(math.cos(pitch), 0.02)  # yaw narrows towards the pole
        rows = span(
            self.pitch_min_rad, self.cell_rad, len(self.pitch_rad), pitch, size_rad[1] / 2.0
        )
        columns = span(self.yaw_min_rad, self.cell_rad, len(self.yaw_rad), yaw, width / 2.0)
        return rows, columns


def _bounds(area: Area, cell_rad: float) -> tuple[Bearing, Bearing]:
    """Return (yaw, pitch) of the least and the greatest corner. [rad]"""
    check_range("cell_rad", cell_rad, above=0.0, maximum=math.pi, error=ConfigurationError)
    if not area.bearings:
        return (area.yaw_min_rad, area.pitch_min_rad), (area.yaw_max_rad, area.pitch_max_rad)
    yaws, pitches = zip(*area.bearings, strict=True)
    half = cell_rad / 2.0
    return (min(yaws) - half, min(pitches) - half), (max(yaws) + half, max(pitches) + half)

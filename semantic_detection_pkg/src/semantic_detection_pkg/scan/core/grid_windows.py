"""Where a view shows the cells of a grid over yaw and pitch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Bearing
from semantic_detection_pkg.scan.kernels import implementation

Angles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the grid that a view can show, and where it shows its cells.

    Attributes:
        rows, columns: the part.
        right, down, depth: (rows, columns) directions of its cells in the view's optical frame.
        is_inside: (rows, columns) which cells the view shows inside its margin.
    """

    rows: slice
    columns: slice
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    depth: NDArray[np.float64]
    is_inside: NDArray[np.bool_]


class GridWindows:
    """The parts of one grid that views can show; that of the newest view is kept."""

    def __init__(
        self, yaw_rad: Angles, pitch_rad: Angles, low: Bearing, cell_rad: float, edge_margin: float
    ) -> None:
        """Take a grid.

        Args:
            yaw_rad, pitch_rad: (columns,), (rows,) middles of the cells.
            low: (yaw, pitch) [rad] where the first cell begins.
            cell_rad: side of a cell [rad].
            edge_margin: 0..0.4, share of a picture at each edge that does not count.
        """
        self._yaw_rad, self._pitch_rad = yaw_rad, pitch_rad
        self._low, self._cell_rad, self._edge_margin = low, cell_rad, edge_margin
        self._cos_pitch, self._sin_pitch = np.cos(pitch_rad), np.sin(pitch_rad)
        self._newest: tuple[CameraView, list[Window]] | None = None

    def shown_by(self, view: CameraView) -> list[Window]:
        """Return the parts that a view can show; several ask of one picture."""
        if self._newest is None or self._newest[0] is not view:
            parts = self._parts_near(view)
            self._newest = view, [self._window(view, *part) for part in parts]
        return self._newest[1]

    def _parts_near(self, view: CameraView) -> list[tuple[slice, slice]]:
        """Return rows and columns of the parts of the grid that a view can show."""
        (yaw_min_rad, pitch_min_rad), cell_rad = self._low, self._cell_rad
        reach = math.atan(math.hypot(view.width, view.height) / 2.0 / view.pixels_per_rad)
        ahead_yaw, ahead_pitch = view.axis
        rows = span(pitch_min_rad, cell_rad, len(self._pitch_rad), ahead_pitch, reach)
        if abs(ahead_pitch) + reach >= math.pi / 2:
            return [(rows, slice(None))]
        half = math.asin(math.sin(reach) / math.cos(ahead_pitch))
        middle = (self._yaw_rad[0] + self._yaw_rad[-1]) / 2.0
        yaw = middle + math.remainder(ahead_yaw - middle, math.tau)
        spans = [
            span(yaw_min_rad, cell_rad, len(self._yaw_rad), yaw + turns, half)
            for turns in (-math.tau, 0.0, math.tau)
        ]
        return [(rows, columns) for columns in spans if columns.start < columns.stop]

    def _window(self, view: CameraView, rows: slice, columns: slice) -> Window:
        """Return where a view shows a part of the grid."""
        (right, down, depth), is_inside = implementation("maps").shown_cells(
            view,
            self._yaw_rad[columns],
            self._cos_pitch[rows],
            self._sin_pitch[rows],
            self._edge_margin,
        )
        return Window(rows, columns, right, down, depth, is_inside)


def span(start_rad: float, cell_rad: float, count: int, middle: float, half: float) -> slice:
    """Return the cells of an axis that the range middle +- half touches."""
    first = math.floor((middle - half - start_rad) / cell_rad)
    last = math.floor((middle + half - start_rad) / cell_rad)
    return slice(min(max(first, 0), count), min(max(last + 1, 0), count))

"""Where a fine look is worth most: the scan's map over bearings, seen through one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import FrameError

_MOST_CELLS = 4_000_000
_GREATEST = 255.0
#: Rows and columns at which a picture is sampled: about forty for each tile of an HD picture.
_SAMPLES = (18, 32)


@dataclass(frozen=True, eq=False)
class NeedMap:
    """How much a fine look is worth at bearings from the gimbal's base.

    Attributes:
        yaw_min_rad, pitch_min_rad: corner of the first cell.
        cell_rad: side of a cell [rad], > 0.
        needs: (rows, columns) 0..1, rows along rising pitch, columns along rising yaw.
        looking: how pictures are to be looked at; empty: as the detector likes.
    """

    yaw_min_rad: float
    pitch_min_rad: float
    cell_rad: float
    needs: NDArray[np.float32]
    looking: str = ""

    def in_picture(self, view: CameraView) -> NDArray[np.float32]:
        """Return the needs over a picture, 0 beyond the map: (18, 32), from its upper left on."""
        rows, columns = _SAMPLES
        y, x = np.mgrid[0:rows, 0:columns] + 0.5
        points = np.stack([x * view.width / columns, y * view.height / rows], axis=2)
        bearings = view.bearings_of(points.reshape(-1, 2))
        height, width = self.needs.shape
        middle = self.yaw_min_rad + width * self.cell_rad / 2.0
        turns = (bearings[:, 0] - middle + math.pi) % math.tau - math.pi
        column = np.floor((turns + middle - self.yaw_min_rad) / self.cell_rad)
        row = np.floor((bearings[:, 1] - self.pitch_min_rad) / self.cell_rad)
        is_on_map = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        needs = np.zeros(len(bearings), np.float32)
        at = row[is_on_map].astype(np.intp), column[is_on_map].astype(np.intp)
        needs[is_on_map] = self.needs[at]
        return needs.reshape(rows, columns)


def need_map(message: Any) -> NeedMap | None:
    """Return the map of a message of type SearchNeed; None where nobody searches.

    Raises:
        FrameError: its numbers do not fit together.
    """
    rows, columns, cell_rad = int(message.rows), int(message.columns), float(message.cell_rad)
    if rows * columns == 0 and not len(message.needs):
        return None
    corner = float(message.yaw_min_rad), float(message.pitch_min_rad)
    if not 0.0 < cell_rad <= math.pi or not all(math.isfinite(angle) for angle in corner):
        raise FrameError(
            f"search need: cells of {cell_rad:g} rad from {corner[0]:g}, {corner[1]:g} rad on: "
            "more than 0 rad, up to pi, and a finite corner is needed"
        )
    if rows * columns != len(message.needs) or rows * columns > _MOST_CELLS:
        raise FrameError(
            f"search need: {len(message.needs)} needs for {columns} x {rows} cells: one for each "
            f"of at most {_MOST_CELLS} cells is needed"
        )
    needs = np.asarray(message.needs, np.float32).reshape(rows, columns) / np.float32(_GREATEST)
    return NeedMap(*corner, cell_rad, needs, str(message.looking))

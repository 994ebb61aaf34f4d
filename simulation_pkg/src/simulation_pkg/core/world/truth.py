"""What a picture of the simulated world truly shows. For scoring and training only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.world.geometry import CameraPose


@dataclass(frozen=True)
class Seen:
    """One thing or decoy that is at least partly in the picture.

    Attributes:
        id: the same over the world's life.
        class_name: what it looks like; what it is unless is_decoy.
        yaw_rad, pitch_rad: bearing of its middle.
        width_rad, height_rad: angular size.
        box_xyxy: [px] bounds of its outline; may reach beyond the picture.
        visible: 0..1, share of the box inside the picture.
    """

    id: int
    class_name: str
    is_decoy: bool
    yaw_rad: float
    pitch_rad: float
    width_rad: float
    height_rad: float
    box_xyxy: tuple[float, float, float, float]
    visible: float


@dataclass(frozen=True)
class Truth:
    """All that one picture shows, and the true pose at its capture."""

    width: int
    height: int
    pose: CameraPose
    hfov_rad: float
    objects: tuple[Seen, ...]


@dataclass(frozen=True, eq=False)
class View:
    """A picture and its truth.

    Attributes:
        image: (height, width, 3) uint8, BGR.
        ids: (height, width) uint16, the id of the thing or decoy each pixel shows, 0 for none; None
            unless asked for.
    """

    image: NDArray[np.uint8]
    truth: Truth
    ids: NDArray[np.uint16] | None


def box_of(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the bounds (x_min, y_min, x_max, y_max) of (n, 2) points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def share_inside(box_xyxy: tuple[float, float, float, float], width: int, height: int) -> float:
    """Return the share of a box that lies inside a picture, 0..1."""
    x0, y0, x1, y1 = box_xyxy
    inside_x = min(x1, width) - max(x0, 0.0)
    inside_y = min(y1, height) - max(y0, 0.0)
    area = (x1 - x0) * (y1 - y0)
    if inside_x <= 0.0 or inside_y <= 0.0 or area <= 0.0:
        return 0.0
    return inside_x * inside_y / area

"""A message of type Coverage of a robot that stands somewhere, over level ground, for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from interfaces_pkg.msg import ClassCoverage, Coverage

PLACE = (47.3702941, 8.5421234, 540.0)
HEIGHT_M = 30.0
#: Ahead is north-east: 45 deg from north, which is 45 deg from east counterclockwise, too.
NORTH_EAST = (0.0, 0.0, math.sin(math.radians(22.5)), math.cos(math.radians(22.5)))
CELL = math.radians(3.0)
COLUMNS, ROWS = 40, 12


def placed_coverage(**changes: Any) -> Coverage:
    """40 x 12 cells from 60 deg right and 6 deg down on; POD grows to the left."""
    pitch = np.radians(6.0) + CELL * (np.arange(ROWS) + 0.5)
    ranges = np.repeat(HEIGHT_M / np.sin(pitch), COLUMNS).astype(np.float32)
    percent = np.tile(np.linspace(0, 100, COLUMNS).astype(np.uint8), ROWS)
    looks = np.where(percent > 15, 3, 0)
    cells = ROWS * COLUMNS
    message = Coverage(
        yaw_min_rad=math.radians(-60.0),
        pitch_min_rad=math.radians(6.0),
        cell_rad=CELL,
        columns=COLUMNS,
        rows=ROWS,
        age_s=[7.0] * cells,
        pixels_per_rad=[500.0] * cells,
        results=np.where(looks, 1, 0).astype(np.uint8).tolist(),
        range_m=ranges.tolist(),
        look_counts=looks.astype(np.uint16).tolist(),
        finest_px_per_rad=[532.0] * cells,
        classes=[
            ClassCoverage(
                class_name="person",
                is_measured=True,
                width_m=0.5,
                height_m=1.7,
                pod=0.5,
                pod_percent=percent.tolist(),
            )
        ],
        has_position=True,
        latitude_deg=PLACE[0],
        longitude_deg=PLACE[1],
        altitude_m=PLACE[2],
        orientation_xyzw=list(NORTH_EAST),
    )
    for name, value in changes.items():
        setattr(message, name, value)
    return message

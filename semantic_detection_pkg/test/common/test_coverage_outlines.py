"""Outlines of the searched area: whatever its form, they hold what is shown and nothing else."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import patience
from skimage import measure

from semantic_detection_pkg.common.core.coverage_ground import CoverageGround, on_ground
from simulation_pkg.harness.recorded_messages import blank

COVERAGE = "interfaces_pkg/msg/Coverage"
CELL = math.radians(0.5)
PITCH = math.radians(20.0)


def ground_of(shown: Any) -> CoverageGround:
    grid = np.asarray(shown, np.uint16)
    rows, columns = grid.shape
    pitch = PITCH + CELL * (np.repeat(np.arange(rows), columns) + 0.5)
    message = blank(
        COVERAGE,
        rows=rows,
        columns=columns,
        cell_rad=CELL,
        yaw_min_rad=-0.2,
        pitch_min_rad=PITCH,
        range_m=(40.0 / np.sin(pitch)).astype(np.float32),
        is_range_assumed=False,
        is_range_by_terrain=False,
        look_counts=grid.reshape(-1),
        has_position=True,
        latitude_deg=47.0,
        longitude_deg=8.0,
        altitude_m=540.0,
        orientation_xyzw=np.array([0.0, 0.0, 0.0, 1.0]),
    )
    ground = on_ground(message)
    assert ground is not None
    return ground


def held(ground: CoverageGround) -> np.ndarray:
    """Which cells' middles the outlines hold, holes left out."""
    rows, columns = int(ground.message.rows), int(ground.message.columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    middles = ground.at(row, column)
    found = np.zeros(rows * columns, int)
    for outline in ground.outlines():
        inside = measure.points_in_poly(middles, np.array(outline.outer)).astype(int)
        for hole in outline.holes:
            inside -= measure.points_in_poly(middles, np.array(hole))
        found += inside
    return found.reshape(rows, columns)


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda size: st.lists(
            st.lists(st.booleans(), min_size=size[1], max_size=size[1]),
            min_size=size[0],
            max_size=size[0],
        )
    )
)
@settings(max_examples=150, deadline=None)
def test_what_is_shown_is_held_once_and_nothing_else(shown: list[list[bool]]) -> None:
    np.testing.assert_array_equal(held(ground_of(shown)), np.array(shown, int))


def test_an_island_in_a_hole_is_a_part_of_its_own_with_its_own_hole() -> None:
    grid = np.ones((11, 11), int)
    grid[1:10, 1:10] = 0
    grid[3:8, 3:8] = 1
    grid[5, 5] = 0
    outlines = ground_of(grid).outlines()
    assert sorted(len(one.holes) for one in outlines) == [1, 1]
    np.testing.assert_array_equal(held(ground_of(grid)), grid)


def test_rings_run_as_geojson_wants_them() -> None:
    grid = np.ones((5, 5), int)
    grid[2, 2] = 0
    (outline,) = ground_of(grid).outlines()

    def turns(ring: list[list[float]]) -> float:
        x, y = np.array(ring).T
        x, y = x - x[0], y - y[0]
        return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))

    assert turns(outline.outer) > 0.0 > turns(outline.holes[0])
    assert outline.outer[0] == outline.outer[-1]


@pytest.mark.parametrize("share", [0.55, 0.7])
def test_20000_cells_in_disorder_are_outlined_soon(share: float) -> None:
    grid = np.random.default_rng(1).random((100, 200)) < share
    ground = ground_of(grid)
    start_s = time.monotonic()
    assert len(ground.outlines()) > 10
    assert time.monotonic() - start_s < patience(1.5)

"""What the scan's geometry costs, on one core.

A wide view counted on the map of the area; a footpath traced that winds across the whole picture;
how far 20,000 bearings go over a terrain of 250,000 heights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

from bench.row import Row

ROWS = ("coverage_view_ms", "path_trace_ms", "terrain_view_ms", "terrain_ranges_ms")


def rows() -> Iterator[Row]:
    import numpy as np

    from bench.stopwatch import medians_ms
    from semantic_detection_pkg.common.core.optics import CameraView
    from semantic_detection_pkg.scan.core.area import Area
    from semantic_detection_pkg.scan.core.coverage import CoverageMap
    from semantic_detection_pkg.scan.core.paths.geometry import trace_path
    from semantic_detection_pkg.scan.core.terrain import Viewpoint, pack_terrain
    from semantic_detection_pkg.scan.core.thing_sizes import Ground, cell_ranges

    left, right, top, bottom = (math.radians(edge) for edge in (-75.0, 75.0, -10.0, 50.0))
    coverage = CoverageMap(Area(left, right, top, bottom), math.radians(0.5))
    view = CameraView(0.1, math.radians(20.0), 0.0, math.radians(62.0), 1280, 720)

    turned = cycle([replace(view, yaw_rad=math.radians(yaw)) for yaw in range(-70, 70, 2)])
    along = np.linspace(0.0, 1.0, 300)
    middle_xy = np.stack([40.0 + 1200.0 * along, 360.0 + 300.0 * np.sin(9.0 * along)], 1)
    steps = np.gradient(middle_xy, axis=0)
    aside = 12.0 * np.stack([-steps[:, 1], steps[:, 0]], 1) / np.hypot(*steps.T)[:, None]
    outline = np.concatenate([middle_xy + aside, (middle_xy - aside)[::-1]])

    side = np.arange(501)
    terrain = pack_terrain(
        "hills", (47.0, 11.0), 10.0, np.add.outer(0.1 * side, np.sin(side / 9.0))
    )
    assert terrain is not None
    _ = terrain.heights_m  # unpacked once
    place = Viewpoint(terrain, (3.0, 4.0), 30.0)
    pitches, yaws = np.radians(np.linspace(1.0, 60.0, 100)), np.radians(np.linspace(-90, 90, 200))
    ground = Ground(30.0, (0.0, 0.0, 0.0, 1.0), place)

    coverage_ms, path_ms, view_ms, ranges_ms = medians_ms(
        lambda: coverage.add_view(next(turned), 0.0),
        lambda: trace_path([outline], view),
        lambda: Viewpoint(terrain, (3.0, 4.0), 30.0),
        lambda: cell_ranges(yaws, pitches, ground, 100.0),
    )
    yield Row("coverage_view_ms", coverage_ms, "ms", 1.0)
    yield Row("path_trace_ms", path_ms, "ms", 20.0)
    yield Row("terrain_view_ms", view_ms, "ms")
    yield Row("terrain_ranges_ms", ranges_ms, "ms")

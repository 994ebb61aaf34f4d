"""What a look costs the map of the probability of detection: a wide view, six classes, one core."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.row import Row

ROWS = ("pod_update_ms", "pod_gain_ms")

_CLASSES = ("person", "tent", "vehicle", "boat", "smoke", "footpath")


def rows() -> Iterator[Row]:
    from bench.stopwatch import medians_ms
    from semantic_detection_pkg.common.core.detection_curve import assumed_curves
    from semantic_detection_pkg.common.core.looks import Look
    from semantic_detection_pkg.common.core.optics import CameraView
    from semantic_detection_pkg.scan.core.area import Area
    from semantic_detection_pkg.scan.core.coverage import CoverageMap
    from semantic_detection_pkg.scan.core.pod_map import PodMap
    from semantic_detection_pkg.scan.core.thing_sizes import Ground

    left, right, top, bottom = (math.radians(edge) for edge in (-78.0, 78.0, 11.0, 44.0))
    area = Area(left, right, top, bottom)
    pod = PodMap(CoverageMap(area, math.radians(1.0)), _CLASSES, hits=3)
    pod.use(assumed_curves(), Ground(26.0))
    view = CameraView(0.1, math.radians(25.0), 0.0, math.radians(62.0), 1280, 720)
    looks = (Look(0, 0, 1280, 720, 0.5),)
    update_ms, gain_ms = medians_ms(
        lambda: pod.update(view, 1.0, (0.0, 0.0), looks),
        lambda: pod.gain(view, 2.0, (0.0, 0.0), looks),
    )
    yield Row("pod_update_ms", update_ms, "ms", 1.0)
    yield Row("pod_gain_ms", gain_ms, "ms")

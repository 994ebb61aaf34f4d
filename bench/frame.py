"""One frame of the detector without inference: picture to tensor, outputs to detections, message.

The engine is one that answers at once with the outputs of a made-up scene.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.row import Row
from bench.scenes import CLASSES, INPUT_PX, MASKS, scene
from bench.stopwatch import times_ms
from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.vocabulary import ClassNames

#: Objects, width and height of the other rows.
_OTHERS = {
    "frame_50_objects_ms": (50, 1920, 1080),
    "frame_300_objects_ms": (300, 1920, 1080),
    "frame_720p_ms": (20, 1280, 720),
    "frame_2160p_ms": (20, 3840, 2160),
}
ROWS = ("frame_overhead_p50_ms", "frame_overhead_p95_ms", *_OTHERS)


class _Instant:
    """An engine whose answer is known."""

    def __init__(self, outputs: Mapping[str, NDArray[Any]]) -> None:
        self._outputs = outputs

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return np.zeros(shape, dtype)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        del inputs
        return self._outputs


def rows() -> Iterator[Row]:
    (taken,) = times_ms(_frame(20, 1920, 1080), seconds=3.0)
    percentiles = statistics.quantiles(taken, n=20)
    yield Row("frame_overhead_p50_ms", statistics.median(taken), "ms", goal=4.0)
    yield Row("frame_overhead_p95_ms", percentiles[18], "ms")
    for name, (count, width, height) in _OTHERS.items():
        (taken,) = times_ms(_frame(count, width, height), seconds=1.0)
        yield Row(name, statistics.median(taken), "ms")


def _frame(count: int, width: int, height: int) -> Callable[[], object]:
    """What is done for one frame with so many objects."""
    from std_msgs.msg import Header

    from interfaces_pkg.msg import PoseAtCapture
    from semantic_detection_pkg.detector.ros.conversions import to_detections

    seen = scene(count, width, height)
    names = tuple(f"thing {i}" for i in range(CLASSES))
    outputs = {"detections": seen.head[None], "prototypes": seen.prototypes[None]}
    info = ModelInfo(
        "made up",
        Layout.RAW,
        INPUT_PX,
        INPUT_PX,
        "images",
        "float32",
        "detections",
        "prototypes",
        MASKS,
        names,
    )
    words = ClassNames(names)
    engine = _Instant(outputs)
    pipeline = DetectorPipeline(engine, info, words, words.choose([]), time.perf_counter)
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return lambda: to_detections(pipeline.process(image), info.name, Header(), PoseAtCapture())

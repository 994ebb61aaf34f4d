"""What a class by example costs a frame of the demo detector, whose second look tells things apart.

Processor time of the one thread that does it all, full model, pictures of a simulated world.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.row import Row
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer

ROWS = ("second_look_frame_ms", "second_look_frame_x")

_DEMO = Path(__file__).resolve().parent.parent / "models" / "demo" / "demo_detector.onnx"
_SEED, _PICTURES, _ROUNDS = 9103, 12, 4


def rows() -> Iterator[Row]:
    pictures = _pictures()
    with load_detector(_DEMO, threads=1, words=["person", "tent"]) as detector:
        pipeline = detector.pipeline
        without_ms = _frame_ms(pipeline, pictures)
        middle = detector.embed_example("thing", pictures[0], (600, 320, 680, 400))
        pipeline.add_example("thing", middle)
        with_ms = _frame_ms(pipeline, pictures)
    yield Row("second_look_frame_ms", with_ms, "ms")
    yield Row("second_look_frame_x", with_ms / without_ms, "x")


def _pictures() -> list[NDArray[np.uint8]]:
    renderer = Renderer(build_world(WorldLayout(_SEED, oddities=18)), Lens())
    yaws = np.linspace(-1.0, 1.0, _PICTURES)
    return [renderer.render(CameraPose(float(yaw), 0.4)).image for yaw in yaws]


def _frame_ms(pipeline: DetectorPipeline, pictures: Sequence[NDArray[np.uint8]]) -> float:
    """The median frame [ms]; the first round is for what is made once."""
    taken_ms = []
    for _ in range(_ROUNDS):
        for picture in pictures:
            started_s = time.thread_time()
            pipeline.process(picture)
            taken_ms.append(1e3 * (time.thread_time() - started_s))
    return statistics.median(taken_ms[len(pictures) :])

"""A 1080p frame looked at in eight tiles, everything but inference, and what merging is of it.

The engine knows the answers: each tile shows its share of fifty made-up things. As real ones do it
writes them into outputs of its own, the same ones for each tile; that time counts as inference.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.row import Row
from bench.scenes import CLASSES, INPUT_PX, MASKS, scene
from bench.stopwatch import medians_ms
from semantic_detection_pkg.detector.core.merge import LookFound, LookMerger
from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import ClassNames

ROWS = ("tiles_overhead_ms", "tiles_merge_ms", "tiles_merged_things")
_WIDTH, _HEIGHT = 1920, 1080
_TILES = 8
_THINGS = 50


class _Answers:
    """An engine that knows what each tile of the frame shows, in turn."""

    def __init__(self) -> None:
        per_tile = -(-_THINGS // _TILES)
        scenes = [scene(per_tile, INPUT_PX, INPUT_PX, seed) for seed in range(_TILES)]
        self._answers = [
            {"detections": seen.head[None], "prototypes": seen.prototypes[None]} for seen in scenes
        ]
        self._outputs = {name: values.copy() for name, values in self._answers[0].items()}
        self._calls = 0

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return np.zeros(shape, dtype)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        del inputs
        self._calls += 1
        for name, values in self._answers[self._calls % len(self._answers)].items():
            np.copyto(self._outputs[name], values)
        return self._outputs


class _Recorder(LookMerger):
    """A merger that keeps what it was given."""

    def merge(self, *arguments: Any) -> Any:
        self.arguments = arguments
        return super().merge(*arguments)


def rows() -> Iterator[Row]:
    names = tuple(f"thing {i}" for i in range(CLASSES))
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
    pipeline = DetectorPipeline(
        _Answers(),
        info,
        words,
        words.choose([]),
        time.thread_time,
        DetectorSettings(),
        TileSettings("tiles"),
    )
    image = np.random.default_rng(1).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    recorder = _Recorder()
    pipeline._merger = recorder  # noqa: SLF001 - to time one stage with the real input of it
    result = pipeline.process(image)
    assert len(result.looks) == _TILES
    arguments = recorder.arguments
    found: list[LookFound] = arguments[0]
    (merging_ms,) = medians_ms(lambda: recorder.merge(*arguments), seconds=1.0)
    yield Row("tiles_overhead_ms", _overhead_ms(pipeline, image, seconds=2.0), "ms", goal=6.0)
    yield Row("tiles_merge_ms", merging_ms, "ms", goal=1.0)
    yield Row("tiles_merged_things", float(sum(len(look.detections) for look in found)), "things")


def _overhead_ms(pipeline: DetectorPipeline, image: NDArray[np.uint8], seconds: float) -> float:
    """Median processor time of a frame without that of its inferences [ms]."""
    taken: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or not taken:
        start_s = time.thread_time()
        elapsed = pipeline.process(image).elapsed_ms
        taken.append(1e3 * (time.thread_time() - start_s) - elapsed.inference)
    return statistics.median(taken)

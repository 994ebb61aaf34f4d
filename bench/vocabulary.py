"""New words on a loaded model: from the call to the first frame that looks for them.

The demo detector; and an exported YOLOE where there is one (`models/yoloe-*-seg.onnx` with its
vocabulary, or the file that SEMANTIC_DETECTION_YOLOE names). What a frame takes anyway is not
counted. Every change must show at the next frame: no frame is lost, none sees the old words.
Processor time of the one thread that does it all, so that what else runs does not count.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.row import Row
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX

ROWS = ("vocabulary_change_ms", "vocabulary_change_yoloe_ms")

_MODELS = Path(__file__).resolve().parent.parent / "models"
_DEMO = _MODELS / "demo" / "demo_detector.onnx"
_VARIABLE = "SEMANTIC_DETECTION_YOLOE"
_CHANGES = {"vocabulary_change_ms": 40, "vocabulary_change_yoloe_ms": 12}
_GOAL_MS = 200.0


def rows() -> Iterator[Row]:
    yield Row(
        "vocabulary_change_ms",
        _change_ms(_DEMO, _CHANGES["vocabulary_change_ms"]),
        "ms",
        goal=_GOAL_MS,
    )
    exported = _exported()
    if exported is not None:
        name = "vocabulary_change_yoloe_ms"
        yield Row(name, _change_ms(exported, _CHANGES[name]), "ms", goal=_GOAL_MS)


def _exported() -> Path | None:
    named = os.environ.get(_VARIABLE)
    candidates = [Path(named)] if named else sorted(_MODELS.glob("yoloe-*-seg.onnx"))
    for path in candidates:
        if path.with_name(path.stem + SIDE_FILE_SUFFIX).is_file():
            return path
    return None


def _change_ms(model: Path, changes: int) -> float:
    """The slowest change [ms], beyond the median frame."""
    picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
    with load_detector(model, threads=1) as detector:
        pipeline = detector.pipeline
        known = pipeline.known_words
        vocabularies = [known[: 1 + n % len(known)] for n in range(changes)]
        frames_ms, changes_ms = [], []
        for words in vocabularies:
            started_s = time.thread_time()
            pipeline.process(picture)
            between_s = time.thread_time()
            pipeline.set_vocabulary(words)
            called_s = time.thread_time()
            result = pipeline.process(picture)
            finished_s = time.thread_time()
            if result.vocabulary != tuple(words):
                raise RuntimeError(f"asked for {words}, the next frame saw {result.vocabulary}")
            frames_ms.append(1e3 * (between_s - started_s))
            changes_ms.append((1e3 * (called_s - between_s), 1e3 * (finished_s - between_s)))
    frame_ms = statistics.median(frames_ms)
    # A frame that happens to be fast is no reason to count less than the call itself.
    return max(max(call_ms, whole_ms - frame_ms) for call_ms, whole_ms in changes_ms)

"""From the model's outputs to polygons in a 1080p picture: ours against dense masks, one core each.

Ours is everything: scores, suppression, boxes and outlines. Theirs, for `decode50_speedup`, is
`process_mask_native` alone, on the detections that ours found.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.row import Row
from bench.scenes import CLASSES, MASKS, Scene, scene
from bench.stopwatch import medians_ms
from semantic_detection_pkg.common.core.detections import MaskRings
from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.kernels.candidates import CandidateSelector, Kept, Suppression
from semantic_detection_pkg.detector.kernels.masks import MaskTracer

ROWS = (
    "decode50_ms",
    "decode50_speedup",
    "mask_iou",
    "mask_iou_worst",
    "decode50_points",
    "decode50_cold_ms",
    "decode50_rows_ms",
    "decode20_ms",
    "decode300_ms",
    "nms50_ms",
    "nms50_speedup",
)
_OTHER_MEMORY_BYTES = 200_000_000
_SETTINGS = DetectorSettings()
_COLUMNS = np.arange(CLASSES)
_RULE = Suppression(_SETTINGS.iou_threshold, _SETTINGS.max_detections)


class _Found(NamedTuple):
    kept: Kept
    boxes_xyxy: NDArray[np.float32]
    masks: MaskRings


class _Ours:
    """The kernels as the decoder uses them."""

    def __init__(self) -> None:
        self._selector = CandidateSelector()
        self._tracer = MaskTracer()

    def select(self, seen: Scene) -> Kept:
        return self._selector.from_raw(
            seen.head, _COLUMNS, MASKS, _SETTINGS.confidence_threshold, _RULE
        )

    def raw(self, seen: Scene) -> _Found:
        return self._outline(seen, self.select(seen))

    def rows(self, seen: Scene) -> _Found:
        kept = self._selector.from_rows(
            seen.rows,
            _COLUMNS,
            CLASSES,
            _SETTINGS.confidence_threshold,
            Suppression(0.9, 300, True),
        )
        return self._outline(seen, kept)

    def _outline(self, seen: Scene, kept: Kept) -> _Found:
        boxes = seen.box.boxes_to_source(kept.boxes_xyxy)
        axes = seen.box.prototype_axes(*seen.prototypes.shape[:0:-1])
        tolerance_px = _SETTINGS.polygon_tolerance_px
        outlines = self._tracer.polygons(
            seen.prototypes, kept.coefficients, boxes, *axes, tolerance_px
        )
        return _Found(kept, boxes, MaskRings(*outlines))


def rows() -> Iterator[Row]:
    ours, seen = _Ours(), scene(50)
    found = ours.raw(seen)
    dense = partial(
        peers.process_mask_native,
        seen.prototypes,
        found.kept.coefficients,
        found.boxes_xyxy,
        seen.box,
    )
    ours_ms, theirs_ms = medians_ms(partial(ours.raw, seen), dense, seconds=4.0)
    speedup = theirs_ms / ours_ms
    shares = _shares(found, dense(), seen)
    yield Row("decode50_ms", ours_ms, "ms", goal=2.0, baseline=theirs_ms)
    yield Row("decode50_speedup", speedup, "x", goal=100.0, better="higher", baseline=theirs_ms)
    yield Row("mask_iou", float(shares.mean()), "", goal=0.99, better="higher")
    yield Row("mask_iou_worst", float(shares.min()), "", better="higher")
    yield Row("decode50_points", float(len(found.masks.points)), "points")
    yield Row("decode50_cold_ms", _cold_ms(partial(ours.raw, seen)), "ms")
    yield Row("decode50_rows_ms", medians_ms(partial(ours.rows, seen), seconds=0.5)[0], "ms")
    for count in (20, 300):
        crowd = scene(count)
        yield Row(f"decode{count}_ms", medians_ms(partial(ours.raw, crowd), seconds=0.5)[0], "ms")
    plain = partial(
        peers.suppress,
        seen.head,
        MASKS,
        _SETTINGS.confidence_threshold,
        _SETTINGS.iou_threshold,
        _RULE.most,
    )
    ours_ms, theirs_ms = medians_ms(partial(ours.select, seen), plain, seconds=1.0)
    yield Row("nms50_ms", ours_ms, "ms", baseline=theirs_ms)
    yield Row("nms50_speedup", theirs_ms / ours_ms, "x", better="higher", baseline=theirs_ms)


def _cold_ms(function: Callable[[], object]) -> float:
    """Median time [ms] when everything else was pushed out of the caches before each call."""
    other = np.zeros(_OTHER_MEMORY_BYTES // 8)
    taken = []
    for _ in range(30):
        other += 1
        start_s = time.thread_time()
        function()
        taken.append(1e3 * (time.thread_time() - start_s))
    return statistics.median(taken)


def _shares(found: _Found, dense: NDArray[np.bool_], seen: Scene) -> NDArray[np.float64]:
    """Intersection over union of each object's polygons with its dense mask."""
    width, height = seen.box.source_width, seen.box.source_height
    shares = []
    for rings, mask in zip(found.masks, dense, strict=True):
        sizes = np.array([len(ring) for ring in rings], np.intp)
        points = np.concatenate(rings) if rings else np.empty((0, 2))
        polygon = fill(points, sizes, width, height)
        shares.append((polygon & mask).sum() / max((polygon | mask).sum(), 1))
    return np.array(shares)

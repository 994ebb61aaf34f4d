"""Judges the exported models on worlds they never saw, through the product's own pipeline.

What counts (the report repeats it):

- The detector's classes are by look: it is meant to answer to a thing and to its decoy alike, and
  telling them apart is the classifier's work. `things` counts things only, and who finds a decoy is
  neither right nor wrong. `by_look` wants both. `strict` calls every decoy that is found an error.
- A thing is wanted from MIN_VISIBLE of its box inside the picture; less is neither right nor wrong.
- Masks are compared pixel by pixel in the full picture with what is visible of the thing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from demo_training.classifier import LABELS, normalise
from demo_training.files import CLASSIFIER_FILE, DETECTOR_FILE
from demo_training.metrics import ClassTally, box_overlaps, match
from demo_training.samples import (
    CLOSE_SIDE_PX,
    CLOSE_VISIBLE,
    CROP_MARGIN,
    MIN_VISIBLE,
    crop_square,
    make_renderer,
)
from demo_training.views import APPROACH, CLOSE_UP, SWEEP, shots
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.core.world.truth import View

LEVELS = (SWEEP, APPROACH, CLOSE_UP)
RULES = ("things", "by_look", "strict")
OPERATING_CONFIDENCE = 0.25  # the detector node's default
_SHOTS_PER_WORLD = (10, 6, 40)
_LOW_CONFIDENCE = 0.01  # average precision needs the tail
_TIMED_RUNS = 40


class Judged(NamedTuple):
    """One picture: what was found, what is there, and their overlaps (detections, things)."""

    detections: Detections
    view: View
    box_iou: NDArray[np.float64]
    mask_iou: NDArray[np.float64]


def evaluate(folder: Path, seeds: Iterable[int]) -> dict[str, Any]:
    """The evaluation report of the models in a folder, on the worlds of these seeds."""
    lens = Lens()
    seeds = list(seeds)
    tallies: dict[tuple[str, str, str, str], ClassTally] = {}
    crops = _CropTally(folder / CLASSIFIER_FILE)
    pictures = dict.fromkeys(LEVELS, 0)
    settings = DetectorSettings(confidence_threshold=_LOW_CONFIDENCE)
    with load_detector(folder / DETECTOR_FILE, settings=settings) as detector:
        for done, seed in enumerate(seeds, start=1):
            renderer = make_renderer(seed, lens)
            for shot in shots(build_world(WorldLayout(seed)), lens, *_SHOTS_PER_WORLD):
                view = renderer.render(shot.pose, shot.time_s, shot.seed, has_ids=True)
                found = detector.pipeline.process(view.image).detections
                judged = judge(found, view)
                pictures[shot.level] += 1
                _count(judged, shot.level, tallies)
                if shot.level == CLOSE_UP:
                    crops.add(judged)
            print(f"evaluated world {done} of {len(seeds)}", end="\r", flush=True)
    print()
    return {
        "worlds": {"seeds": [min(seeds), max(seeds)], "pictures": pictures},
        "detector": {
            **{level: _level_report(level, tallies) for level in LEVELS},
            "file_bytes": (folder / DETECTOR_FILE).stat().st_size,
            "milliseconds": _time_model(folder / DETECTOR_FILE),
        },
        "classifier": {
            **crops.report(),
            "file_bytes": (folder / CLASSIFIER_FILE).stat().st_size,
            "milliseconds": _time_model(folder / CLASSIFIER_FILE),
        },
    }


def judge(detections: Detections, view: View) -> Judged:
    """Compare what was found with what a view truly shows."""
    assert view.ids is not None
    height, width = view.ids.shape
    objects = view.truth.objects
    boxes = np.array([seen.box_xyxy for seen in objects]).reshape(-1, 4)
    boxes = np.clip(boxes, 0, (width, height, width, height))
    box_iou = box_overlaps(detections.boxes_xyxy, boxes)
    mask_iou = np.zeros_like(box_iou)
    masks = [view.ids == seen.id for seen in objects]
    for row, rings in enumerate(detections.masks):
        columns = np.nonzero(box_iou[row] > 0.1)[0]
        if columns.size == 0:
            continue
        drawn = np.zeros((height, width), np.uint8)
        # Polygon corners lie on pixel edges, OpenCV's on pixel centres.
        corners = [np.rint((ring - 0.5) * 16).astype(np.int32) for ring in rings]
        cv2.fillPoly(drawn, corners, 1, shift=4)
        shown = drawn > 0
        for column in columns:
            union = np.count_nonzero(shown | masks[column])
            both = np.count_nonzero(shown & masks[column])
            mask_iou[row, column] = both / union if union else 0.0
    return Judged(detections, view, box_iou, mask_iou)


def _count(
    judged: Judged, level: str, tallies: dict[tuple[str, str, str, str], ClassTally]
) -> None:
    objects = judged.view.truth.objects
    is_decoy = np.array([seen.is_decoy for seen in objects], bool)
    is_partial = np.array([seen.visible < MIN_VISIBLE for seen in objects], bool)
    for class_id, name in enumerate(CLASS_NAMES):
        rows = np.nonzero(judged.detections.class_ids == class_id)[0]
        columns = np.array([i for i, s in enumerate(objects) if s.class_name == name], int)
        scores = judged.detections.scores[rows]
        for kind, overlaps in (("box", judged.box_iou), ("mask", judged.mask_iou)):
            for rule in RULES:
                kept, ignored = columns, is_partial[columns]
                if rule == "things":
                    ignored = ignored | is_decoy[columns]
                elif rule == "strict":
                    kept = columns[~is_decoy[columns]]
                    ignored = is_partial[kept]
                tally = tallies.setdefault((level, rule, kind, name), ClassTally())
                match(overlaps[np.ix_(rows, kept)], scores, ignored, tally)


def _level_report(
    level: str, tallies: dict[tuple[str, str, str, str], ClassTally]
) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for rule in RULES:
        classes: dict[str, Any] = {}
        for name in CLASS_NAMES:
            box, mask = (
                tallies.get((level, rule, kind, name), ClassTally()) for kind in ("box", "mask")
            )
            classes[name] = {
                "things": box.things,
                "box_ap50": round(box.average_precision(), 4),
                "mask_ap50": round(mask.average_precision(), 4),
                "recall": round(box.recall(OPERATING_CONFIDENCE), 4),
            }
        measures = ("box_ap50", "mask_ap50", "recall")
        mean = {m: round(float(np.mean([row[m] for row in classes.values()])), 4) for m in measures}
        report[rule] = {"mean": mean, "classes": classes}
    return report


class _CropTally:
    """The classifier on crops around what the detector found, and around the true boxes."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(path))
        self._counts = {
            source: np.zeros((len(LABELS), len(LABELS)), int) for source in ("detected", "true_box")
        }

    def add(self, judged: Judged) -> None:
        for column, seen in enumerate(judged.view.truth.objects):
            box = np.array(seen.box_xyxy)
            if seen.visible < CLOSE_VISIBLE or max(box[2:] - box[:2]) < CLOSE_SIDE_PX:
                continue
            label = 2 * CLASS_NAMES.index(seen.class_name) + int(seen.is_decoy)
            self._classify(judged.view.image, box, label, "true_box")
            is_found = (judged.box_iou[:, column] >= 0.5) & (
                judged.detections.class_ids == label // 2
            )
            scores = np.where(is_found, judged.detections.scores, 0.0)
            if scores.max(initial=0.0) > OPERATING_CONFIDENCE:
                best = judged.detections.boxes_xyxy[int(scores.argmax())]
                self._classify(judged.view.image, best, label, "detected")

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = {"labels": list(LABELS)}
        for source, counts in self._counts.items():
            # Given the look, which the detector knows, only thing or decoy is asked.
            pairs = counts.reshape(len(LABELS), -1, 2)
            own = np.stack([pairs[row, row // 2] for row in range(len(LABELS))])
            told[source] = {
                "crops": int(counts.sum()),
                "accuracy": round(float(np.trace(counts) / max(1, counts.sum())), 4),
                "confusion": counts.tolist(),
                "per_label": {
                    label: round(float(counts[row, row] / max(1, counts[row].sum())), 4)
                    for row, label in enumerate(LABELS)
                },
                "wrong_look": int(counts.sum() - own.sum()),
            }
        return told

    def _classify(
        self, image: NDArray[np.uint8], box: NDArray[np.floating], label: int, source: str
    ) -> None:
        x0, y0, x1, y1 = (float(value) for value in box)
        crop = crop_square(image, (x0, y0, x1, y1), CROP_MARGIN)
        batch = normalise(crop[None].astype(np.float32) / 255.0)
        logits = self._session.run(None, {"input": batch})[0]
        self._counts[source][label, int(logits.argmax())] += 1


def _time_model(path: Path) -> dict[str, float]:
    """Median time of one inference [ms] on one and on two threads."""
    told = {}
    for threads in (1, 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options)
        feeds = {
            item.name: np.zeros([size or 1 for size in item.shape], np.float32)
            for item in session.get_inputs()
        }
        times = []
        for _ in range(_TIMED_RUNS):
            began = time.perf_counter()
            session.run(None, feeds)
            times.append(1e3 * (time.perf_counter() - began))
        told[f"{threads}_threads"] = round(float(np.median(times)), 2)
    return told

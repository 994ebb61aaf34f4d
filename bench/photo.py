"""Scans of real photographs: what of their labelled persons and vehicles is found and confirmed.

Four ways over the same pictures: one letterboxed look at the picture; a sweep at zoom 1 that looks
at whole frames; the same sweep with tiles by turns; a sweep that zooms in instead. The last three
are whole missions, headless and in simulated time, with the product's controller, tracker and
tiers (see `simulation_pkg.harness.photo_scan`). Pictures, labels and the model are not in the
repository: SEMANTIC_DETECTION_REALDATA names their folder, PHOTO_PICTURES some of the pictures.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.row import Row

IS_EXTRA = True
_WAYS = ("single", "full", "rotating", "zoom")
ROWS = tuple(
    f"photo_{figure}_{way}"
    for way in _WAYS
    for figure in ("persons", "vehicles", "false_per_picture", "time_s")
) + ("photo_persons_vs_single",)

_MODEL = "coco_seg_640.onnx"
_WORDS = ("person", "car", "truck", "bus")
_HFOV_RAD = math.radians(62.0)
_SIZE = (1920, 1080)
_FRAME_RATE_HZ = 2.5
_ZOOM = 4.0  # the network then sees more of the photograph than its own pixels
_IOU = 0.5


def rows() -> Iterator[Row]:
    folder = _folder()
    pictures = _pictures(folder)
    jobs = [(way, str(path), str(folder)) for path in pictures for way in _WAYS]
    with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        scores = dict(zip(jobs, pool.imap(_score, jobs), strict=True))
    for way in _WAYS:
        found = [scores[way, str(path), str(folder)] for path in pictures]
        for path, one in zip(pictures, found, strict=True):
            print(f"{way}: {path.name}: {_in_words(one)}", file=sys.stderr)
        for group, name in (("person", "persons"), ("vehicle", "vehicles")):
            total = sum(one.found[group] for one in found)
            yield Row(f"photo_{name}_{way}", float(total), "", better="higher")
        goal = 2.0 if way == "rotating" else None
        false = sum(one.false for one in found) / len(found)
        yield Row(f"photo_false_per_picture_{way}", false, "", goal)
        yield Row(f"photo_time_s_{way}", sum(one.elapsed_s for one in found) / len(found), "s")
    single, rotating = (
        sum(scores[way, str(path), str(folder)].found["person"] for path in pictures)
        for way in ("single", "rotating")
    )
    yield Row("photo_persons_vs_single", rotating / max(single, 1), "x", 12.0, "higher")


def _folder() -> Path:
    here = Path(__file__).resolve().parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("SEMANTIC_DETECTION_REALDATA") or here)
    for name in (_MODEL, "visdrone/images"):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder / name} is missing; SEMANTIC_DETECTION_REALDATA names the folder"
            )
    return folder


def _pictures(folder: Path) -> list[Path]:
    """All labelled pictures, or those that PHOTO_PICTURES names by parts of their names."""
    parts = [part for part in os.environ.get("PHOTO_PICTURES", "").split(",") if part]
    found = sorted((folder / "visdrone" / "images").glob("*.jpg"))
    return [path for path in found if not parts or any(part in path.name for part in parts)]


def _in_words(score: Any) -> str:
    groups: Mapping[str, int] = score.things
    found = ", ".join(f"{score.found[name]} of {groups[name]} {name}s" for name in groups)
    return f"{found}, {score.false} false, {score.doubles} twice, {score.elapsed_s:.0f} s"


def _score(job: tuple[str, str, str]) -> Any:
    import cv2

    from semantic_detection_pkg.common.pictures import read_picture
    from semantic_detection_pkg.detector.backends.loading import load_detector
    from semantic_detection_pkg.detector.core.tiles import TileSettings
    from semantic_detection_pkg.scan.core.settings import ScanSettings
    from simulation_pkg.core.photo.labels import Labels
    from simulation_pkg.core.photo.render import Projection
    from simulation_pkg.core.world.geometry import Lens
    from simulation_pkg.harness.photo_scan import PhotoScan, score_boxes, score_findings
    from simulation_pkg.photo_camera import open_photo
    from simulation_pkg.photo_files import find_labels

    cv2.setNumThreads(1)
    way, path, folder = job[0], Path(job[1]), Path(job[2])
    image = read_picture(path)
    labels = find_labels(path, (image.shape[1], image.shape[0])) or Labels()
    tiling = TileSettings("rotating" if way == "rotating" else "full")
    with load_detector(folder / _MODEL, threads=1, tiling=tiling) as detector:
        if way == "single":
            result = detector.pipeline.process(image)
            names = [result.vocabulary[index] for index in result.detections.class_ids]
            return score_boxes(names, result.detections.boxes_xyxy, labels, _IOU)
        lens = Lens(*_SIZE, _HFOV_RAD)
        photo = open_photo(path, _HFOV_RAD, Projection.FLAT, lens)
        settings = ScanSettings()
        settings = replace(
            settings,
            sweep_zoom=_ZOOM if way == "zoom" else 1.0,
            sweep=replace(settings.sweep, frame_rate_hz=_FRAME_RATE_HZ),
        )
        scan = PhotoScan(photo, lens, detector.pipeline, settings)
        scan.scan(_WORDS)
        return score_findings(scan, photo, labels)

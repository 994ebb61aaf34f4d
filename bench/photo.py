"""Scans of real photographs: what of their labelled persons and vehicles is found and confirmed.

Ways over the same pictures: one letterboxed look at the picture; a sweep at zoom 1 that looks at
whole frames; the same sweep with tiles by turns, native and enlarged; a sweep that zooms in
instead. All but the first are whole missions, headless and in simulated time, with the product's
controller, tracker and tiers (see `simulation_pkg.harness.photo_scan`). Only inference takes real
time, some 400 of them for a mission; each mission is told as it ends, each way's rows when its
pictures are through.

Pictures, labels and the model are not in the repository: SEMANTIC_DETECTION_REALDATA names their
folder, PHOTO_PICTURES some of the pictures, PHOTO_WAYS some of the ways, PHOTO_OUTPUT a folder for
pictures of what was found, missed and wrong.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.row import Row

if TYPE_CHECKING:
    from simulation_pkg.core.photo.labels import Labels
    from simulation_pkg.harness.photo_scan import PhotoScore

IS_EXTRA = True
_Name = TypeVar("_Name", str, Path)


@dataclass(frozen=True)
class _Way:
    """How a photograph is searched: see `TileSettings`; zoom 0: a single look, no mission."""

    tiles: str = "full"
    tile_px: int = 640
    zoom: float = 1.0


#: At zoom 4 the network sees more of the photograph than its own pixels.
_WAYS = {
    "single": _Way(zoom=0.0),
    "rotating": _Way("rotating"),
    "enlarged": _Way("rotating", tile_px=384),
    "full": _Way(),
    "zoom": _Way(zoom=4.0),
}
_FIGURES = ("persons", "vehicles", "false_per_picture", "twice_per_picture", "time_s", "looks")
_AGAINST_SINGLE = {
    "rotating": "photo_persons_vs_single",
    "enlarged": "photo_persons_enlarged_vs_single",
}
ROWS = (
    *(f"photo_{figure}_{way}" for way in _WAYS for figure in _FIGURES),
    *_AGAINST_SINGLE.values(),
)

_MODEL = "coco_seg_640.onnx"
_WORDS = ("person", "car", "truck", "bus")
_HFOV_RAD = math.radians(62.0)
_SIZE = (1920, 1080)
_FRAME_RATE_HZ = 2.5
_IOU = 0.5


def rows() -> Iterator[Row]:
    folder = _folder()
    pictures = _chosen(sorted((folder / "visdrone" / "images").glob("*.jpg")), "PHOTO_PICTURES")
    ways = _chosen(list(_WAYS), "PHOTO_WAYS")
    jobs = [(way, path, folder) for way in ways for path in pictures]
    persons: dict[str, int] = {}
    found: list[PhotoScore] = []
    with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        started_s = time.monotonic()
        for number, (job, score) in enumerate(zip(jobs, pool.imap(_score, jobs), strict=True), 1):
            print(
                f"photo: {number} of {len(jobs)}, {time.monotonic() - started_s:.0f} s: {job[0]}: "
                f"{job[1].name}: {_in_words(score)}",
                file=sys.stderr,
                flush=True,
            )
            found.append(score)
            if len(found) < len(pictures):
                continue
            persons[job[0]] = sum(one.found["person"] for one in found)
            yield from _rows_of(job[0], found)
            if job[0] in _AGAINST_SINGLE and "single" in persons:
                ratio = persons[job[0]] / max(persons["single"], 1)
                goal = 12.0 if job[0] == "rotating" else None
                yield Row(_AGAINST_SINGLE[job[0]], ratio, "x", goal, "higher")
            found = []


def _rows_of(way: str, found: Sequence[PhotoScore]) -> Iterator[Row]:
    for group, name in (("person", "persons"), ("vehicle", "vehicles")):
        total = sum(one.found[group] for one in found)
        yield Row(f"photo_{name}_{way}", float(total), "", better="higher")
    goal = 2.0 if way in _AGAINST_SINGLE else None
    count = len(found)
    yield Row(f"photo_false_per_picture_{way}", sum(one.false for one in found) / count, "", goal)
    yield Row(f"photo_twice_per_picture_{way}", sum(one.doubles for one in found) / count, "")
    yield Row(f"photo_time_s_{way}", sum(one.elapsed_s for one in found) / count, "s")
    yield Row(f"photo_looks_{way}", sum(one.looks for one in found) / count, "")


def _folder() -> Path:
    here = Path(__file__).resolve().parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("SEMANTIC_DETECTION_REALDATA") or here)
    for name in (_MODEL, "visdrone/images"):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder / name} is missing; SEMANTIC_DETECTION_REALDATA names the folder"
            )
    return folder


def _chosen(names: list[_Name], variable: str) -> list[_Name]:
    """Return all, or those that a variable names by parts of their names.

    Raises:
        ValueError: it names none.
    """
    parts = [part for part in os.environ.get(variable, "").split(",") if part]
    chosen = [one for one in names if not parts or any(part in str(one) for part in parts)]
    if not chosen:
        raise ValueError(f"{variable}: {','.join(parts)} is in none of {len(names)} names")
    return chosen


def _in_words(score: PhotoScore) -> str:
    groups = score.things
    found = ", ".join(f"{score.found[name]} of {groups[name]} {name}s" for name in groups)
    return (
        f"{found}, {score.false} false, {score.doubles} twice, {score.elapsed_s:.0f} s, "
        f"{score.looks} inferences"
    )


def _score(job: tuple[str, Path, Path]) -> PhotoScore:
    import cv2

    from semantic_detection_pkg.common.pictures import read_picture
    from simulation_pkg.core.photo.labels import Labels
    from simulation_pkg.harness.photo_overlay import draw_score
    from simulation_pkg.photo_files import find_labels

    cv2.setNumThreads(1)
    way, path, folder = job
    image = read_picture(path)
    labels = find_labels(path, (image.shape[1], image.shape[0])) or Labels()
    score = _searched(_WAYS[way], path, folder, labels)
    if output := os.environ.get("PHOTO_OUTPUT"):
        Path(output).mkdir(parents=True, exist_ok=True)
        drawn = draw_score(image, labels, score)
        cv2.imwrite(str(Path(output) / f"{path.stem}_{way}.jpg"), drawn)
    return score


def _searched(way: _Way, path: Path, folder: Path, labels: Labels) -> PhotoScore:
    """Search one photograph in one way."""
    from semantic_detection_pkg.common.pictures import read_picture
    from semantic_detection_pkg.detector.backends.loading import load_detector
    from semantic_detection_pkg.detector.core.tiles import TileSettings
    from semantic_detection_pkg.scan.core.settings import ScanSettings
    from simulation_pkg.core.photo.render import Projection
    from simulation_pkg.core.world.geometry import Lens
    from simulation_pkg.harness.photo_scan import PhotoScan, score_boxes, score_findings
    from simulation_pkg.photo_camera import open_photo

    tiling = TileSettings(way.tiles, tile_px=way.tile_px)
    with load_detector(folder / _MODEL, threads=1, tiling=tiling) as detector:
        if not way.zoom:
            result = detector.pipeline.process(read_picture(path))
            names = [result.vocabulary[index] for index in result.detections.class_ids]
            return score_boxes(names, result.detections.boxes_xyxy, labels, _IOU)
        lens = Lens(*_SIZE, _HFOV_RAD)
        photo = open_photo(path, _HFOV_RAD, Projection.FLAT, lens)
        settings = ScanSettings()
        settings = replace(
            settings,
            sweep_zoom=way.zoom,
            sweep=replace(settings.sweep, frame_rate_hz=_FRAME_RATE_HZ),
        )
        scan = PhotoScan(photo, lens, detector.pipeline, settings)
        scan.scan(_WORDS)
        return score_findings(scan, photo, labels)

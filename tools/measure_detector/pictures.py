"""Looks at things in labelled pictures, as they are and blurred on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measure_detector.records import ClassRecord, Look, Truth, match
from semantic_detection_pkg.common.pictures import read_picture
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.photo.labels import Labels
from simulation_pkg.kernels.raster import motion_blur
from simulation_pkg.photo_files import find_labels

_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def find_pictures(places: Sequence[Path]) -> list[Path]:
    """Return the pictures of files and folders, by name.

    Raises:
        ConfigurationError: a place is none, or there is no picture.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(one for one in place.iterdir() if one.suffix.lower() in _ENDINGS)
        elif place.is_file():
            found.append(place)
        else:
            raise ConfigurationError(f"pictures {place}: there is no such file or folder")
    if not found:
        raise ConfigurationError(f"pictures {', '.join(map(str, places))}: hold no picture")
    return found


def measure_pictures(
    pipeline: DetectorPipeline,
    pictures: Sequence[Path],
    truth_folder: Path | None,
    same: Mapping[str, str],
    smears_px: Sequence[float],
) -> Iterator[dict[str, ClassRecord]]:
    """Yield the records of each picture by class, of classes that the model knows.

    Args:
        truth_folder: of the labels; None: where data sets have them.
        same: names of labels and of the model's words -> the class that they are counted as.
        smears_px: blurs [px of the network's input] that each picture is looked at with, besides
            as it is.

    Raises:
        ConfigurationError: labels cannot be read.
        FrameError: a picture cannot.
    """
    for scene, path in enumerate(pictures):
        image = read_picture(path)
        labels = find_labels(path, (image.shape[1], image.shape[0]), truth_folder)
        if labels is None:
            continue
        records: dict[str, ClassRecord] = {}
        for smear_px in (0.0, *smears_px):
            _add(records, pipeline, image, labels, same, smear_px, scene)
        yield records


def _add(
    records: dict[str, ClassRecord],
    pipeline: DetectorPipeline,
    image: NDArray[np.uint8],
    labels: Labels,
    same: Mapping[str, str],
    smear_px: float,
    scene: int,
) -> None:
    result = pipeline.process(_blurred(image, smear_px / _gain_of(pipeline, image)))
    found = result.detections
    gain = max(look.gain for look in result.looks)
    words = [same.get(word, word) for word in result.vocabulary]
    counted = np.array([words[index] for index in found.class_ids], object)
    for name in sorted(set(words)):
        things = [
            (number, one.box_xyxy)
            for number, one in enumerate(labels.things)
            if same.get(one.class_name, one.class_name) == name
        ]
        boxes = np.array([box for _, box in things]).reshape(-1, 4)
        truth = Truth(
            tuple(number for number, _ in things),
            boxes,
            np.ones(len(things), bool),
            np.array(labels.ignored).reshape(-1, 4),
        )
        rows = counted == name
        scores, false = match(found.boxes_xyxy[rows], found.scores[rows], truth, gain)
        record = records.setdefault(name, ClassRecord())
        if smear_px == 0.0:
            record.pictures += 1
            record.false_scores += false
        for number, box, score in zip(truth.things, boxes, scores, strict=True):
            size_px = float((box[2:] - box[:2]).max()) * gain
            record.looks.append(
                Look(scene, number, round(10 * smear_px), size_px, smear_px, float(score))
            )


def _gain_of(pipeline: DetectorPipeline, image: NDArray[np.uint8]) -> float:
    """Return pixels of the network's input for one of the picture, of its finest look."""
    height, width = image.shape[:2]
    info, tiling = pipeline.info, pipeline.tiling
    if tiling.tiles == "full":
        return min(info.width / width, info.height / height)
    return max(info.width, info.height) / tiling.tile_px


def _blurred(image: NDArray[np.uint8], smear_px: float) -> NDArray[np.uint8]:
    return motion_blur(image.copy(), (smear_px, 0.0)) if smear_px > 0.0 else image

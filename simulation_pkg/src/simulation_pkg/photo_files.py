"""Labels beside a photograph, as the usual data sets lay them out.

images/a.jpg, annotations/a.txt                     VisDrone
a.jpg, a.txt; images/a.jpg, labels/a.txt            YOLO, names in classes.txt or data.yaml
images/a.jpg, annotations/instances_val.json        COCO; also a.json or annotations.json
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.photo.labels import (
    LabelError,
    Labels,
    is_visdrone,
    names_of,
    read_coco,
    read_visdrone,
    read_yolo,
)

_log = logging.getLogger(__name__)
_NAMES = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")


def find_labels(picture: Path, size: tuple[int, int], folder: Path | None = None) -> Labels | None:
    """Return the labels of a picture of this size [px]; None where there are none.

    Boxes are cut at the picture's edges; the log says how many lie beyond them.

    Args:
        folder: where they lie; None: where the usual data sets have them.

    Raises:
        ConfigurationError: there are some, and they cannot be read.
    """
    folders = (
        [folder]
        if folder is not None
        else [
            picture.parent,
            *(picture.parent.parent / name for name in ("annotations", "labels")),
        ]
    )
    for folder in folders:
        path = folder / f"{picture.stem}.txt"
        if path.is_file() and path != picture:
            return _in_picture(_of_text(path, size), size, path)
    for folder in folders:
        for path in _documents(folder, picture.stem):
            found = _of_document(path, picture.name)
            if found is not None:
                return _in_picture(found, size, path)
    return None


def _in_picture(labels: Labels, size: tuple[int, int], path: Path) -> Labels:
    shown = labels.within((0.0, 0.0, float(size[0]), float(size[1])))
    beyond = len(labels.things) - len(shown.things)
    if beyond:
        _log.warning(
            "labels %s: %d of %d boxes lie beyond the picture of %dx%d, they are left out",
            path,
            beyond,
            len(labels.things),
            *size,
        )
    return shown


def _documents(folder: Path, stem: str) -> Iterator[Path]:
    names = [f"{stem}.json", "annotations.json", "_annotations.coco.json"]
    yield from (folder / name for name in names if (folder / name).is_file())
    yield from sorted(folder.glob("instances*.json"))


def _of_text(path: Path, size: tuple[int, int]) -> Labels:
    text = _read(path)
    try:
        if is_visdrone(text):
            return read_visdrone(text)
        return read_yolo(text, _class_names(path.parent), size)
    except LabelError as error:
        raise ConfigurationError(f"labels {path}: {error}") from None


def _of_document(path: Path, picture: str) -> Labels | None:
    try:
        return read_coco(json.loads(_read(path)), picture)
    except (LabelError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationError(f"labels {path}: {error}") from None


def _class_names(folder: Path) -> tuple[str, ...]:
    """Return the names of a YOLO data set; none where nobody says them."""
    for place in (folder, folder.parent):
        for name in _NAMES:
            path = place / name
            if not path.is_file():
                continue
            text = _read(path, "class names")
            try:
                document: Any = text.splitlines()
                if path.suffix == ".yaml":
                    document = yaml.safe_load(text) or {}
                return names_of(document)
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ConfigurationError(f"class names {path}: {reason}") from None
    return ()


def _read(path: Path, what: str = "labels") -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"{what} {path}: cannot be read: {reason}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{what} {path}: is not UTF-8 text, at byte {error.start}; save it as UTF-8"
        ) from None

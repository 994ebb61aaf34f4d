"""What a path holds: a bag, a video, a folder of pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.sources import bag, pictures, video
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.camera.sources.images import natural_key
from semantic_detection_pkg.common.pictures import PICTURE_SUFFIXES
from semantic_detection_pkg.errors import ConfigurationError

#: That are recordings of their own in a folder of several.
_FILES = video.SUFFIXES | {".mcap", ".db3"}
_WANTED = "a bag of rosbag2, a video or a picture is needed"


@dataclass(frozen=True)
class SourceOptions:
    """What recordings do not tell of themselves.

    Attributes:
        topic: of a bag, the one with the pictures; empty: all that have some.
        hfov_rad: horizontal field of view of lenses that nobody tells; 0: unknown.
        reach_m: how far from the camera a thing is, 1 sigma, where only the camera's place is
            known; NaN: it then gets no position.
    """

    topic: str = ""
    hfov_rad: float = 0.0
    reach_m: float = math.nan


def open_path(path: Path, options: SourceOptions) -> RecordedSource:
    """Open whatever lies there.

    Raises:
        ConfigurationError: it is nothing that can be looked through; one line.
    """
    if not path.exists():
        raise ConfigurationError(f"{path}: there is nothing of this name")
    if not (path.is_file() or path.is_dir()):
        raise ConfigurationError(f"{path} is neither a file nor a folder")
    try:
        kind = _kind_of(path)
    except OSError as error:
        raise ConfigurationError(f"folder {path}: {_reason(error)}") from None
    if kind == "":
        raise ConfigurationError(f"{path} holds nothing that can be looked through: {_WANTED}")
    if kind == video.KIND:
        return video.VideoSource(path, options.hfov_rad)
    if kind == pictures.KIND:
        return pictures.PicturesSource(path, options.hfov_rad, options.reach_m)
    return bag.BagSource(path, options.topic, options.hfov_rad, options.reach_m)


def open_unit(unit: Unit) -> RecordedSource:
    """Open the recording of a unit, to look through it; raises as `open_path`."""
    path = Path(unit.path)
    if unit.kind == video.KIND:
        return video.VideoSource(path)
    if unit.kind == pictures.KIND:
        return pictures.PicturesSource(path)
    return bag.BagSource(path, unit.scene)


def recordings_in(path: Path, left_out: Path) -> list[Path]:
    """Return the recordings that a path names: itself, or all that lie in the folder.

    A card's folder has pictures, videos and more folders; a bag is one recording. In the order of
    names, pictures first. What is hidden is left out. Where there is none it is the path itself,
    which nobody can open then.

    Args:
        left_out: a folder that is not looked into, what an earlier search gave.
    """
    return list(_below(path, left_out, set())) or [path]


def _below(folder: Path, left_out: Path, seen: set[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in seen or real == left_out.resolve():  # links may lead in circles
        return
    seen.add(real)
    try:
        kind = _kind_of(folder) if folder.is_dir() else bag.KIND
        inside = sorted(folder.iterdir(), key=_by_name) if kind in ("", pictures.KIND) else []
    except OSError:  # said when it is opened
        yield folder
        return
    if kind:
        yield folder
    for one in inside:
        if one.name.startswith("."):
            continue
        if one.is_dir():
            yield from _below(one, left_out, seen)
        elif one.is_file() and one.suffix.lower() in _FILES:
            yield one


def _by_name(path: Path) -> tuple[bool, Any]:
    return path.is_dir(), natural_key(path.name)


def _kind_of(path: Path) -> str:
    """Return what a path is by its names; empty: a folder that is no recording itself."""
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in PICTURE_SUFFIXES:
            return pictures.KIND
        return video.KIND if suffix in video.SUFFIXES else bag.KIND
    is_bag = (path / "metadata.yaml").exists() or any(
        (path / inner / "metadata.yaml").exists() for inner in ("ring", "bag")
    )
    if is_bag:
        return bag.KIND
    return pictures.KIND if any(map(pictures.is_picture, path.iterdir())) else ""


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

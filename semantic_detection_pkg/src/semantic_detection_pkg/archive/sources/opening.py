"""What a path holds: a bag, a video, a folder of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.sources import bag, pictures, video
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.common.pictures import PICTURE_SUFFIXES
from semantic_detection_pkg.errors import ConfigurationError


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
    kind = _kind_of(path)
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


def _kind_of(path: Path) -> str:
    if path.is_file():
        return video.KIND if path.suffix.lower() in video.SUFFIXES else bag.KIND
    names = {one.suffix.lower() for one in path.iterdir()}
    is_bag = (path / "metadata.yaml").exists() or any(
        (path / inner / "metadata.yaml").exists() for inner in ("ring", "bag")
    )
    return pictures.KIND if names & PICTURE_SUFFIXES and not is_bag else bag.KIND

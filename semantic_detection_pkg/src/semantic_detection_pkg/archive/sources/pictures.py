"""Folders of pictures, each for itself: of a drone's survey, of somebody's phone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ros_support_pkg.core.pose_history import Pose
from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.core.surroundings import (
    UNKNOWN_HFOV_RAD,
    Surroundings,
    Timeline,
)
from semantic_detection_pkg.archive.sources.picture_facts import PictureFacts, read_facts
from semantic_detection_pkg.archive.sources.source import RecordedShot
from semantic_detection_pkg.camera.sources.images import natural_key
from semantic_detection_pkg.common.kernels.crops import encode_jpeg
from semantic_detection_pkg.common.pictures import PICTURE_SUFFIXES, read_picture
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix

KIND = "pictures"
_UNIT_PICTURES = 8
_JPEG_START, _JPEG_QUALITY = b"\xff\xd8", 95


class PicturesSource:
    """See `RecordedSource`; counted by the place in the natural order of names."""

    def __init__(self, folder: Path, hfov_rad: float = 0.0, reach_m: float = math.nan) -> None:
        """Look into a folder, or at one picture.

        Args:
            hfov_rad: of lenses that the pictures do not tell; 0: unknown.
            reach_m: see `Surroundings`.

        Raises:
            ConfigurationError: it holds no pictures, or cannot be read.
        """
        is_one = folder.is_file()
        self.label = f"picture {folder}" if is_one else f"folder {folder}"
        self._folder = folder
        self._hfov_rad, self._reach_m = hfov_rad, reach_m
        try:
            paths = [folder] if is_one else [one for one in folder.iterdir() if is_picture(one)]
        except OSError as error:
            raise ConfigurationError(f"{self.label}: {(error.strerror or '').lower()}") from None
        if not paths:
            raise ConfigurationError(
                f"{self.label} holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))})"
            )
        self._paths = sorted(paths, key=lambda path: natural_key(path.name))
        self._facts: list[PictureFacts] | None = None

    def close(self) -> None:
        """See `RecordedSource`."""

    def units(self) -> Sequence[Unit]:
        """See `RecordedSource`."""
        count = len(self._paths)
        starts = range(0, count, _UNIT_PICTURES)
        return [
            Unit(KIND, str(self._folder), "", 0, start, stop, self._identity(start, stop),
                 stop - start)
            for start in starts
            for stop in (min(start + _UNIT_PICTURES, count),)
        ]  # fmt: skip

    def shots(self, unit: Unit) -> Iterator[RecordedShot]:
        """See `RecordedSource`."""
        if self._identity(unit.start, unit.stop) != unit.identity:
            raise ConfigurationError(f"{self.label} has changed meanwhile; begin again")
        stamps = self._stamps()
        for place in range(unit.start, unit.stop):
            try:
                image = read_picture(self._paths[place])
            except FrameError as error:
                why = error.__cause__
                is_passing = isinstance(why, OSError) and not isinstance(why, FileNotFoundError)
                yield RecordedShot(place, stamps[place], None, str(error), is_passing)
            else:
                yield RecordedShot(place, stamps[place], image)

    def jpeg(self, unit: Unit, place: int, stamp_ns: int) -> bytes:  # noqa: ARG002
        """See `RecordedSource`."""
        path = self._paths[place]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FrameError(f"picture {path}: {(error.strerror or '').lower()}") from None
        if data.startswith(_JPEG_START):
            return data
        return encode_jpeg(read_picture(path), _JPEG_QUALITY)

    def told_place(self, unit: Unit, place: int) -> str:  # noqa: ARG002
        """See `RecordedSource`."""
        return str(self._paths[place])

    def surroundings(self, scene: str) -> Surroundings:  # noqa: ARG002
        """See `RecordedSource`."""
        poses: dict[int, Pose] = {}
        fixes: Timeline[Fix] = Timeline(0)
        attitudes: Timeline[BaseAttitude] = Timeline(0)
        grounds: Timeline[float] = Timeline(0)
        for stamp_ns, facts in zip(self._stamps(), self._read_facts(), strict=True):
            if facts.fix is not None:
                fixes.add(stamp_ns, facts.fix)
            if facts.pose is not None and facts.attitude is not None:
                poses[stamp_ns] = facts.pose
                attitudes.add(stamp_ns, facts.attitude)
                grounds.add(stamp_ns, facts.ground_m)
        told = next((one.hfov_rad for one in self._read_facts() if one.hfov_rad), 0.0)
        return Surroundings(
            is_still=True,
            hfov_rad=self._hfov_rad or told or UNKNOWN_HFOV_RAD,
            poses=poses,
            fixes=fixes,
            attitudes=attitudes,
            grounds=grounds,
            reach_m=self._reach_m,
        )

    def _read_facts(self) -> list[PictureFacts]:
        if self._facts is None:
            self._facts = [read_facts(path) for path in self._paths]
        return self._facts

    def _stamps(self) -> list[int]:
        """Return when each picture was taken; of several of one moment each its own."""
        taken: set[int] = set()
        stamps = []
        for facts in self._read_facts():
            stamp_ns = facts.stamp_ns
            while stamp_ns in taken:
                stamp_ns += 1
            taken.add(stamp_ns)
            stamps.append(stamp_ns)
        return stamps

    def _identity(self, start: int, stop: int) -> str:
        return "|".join(map(_identity_of, self._paths[start:stop]))


def is_picture(path: Path) -> bool:
    """Return whether a file is to be looked at, also where it is gone: that is told then.

    What macOS puts beside files on foreign media, `._NAME`, is none (AppleDouble, RFC 1740), nor is
    a pipe, which one would wait for.
    """
    is_named_so = path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("._")
    return is_named_so and (path.is_file() or not path.exists())


def _identity_of(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:  # a link to nowhere, or it went since the folder was read
        return f"{path.name}:gone"
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns}"

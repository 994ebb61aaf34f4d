"""Answers of units as bytes and as files: what was done survives whoever did it.

An answer is NumPy's NPZ, whose members have a fixed time: the same answer is the same bytes.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.archive.core.question import SeenFrame, UnitAnswer
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.errors import StorageError

_SUFFIX = ".npz"


def to_bytes(answer: UnitAnswer) -> bytes:
    """Return an answer as bytes."""
    found = [frame.detections for frame in answer.frames]
    arrays: dict[str, NDArray[Any]] = {
        "places": np.array([frame.place for frame in answer.frames], np.int64),
        "stamps": np.array([frame.stamp_ns for frame in answer.frames], np.int64),
        "sizes": np.array([(one.width, one.height) for one in found], np.int64).reshape(-1, 2),
        "counts": np.array([len(one) for one in found], np.int64),
        "class_ids": _joined([one.class_ids for one in found], np.uint16, ()),
        "scores": _joined([one.scores for one in found], np.float32, ()),
        "boxes": _joined([one.boxes_xyxy for one in found], np.float32, (4,)),
        "ring_counts": _joined([one.masks.ring_counts for one in found], np.uint32, ()),
        "ring_sizes": _joined([one.masks.ring_sizes for one in found], np.uint32, ()),
        "points": _joined([one.masks.points for one in found], np.float32, (2,)),
        "look_counts": np.array([len(frame.looks) for frame in answer.frames], np.int64),
        "looks": np.array(
            [look for frame in answer.frames for look in frame.looks], np.float64
        ).reshape(-1, 5),
        "about": np.frombuffer(
            json.dumps(
                {
                    "vocabulary": list(answer.vocabulary),
                    "model": answer.model,
                    "skipped": answer.skipped,
                    "unread": answer.unread,
                    "problems": list(answer.problems),
                    "is_whole": answer.is_whole,
                }
            ).encode(),
            np.uint8,
        ),
    }
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def from_bytes(data: bytes) -> UnitAnswer:
    """Return the answer that `to_bytes` wrote.

    Raises:
        ValueError: it is none, or damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays["about"].tobytes())
        return UnitAnswer(
            tuple(_frames(arrays)),
            tuple(about["vocabulary"]),
            about["model"],
            about["skipped"],
            about["unread"],
            tuple(about["problems"]) if "problems" in about else _of_before(about["problem"]),
            about["is_whole"],
        )
    except Exception as error:  # of damaged archives libraries raise whatever they like
        raise ValueError(f"is no answer: {error}") from error


def _of_before(problem: str) -> tuple[str, ...]:
    """Return what an answer of before 2026-12 says: the first problem only."""
    return (problem,) if problem else ()


def _joined(parts: list[NDArray[Any]], kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    empty: NDArray[Any] = np.empty((0, *shape), kind)
    return np.concatenate([empty, *parts]) if parts else empty


def _frames(arrays: dict[str, NDArray[Any]]) -> list[SeenFrame]:
    frames: list[SeenFrame] = []
    at = ring = point = look = 0
    for place, stamp_ns, (width, height), count, looks in zip(
        arrays["places"].tolist(),
        arrays["stamps"].tolist(),
        arrays["sizes"].tolist(),
        arrays["counts"].tolist(),
        arrays["look_counts"].tolist(),
        strict=True,
    ):
        own = slice(at, at + count)
        ring_counts = arrays["ring_counts"][own]
        rings = slice(ring, ring + int(ring_counts.sum()))
        ring_sizes = arrays["ring_sizes"][rings]
        points = slice(point, point + int(ring_sizes.sum()))
        detections = Detections(
            width,
            height,
            arrays["class_ids"][own],
            arrays["scores"][own],
            arrays["boxes"][own],
            MaskRings(arrays["points"][points], ring_sizes, ring_counts),
        )
        seen = tuple(
            Look(int(x0), int(y0), int(x1), int(y1), gain)
            for x0, y0, x1, y1, gain in arrays["looks"][look : look + looks].tolist()
        )
        frames.append(SeenFrame(place, stamp_ns, detections, seen))
        at, ring, point, look = own.stop, rings.stop, points.stop, look + looks
    return frames


class AnswerStore:
    """Answers by the names of unit and question, in a folder; each is whole or not there."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            StorageError: it cannot be made.
        """
        self._folder = folder
        self._files = FileSystem()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be made: {_reason(error)}") from error

    def get(self, key: str) -> bytes | None:
        """Return an answer; None where it is not there, or damaged: then it is asked for again."""
        try:
            data = self._path(key).read_bytes()
            from_bytes(data)
        except (OSError, ValueError):
            return None
        return data

    def answer(self, key: str) -> UnitAnswer | None:
        """Return an answer taken apart, as `get`: an hour's are read again and again."""
        try:
            return from_bytes(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep an answer; it is on the medium when this returns.

        Raises:
            StorageError: the disk refuses.
        """
        try:
            self._files.write_atomically(self._path(key), data)
        except OSError as error:
            raise StorageError(f"{self._path(key)}: cannot be written: {_reason(error)}") from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

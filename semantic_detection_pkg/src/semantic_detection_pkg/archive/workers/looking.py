"""What a worker does: look through one unit, whoever does it, and in whatever order."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic_detection_pkg.archive.answer_files import to_bytes
from semantic_detection_pkg.archive.core.question import (
    Question,
    SeenFrame,
    Unit,
    UnitAnswer,
)
from semantic_detection_pkg.archive.sources.opening import open_unit
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError

_CHUNK_BYTES = 1 << 20
_PROBLEMS_MAX = 20  # of a unit that are told, of a video that is damaged all through say


@dataclass
class _Open:
    """What a worker's thread keeps open for its next unit."""

    question: Question | None = None
    detector: LoadedDetector | None = None
    recording: tuple[str, str] = ("", "")
    source: RecordedSource | None = None


class _OfThread(threading.local):
    """A detector belongs to one thread, and a process may have several (Dask's have)."""

    def __init__(self) -> None:
        self.open = _Open()


_of_thread = _OfThread()


def load(question: Question) -> LoadedDetector:
    """Load the detector that a question needs, and show it the examples.

    Raises:
        ConfigurationError, ModelError: as `load_detector`, or the model is another one here.
    """
    if question.model_sha256 != model_sha256(question.model, question.names_file):
        raise ModelError(
            f"model {question.model} is another file here than where the search was begun"
        )
    detector = load_detector(
        question.model,
        engine=question.engine,
        threads=question.threads,
        device=question.device,
        names_file=question.names_file or None,
        words=question.words,
        settings=question.settings,
        tiling=question.tiling,
    )
    try:
        for example in question.examples:
            embedding = np.frombuffer(example.embedding, "<f4")
            detector.pipeline.add_example(example.name, embedding, is_negative=example.is_negative)
        if question.examples:  # and for nothing else, where there are no words
            detector.set_vocabulary(question.asked)
    except BaseException:
        detector.close()
        raise
    return detector


def model_sha256(model: str, names_file: str = "") -> str:
    """Return what tells a model's content, with what belongs to it: 64 hexadecimal digits.

    Raises:
        ModelError: a file cannot be read.
    """
    path = Path(model)
    side = path.with_name(path.stem + SIDE_FILE_SUFFIX)
    parts = [path, *([side] if side.exists() else []), *([Path(names_file)] if names_file else [])]
    digest = hashlib.sha256()
    for part in parts:
        if not part.exists():
            raise ModelError(f"model {part}: does not exist")
        try:
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ModelError(f"model {part}: {reason}") from None
        digest.update(b"\0")
    return digest.hexdigest()


def look(question: Question, unit: Unit) -> bytes:
    """Look through a unit; return its answer as bytes.

    Raises:
        ConfigurationError, ModelError: the detector cannot be loaded here.
    """
    opened = _of_thread.open
    if opened.question != question or opened.detector is None:
        if opened.detector is not None:
            opened.detector.close()
        opened.detector = None
        opened.detector, opened.question = load(question), question
    return to_bytes(_look(question, unit, opened))


def _look(question: Question, unit: Unit, opened: _Open) -> UnitAnswer:
    assert opened.detector is not None
    pipeline = opened.detector.pipeline
    frames: list[SeenFrame] = []
    skipped, is_whole, before_ns = 0, True, None
    problems: list[str] = []
    try:
        for shot in _source(unit, opened).shots(unit):
            if not question.is_wanted(shot.stamp_ns, before_ns):
                skipped += 1
                continue
            before_ns = shot.stamp_ns
            if shot.image is None:
                problems.append(shot.problem)
                is_whole = is_whole and not shot.is_passing
                continue
            try:
                result = pipeline.process(shot.image)
            except FrameError as error:
                problems.append(f"picture of {shot.stamp_ns} ns: {error}")
                continue
            frames.append(SeenFrame(shot.place, shot.stamp_ns, result.detections, result.looks))
    except (ConfigurationError, OSError) as error:
        # A part that is damaged or gone; the others are looked through all the same.
        problems.append(" ".join(str(error).split()))
        is_whole = False
        opened.source, opened.recording = None, ("", "")
    return UnitAnswer(
        tuple(frames),
        pipeline.vocabulary,
        pipeline.info.name,
        skipped,
        len(problems),
        tuple(problems[:_PROBLEMS_MAX]),
        is_whole,
    )


def _source(unit: Unit, opened: _Open) -> RecordedSource:
    recording = (unit.path, unit.scene)
    if opened.source is None or opened.recording != recording:
        if opened.source is not None:
            opened.source.close()
        opened.source = None
        opened.source, opened.recording = open_unit(unit), recording
    return opened.source

"""What is looked for, with what, and the parts of the recordings that are looked through.

A unit is the least that a worker does. Which units there are depends on the recordings alone, and
what a unit gives on the unit and the question alone: not on who does it, when, or beside whom. So
results kept under the names of both are right whoever asks again, and any number of workers gives
the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.serialization import canonical, to_plain
from semantic_detection_pkg.detector.core.prompts import as_prompt, read_word
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings
from semantic_detection_pkg.errors import ConfigurationError

#: Counted up when the same question would get another answer.
_VERSION = 1
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Example:
    """What a class looks like, or does not: no picture, so it is the same on each machine.

    Attributes:
        name: of the class, as the detector spells it.
        embedding: (D) of length 1, float32, little-endian.
        is_negative: it is not of this class.
    """

    name: str
    embedding: bytes
    is_negative: bool = False


@dataclass(frozen=True)
class Question:
    """What detectors are asked of each picture.

    Attributes:
        model: path of the model file, the same on each machine.
        model_sha256: of the model and what belongs to it.
        words: what is looked for, as the vocabulary takes them; none where there are examples.
        threads: of one worker's inference; more of them may add up in another order.
        rate_hz: at most so many pictures of a second are looked at; 0: all.
        examples: in the order in which the detector is shown them.

    Raises:
        ConfigurationError: on construction, where what is looked at would depend on the order.
    """

    model: str
    model_sha256: str
    words: tuple[str, ...]
    engine: str = "onnxruntime"
    device: str = "cpu"
    threads: int = 1
    rate_hz: float = 0.0
    names_file: str = ""
    settings: DetectorSettings = field(default_factory=DetectorSettings)
    tiling: TileSettings = field(default_factory=TileSettings)
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        if self.tiling.tiles == Looking.ROTATING.value or self.tiling.frame_budget_s > 0.0:
            raise ConfigurationError(
                "tiles 'rotating' and a frame_budget_s make what is looked at depend on the "
                "pictures before; full and tiles are allowed"
            )
        if not 0.0 <= self.rate_hz < float("inf"):
            raise ConfigurationError(f"rate {self.rate_hz:g} Hz must be 0 (all pictures) or more")

    @property
    def asked(self) -> tuple[str, ...]:
        """All that is looked for: the words, then what only examples name."""
        asked, names = list(self.words), {as_prompt(read_word(word).name) for word in self.words}
        for example in self.examples:
            if as_prompt(example.name) not in names:
                names.add(as_prompt(example.name))
                asked.append(example.name)
        return tuple(asked)

    @property
    def identity(self) -> dict[str, Any]:
        """What the answers depend on: the content of files, not where they lie."""
        identity = {
            "version": _VERSION,
            "model": self.model_sha256,
            "words": list(self.words),
            "engine": self.engine,
            "device": self.device,
            "threads": self.threads,
            "rate_hz": self.rate_hz,
            "settings": to_plain(self.settings),
            "tiling": to_plain(self.tiling),
        }
        if self.examples:  # what was answered before there were any is still right
            identity["examples"] = [
                [one.name, one.is_negative, one.embedding.hex()] for one in self.examples
            ]
        return identity

    def is_wanted(self, stamp_ns: int, before_ns: int | None) -> bool:
        """Return whether a picture is looked at.

        Args:
            before_ns: stamp of the last one of the same unit that is; None: there is none.
        """
        if self.rate_hz <= 0.0 or before_ns is None:
            return True
        period_ns = _NS_PER_S / self.rate_hz
        return int(stamp_ns // period_ns) != int(before_ns // period_ns)


@dataclass(frozen=True)
class Unit:
    """A part of a recording that one worker looks through.

    Attributes:
        kind: of the source, see `sources.opening`.
        path: of the recording, the same on each machine.
        scene: what tells cameras of one recording apart: a topic; else empty.
        file: number of the file in the recording.
        start, stop: from the one and before the other, in what the source counts by.
        identity: tells files apart by their content as well as can be had without reading them.
        weight: pictures in it, as far as is known; 1 or more.
        origin_ns: what a source adds to its own times [ns].
    """

    kind: str
    path: str
    scene: str
    file: int
    start: int
    stop: int
    identity: str
    weight: int = 1
    origin_ns: int = 0

    def key(self, question: Question) -> str:
        """Return a name for the answer to a question about it: 64 hexadecimal digits."""
        own = [self.kind, self.scene, self.start, self.stop, self.identity, self.origin_ns]
        text = canonical({"question": question.identity, "unit": own})
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """What was detected in one picture.

    Attributes:
        place: of the picture in its unit, in what the source counts by.
        stamp_ns: of its capture.
        looks: what was looked at.
    """

    place: int
    stamp_ns: int
    detections: Detections
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, eq=False)
class UnitAnswer:
    """What a unit gave.

    Attributes:
        frames: in the order of recording.
        vocabulary: that the class ids index.
        model: its name.
        skipped: pictures that were not looked at, as the rate says.
        unread: pictures that could not be read or looked at.
        problems: of the first of these, a line each.
        is_whole: nothing failed that may work another time; only then the answer is kept.
    """

    frames: tuple[SeenFrame, ...]
    vocabulary: tuple[str, ...]
    model: str
    skipped: int = 0
    unread: int = 0
    problems: tuple[str, ...] = ()
    is_whole: bool = True

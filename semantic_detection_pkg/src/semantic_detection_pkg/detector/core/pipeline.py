"""From a picture to detections: pre-process, infer, decode, masks. The clock is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.frame import check_image
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.detector.core.decode import Decoder, box_masks
from semantic_detection_pkg.detector.core.detection_result import DetectionResult, ElapsedMs
from semantic_detection_pkg.detector.core.examples import ShownExample
from semantic_detection_pkg.detector.core.input_slots import InputSlots
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.merge import LookFound, LookMerger, looks_settings
from semantic_detection_pkg.detector.core.model_layout import ModelInfo
from semantic_detection_pkg.detector.core.second_look import LookAgain, judge, thing_settings
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tile_layout import Region
from semantic_detection_pkg.detector.core.tiles import TilePlanner, TileSettings
from semantic_detection_pkg.detector.core.word_table import Meaning, Vocabulary, WordTable
from semantic_detection_pkg.detector.kernels.candidates import Kept
from semantic_detection_pkg.detector.kernels.merging import MOST_VIEWS
from semantic_detection_pkg.errors import FrameError


class InferenceEngine(Protocol):
    """What the pipeline needs of an inference back-end (see `backends.protocol`)."""

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Return memory that `infer` reads without an extra copy."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return outputs by name, valid until the next call."""


@dataclass
class _Tally:
    """What a frame's looks gave and took so far; times in seconds."""

    found: list[LookFound]
    things: list[LookFound]
    rejected: int = 0
    preprocess_s: float = 0.0
    inference_s: float = 0.0
    postprocess_s: float = 0.0
    longest_s: float = 0.0  # of one batch


class DetectorPipeline:
    """A loaded model with settings and a vocabulary, changeable between two pictures.

    `process` belongs to one thread; settings, tiling and vocabulary may be set from any.

    Attributes:
        settings: thresholds.
        tiling: how pictures are looked at.
        look_again: network for a second look; None: the model compares examples itself.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        info: ModelInfo,
        words: WordTable,
        vocabulary: Vocabulary,
        clock: Callable[[], float],
        settings: DetectorSettings | None = None,
        tiling: TileSettings | None = None,
        look: LookAgain | None = None,
    ) -> None:
        """Put the parts together; `backends.loading.load_detector` does it from files.

        Args:
            engine: with the model loaded.
            info: how to use that model.
            words: what it can be asked for.
            vocabulary: what it is asked for first.
            clock: monotonic time [s].
            settings: left out: the defaults.
            tiling: left out: the whole picture at once.
            look: network for a second look, if the model needs one.
        """
        self.info = info
        self.settings = settings or DetectorSettings()
        self.tiling = tiling or TileSettings()
        self._engine = engine
        self._words = words
        self._vocabulary = vocabulary
        self._clock = clock
        self.look_again = look
        self._slots = InputSlots(info, engine.allocate)
        self._decoder = Decoder(info)
        self._planner = TilePlanner((info.width, info.height))
        self._merger = LookMerger()

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words in force."""
        return self._vocabulary.names

    @property
    def vocabulary_in_force(self) -> Vocabulary:
        """How the words in force are looked for."""
        return self._vocabulary

    @property
    def dropped_words(self) -> tuple[str, ...]:
        """Words that were wanted with those in force, and for which the model has no room."""
        return self._vocabulary.dropped

    @property
    def wanted_words(self) -> tuple[str, ...]:
        """The words as they were asked for, synonyms and dropped ones with them."""
        return self._vocabulary.wanted or self._vocabulary.names

    @property
    def embedding_space(self) -> str:
        """What embeddings are of, see `WordTable.space`."""
        return self._words.space

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the words in force look for, see `WordTable.meanings`."""
        return self._words.meanings(self._vocabulary)

    @property
    def known_words(self) -> tuple[str, ...]:
        """All words that `set_vocabulary` takes."""
        return self._words.known

    def set_vocabulary(self, words: Sequence[str]) -> tuple[str, ...]:
        """Look for `words` from the next picture on; for none: for all that is known.

        Returns:
            The words in force.

        Raises:
            ConfigurationError: see `WordTable.choose`; the vocabulary stays as it was.
        """
        self._vocabulary = self._words.choose(words)
        return self._vocabulary.names

    def missing_words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the prompts to `learn_words` before `set_vocabulary`, see `WordTable.missing`.

        Raises:
            ConfigurationError: see there.
        """
        return self._words.missing(words)

    def learn_words(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """Take embeddings of words, see `WordTable.learn`; the vocabulary in force stays.

        Raises:
            ConfigurationError: see there.
        """
        self._words.learn(embeddings)

    def add_example(
        self, name: str, embedding: NDArray[np.float32], *, is_negative: bool = False
    ) -> tuple[str, ...]:
        """Look for a class by an example from the next picture on, beside what is looked for.

        What a class is not has nobody look for it; what a class looks for already (raincoat, where
        coat=raincoat|rain jacket is asked for) counts for that.

        Args:
            name, embedding, is_negative: see `WordTable.show`.

        Returns:
            The words in force; without the name where the model has no room, see `dropped_words`.

        Raises:
            ConfigurationError: see `WordTable.show`.
        """
        wanted, is_asked = self.wanted_words, bool(self.class_of(name))
        self._words.show(name, embedding, is_negative=is_negative, needs_class=not is_asked)
        return self.set_vocabulary(wanted if is_asked or is_negative else [*wanted, name])

    def class_of(self, name: str) -> str:
        """Return the class asked for that is called, or looks for, this; "": none."""
        return self._words.class_of(name, self._vocabulary.wanted)

    def replace_examples(self, examples: Sequence[ShownExample]) -> None:
        """Know these examples and no others from the next `set_vocabulary` on.

        Raises:
            ConfigurationError: see `WordTable.show`.
        """
        self._words.forget("")
        for one in examples:
            self._words.show(one.name, one.embedding, is_negative=one.is_negative)

    def forget_examples(self, name: str) -> tuple[str, ...]:
        """Forget what was shown of a class; "": of all; from the next picture on.

        Returns:
            Words that are looked for no more, as they meant nothing else.

        Raises:
            ConfigurationError: nothing was shown of it.
        """
        wanted = self.wanted_words
        unknown = {
            one for one in wanted if self._words.missing([one])
        }  # there was no room for them
        self._words.forget(name)
        gone = {one for one in wanted if self._words.missing([one])} - unknown
        kept = [one for one in wanted if one not in gone]
        while self._words.missing(kept):  # where there is room now
            gone.add(next(one for one in kept if self._words.missing([one])))
            kept = [one for one in kept if one not in gone]
        self.set_vocabulary(kept)
        return tuple(one for one in wanted if one in gone)

    def infer_blank(self) -> None:
        """Infer on an empty input, so that one can tell how long it takes; nothing is kept.

        Raises:
            FrameError: the inference failed.
        """
        count = self._slots.reserve(1)
        self._engine.infer({**self._slots.inputs(count), **self._vocabulary.inputs})

    def process(
        self,
        image: NDArray[np.uint8],
        need: NDArray[np.floating] | None = None,
        looks: Sequence[Look] = (),
    ) -> DetectionResult:
        """Find what the vocabulary names.

        Args:
            image: (height, width, 3) uint8, BGR, any strides.
            need: (rows, columns) >= 0, over the whole picture: how much a closer look at each part
                is worth, where not all tiles are looked at; None: all alike.
            looks: what to look at, however long it takes, as recorded; with the tiling of then the
                result is that of then. Empty: as the tiling says.

        Raises:
            FrameError: the picture has another form, the tiling makes too many tiles of it, a look
                is not in it, or inference failed on it.
        """
        try:
            check_image(image)
        except ValueError as error:
            raise FrameError(str(error)) from None
        settings, tiling, vocabulary = self.settings, self.tiling, self._vocabulary
        size = image.shape[1], image.shape[0]
        budget_s = 0.0 if looks else tiling.frame_budget_s
        if looks:
            views, due = self._planner.plan_again(size, tiling, _as_recorded(looks, size))
        else:
            views, due = self._planner.plan(size, tiling, need)
        each = settings if len(views) == 1 else looks_settings(settings)
        tally = _Tally([], [])
        now_s = started_s = self._clock()
        while len(tally.found) < len(due):
            is_late = now_s + tally.longest_s - started_s > budget_s > 0
            if tally.found and is_late:
                break
            batch = due[len(tally.found) :]
            batch = batch[: self._slots.reserve(len(batch))]
            now_s = self._look(image, views, batch, vocabulary, each, tally, now_s)
        done = due[: len(tally.found)]
        if not looks:
            self._planner.looked_at(done)
        detections = self._told(image, tally, views, vocabulary, settings)
        if len(views) > 1 or vocabulary.shown is not None:
            tally.postprocess_s += self._clock() - now_s
        return DetectionResult(
            detections,
            vocabulary.names,
            ElapsedMs(1e3 * tally.preprocess_s, 1e3 * tally.inference_s, 1e3 * tally.postprocess_s),
            tally.rejected,
            tuple(self._as_look(views[view]) for view in done),
            len(due) - len(done),
        )

    def _told(
        self,
        image: NDArray[np.uint8],
        tally: _Tally,
        views: Sequence[Region],
        vocabulary: Vocabulary,
        settings: DetectorSettings,
    ) -> Detections:
        """Return what all looks found together, classes that were shown with it."""
        found = self._merged(tally.found, views, settings)
        if vocabulary.shown is None or self.look_again is None:
            return found
        things = Detections.none(found.width, found.height)
        if tally.things:
            things = self._merged(tally.things, views, thing_settings(settings))
        return judge(image, found, things, vocabulary.shown, self.look_again, settings)

    def _merged(
        self, found: Sequence[LookFound], views: Sequence[Region], settings: DetectorSettings
    ) -> Detections:
        """Return what all looks found together."""
        if len(views) == 1:
            return found[0].detections
        size = self.info.width, self.info.height
        detections = self._merger.merge(found, views, size, settings)
        if not self.info.has_masks:  # parts of boxes need not be one box
            masks = box_masks(detections.boxes_xyxy)
            detections = dataclasses.replace(detections, masks=masks)
        return detections

    def _as_look(self, view: Region) -> Look:
        gain = min(self.info.width / view.width, self.info.height / view.height)
        return Look(*view, gain)

    def _look(
        self,
        image: NDArray[np.uint8],
        views: Sequence[Region],
        batch: Sequence[int],
        vocabulary: Vocabulary,
        settings: DetectorSettings,
        tally: _Tally,
        started_s: float,
    ) -> float:
        """Infer on some views of a picture at once; what was found is added to the tally.

        Returns:
            The time when it was done [s].
        """
        letterboxes = [
            self._slots.write(slot, image[view.y0 : view.y1, view.x0 : view.x1])
            for slot, view in enumerate(views[index] for index in batch)
        ]
        prepared_s = self._clock()
        outputs = self._engine.infer({**self._slots.inputs(len(batch)), **vocabulary.inputs})
        inferred_s = self._clock()
        for slot, (index, letterbox) in enumerate(zip(batch, letterboxes, strict=True)):
            candidates = self._decoder.candidates(outputs, vocabulary, settings, slot)
            size, view = (image.shape[1], image.shape[0]), views[index]
            found = self._locate(candidates, outputs, letterbox, settings, slot, view, size)
            tally.found.append(LookFound(index, found))
            shown = vocabulary.shown
            if shown is not None and shown.row is not None:
                rule = thing_settings(settings)
                row = Vocabulary(("thing",), np.array([shown.row], np.intp))
                things = self._decoder.candidates(outputs, row, rule, slot)
                located = self._locate(things, outputs, letterbox, rule, slot, view, size)
                tally.things.append(LookFound(index, located))
            tally.rejected += candidates.rejected
        finished_s = self._clock()
        tally.preprocess_s += prepared_s - started_s
        tally.inference_s += inferred_s - prepared_s
        tally.postprocess_s += finished_s - inferred_s
        tally.longest_s = max(tally.longest_s, finished_s - started_s)
        return finished_s

    def _locate(
        self,
        candidates: Kept,
        outputs: Mapping[str, NDArray[Any]],
        letterbox: Letterbox,
        settings: DetectorSettings,
        slot: int,
        view: Region,
        size: tuple[int, int],
    ) -> Detections:
        """Return boxes and masks in the picture; what shows no pixel of its mask is dropped."""
        boxes = letterbox.boxes_to_source(candidates.boxes_xyxy)
        tolerance_px = settings.polygon_tolerance_px
        masks = self._decoder.masks(candidates, outputs, boxes, letterbox, tolerance_px, slot)
        if view.x0 or view.y0:
            offset = np.array((view.x0, view.y0), np.float32)
            boxes += np.tile(offset, 2)
            masks = MaskRings(masks.points + offset, masks.ring_sizes, masks.ring_counts)
        detections = Detections(
            *size, candidates.labels.astype(np.uint16), candidates.scores, boxes, masks
        )
        is_shown = masks.ring_counts > 0
        return detections if is_shown.all() else detections.take(is_shown)


def _as_recorded(looks: Sequence[Look], size: tuple[int, int]) -> tuple[Region, ...]:
    """Return the parts of a picture of this size that were looked at once."""
    if len(looks) > MOST_VIEWS:
        raise FrameError(f"{len(looks)} looks at a picture: at most {MOST_VIEWS} are allowed")
    for look in looks:
        if not (0 <= look.x0 < look.x1 <= size[0] and 0 <= look.y0 < look.y1 <= size[1]):
            raise FrameError(
                f"look {', '.join(map(str, look[:4]))} px is not in the picture of "
                f"{size[0]}x{size[1]} px"
            )
    return tuple(Region(*look[:4]) for look in looks)

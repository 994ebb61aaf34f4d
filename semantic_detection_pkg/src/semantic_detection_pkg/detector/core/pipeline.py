"""From a picture to detections: pre-process, infer, decode, masks. The clock is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.frame import check_image
from semantic_detection_pkg.detector.core.decode import Decoder
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import ModelInfo
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.vocabulary import Vocabulary, WordTable
from semantic_detection_pkg.detector.kernels.candidates import Kept
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer
from semantic_detection_pkg.errors import FrameError


class Engine(Protocol):
    """What the pipeline needs of an inference back-end (see `backends.protocol`)."""

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Memory that `infer` reads without an extra copy."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Outputs by name, valid until the next call."""


@dataclass(frozen=True)
class ElapsedMs:
    """Time spent on one picture [ms], each >= 0."""

    preprocess: float
    inference: float
    postprocess: float


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """What one picture gave.

    Attributes:
        detections: sorted by falling score.
        vocabulary: words that class_ids index.
        elapsed_ms: time spent.
        rejected: candidates dropped because the model said NaN or infinity.
    """

    detections: Detections
    vocabulary: tuple[str, ...]
    elapsed_ms: ElapsedMs
    rejected: int


class DetectorPipeline:
    """A loaded model with settings and a vocabulary, both changeable between two pictures.

    `process` belongs to one thread; settings and vocabulary may be set from any.
    """

    def __init__(
        self,
        engine: Engine,
        info: ModelInfo,
        words: WordTable,
        vocabulary: Vocabulary,
        clock: Callable[[], float],
        settings: DetectorSettings | None = None,
    ) -> None:
        """Put the parts together; `backends.loading.load_detector` does it from files.

        Args:
            engine: with the model loaded.
            info: how to use that model.
            words: what it can be asked for.
            vocabulary: what it is asked for first.
            clock: monotonic time [s].
            settings: left out: the defaults.
        """
        self.info = info
        self.settings = settings or DetectorSettings()
        self._engine = engine
        self._words = words
        self._vocabulary = vocabulary
        self._clock = clock
        self._letterboxer = Letterboxer()
        self._decoder = Decoder(info)
        self._tensor = engine.allocate((1, 3, info.height, info.width), info.image_dtype)
        self._padded_for: Letterbox | None = None  # no one else writes into the tensor

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words in force."""
        return self._vocabulary.names

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

    def process(self, image: NDArray[np.uint8]) -> DetectionResult:
        """Find what the vocabulary names.

        Args:
            image: (height, width, 3) uint8, BGR, any strides.

        Raises:
            FrameError: the picture has another form, or inference failed on it.
        """
        try:
            check_image(image)
        except ValueError as error:
            raise FrameError(str(error)) from None
        settings, vocabulary = self.settings, self._vocabulary
        started_s = self._clock()
        letterbox = Letterbox(image.shape[1], image.shape[0], self.info.width, self.info.height)
        self._letterboxer.write(
            image,
            self._tensor[0],
            (letterbox.content_width, letterbox.content_height),
            (letterbox.left, letterbox.top),
            is_padded=letterbox == self._padded_for,
        )
        self._padded_for = letterbox
        prepared_s = self._clock()
        outputs = self._engine.infer({self.info.image_input: self._tensor, **vocabulary.inputs})
        inferred_s = self._clock()
        candidates = self._decoder.candidates(outputs, vocabulary, settings)
        detections = self._locate(candidates, outputs, letterbox, settings)
        finished_s = self._clock()
        return DetectionResult(
            detections,
            vocabulary.names,
            ElapsedMs(
                1e3 * (prepared_s - started_s),
                1e3 * (inferred_s - prepared_s),
                1e3 * (finished_s - inferred_s),
            ),
            candidates.rejected,
        )

    def _locate(
        self,
        candidates: Kept,
        outputs: Mapping[str, NDArray[Any]],
        letterbox: Letterbox,
        settings: DetectorSettings,
    ) -> Detections:
        """Boxes and masks in the picture; what shows no pixel of its mask is dropped."""
        boxes = letterbox.boxes_to_source(candidates.boxes_xyxy)
        tolerance_px = settings.polygon_tolerance_px
        masks = self._decoder.masks(candidates, outputs, boxes, letterbox, tolerance_px)
        detections = Detections(
            letterbox.source_width,
            letterbox.source_height,
            candidates.labels.astype(np.uint16),
            candidates.scores,
            boxes,
            masks,
        )
        return detections.take(masks.ring_counts > 0)

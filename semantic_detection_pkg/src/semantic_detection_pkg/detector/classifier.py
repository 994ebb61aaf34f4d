"""What a close crop shows: `Classifier`, one loaded model that names the part of a picture.

The engine below is any `InferenceBackend`; what the crop looks like is in the model's metadata
(`names`, `imgsz`, `crop_margin`, `mean`, `std`), as the demo's export writes it. A model that was
made for other words than those that are searched for has a table of them beside it
(`classifier_words`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.loading import engine_module, open_backend
from semantic_detection_pkg.detector.backends.protocol import InferenceBackend, notice_of
from semantic_detection_pkg.detector.backends.words_file import read_classifier_words
from semantic_detection_pkg.detector.core.class_names import literal, metadata_names
from semantic_detection_pkg.detector.core.classifier_words import (
    ClassifierWords,
    WordSums,
    in_short,
)
from semantic_detection_pkg.detector.core.model_layout import FLOATS
from semantic_detection_pkg.detector.kernels.crops import Box, crop_square
from semantic_detection_pkg.errors import FrameError, ModelError

#: A crop that has to be enlarged more than this shows less than what models are trained with.
_ENLARGED_MOST = 4.0


@dataclass(frozen=True)
class Classification:
    """Labels by falling probability, 0..1, which add up to 1; none: it has no opinion."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


class Classifier(Protocol):
    """A loaded classifier. `name` is that of its model file, without folders."""

    name: str

    def classify(self, image: NDArray[np.uint8], box_xyxy: Box) -> Classification:
        """Name what the box [px] of a BGR picture shows; of a crop too small for it: nothing.

        Raises:
            FrameError: it failed on this part; another may work.
        """

    def close(self) -> None:
        """Free the model; may be called again."""


@dataclass(frozen=True)
class CropRules:
    """How a classifier wants its crops, from its metadata.

    Attributes:
        names: label of each output.
        size: side of the square [px].
        margin: side of the square, in longest sides of the box.
        mean, std: of each channel, RGB, of pixels 0..1.
        min_crop_px: side of the square in the picture below which it was not trained [px].
    """

    names: tuple[str, ...]
    size: int
    margin: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    min_crop_px: float


class BackendClassifier:
    """A `Classifier` over an inference engine.

    Attributes:
        words: that it may have an opinion on.
        summary: in one line, which model and which table this is.
        notice: what its engine does not do as it was asked; "" for nothing.
    """

    def __init__(self, backend: InferenceBackend, words: ClassifierWords | None = None) -> None:
        """Take the engine over.

        Args:
            words: that its classes stand for; None: each class is a word.

        Raises:
            ModelError: its inputs, outputs or metadata are not a classifier's, or the words have
                classes that it does not know.
        """
        self.name = backend.name
        self.notice = notice_of(backend)
        rules = read_rules(backend)
        if words is not None and words.min_crop_px is not None:
            rules = replace(rules, min_crop_px=words.min_crop_px)
        self._rules = rules
        self._words = None if words is None else WordSums(words, rules.names, backend.name)
        self.words = rules.names if words is None else tuple(words.classes)
        known = f"{words.source} for" if words else "no table of words, its own classes are those:"
        self.summary = f"classifier {backend.name}, {known} {in_short(self.words)}"
        self._backend = backend
        image = backend.inputs[0]
        self._input = image.name
        self._output = backend.outputs[0].name
        size = self._rules.size
        self._tensor = backend.allocate((1, 3, size, size), image.dtype)
        self._scale = 1.0 / (255.0 * np.asarray(self._rules.std))
        self._offset = -np.asarray(self._rules.mean) / np.asarray(self._rules.std)

    def classify(self, image: NDArray[np.uint8], box_xyxy: Box) -> Classification:
        """See `Classifier`."""
        x0, y0, x1, y1 = box_xyxy
        if self._rules.margin * max(x1 - x0, y1 - y0) < self._rules.min_crop_px:
            return Classification((), ())
        square = crop_square(image, box_xyxy, self._rules.margin, self._rules.size)
        self._tensor[0] = (square[..., ::-1] * self._scale + self._offset).transpose(2, 0, 1)
        logits = self._backend.infer({self._input: self._tensor})[self._output]
        values = np.asarray(logits, np.float64).reshape(-1)
        if len(values) != len(self._rules.names):
            raise FrameError(
                f"{self.name}: its output of {len(values)} numbers must be one for each of "
                f"{len(self._rules.names)} names"
            )
        if not np.isfinite(values).all():
            raise FrameError(f"{self.name}: its output is not finite")
        with np.errstate(over="ignore"):  # as far apart as can be: minus infinity, so nothing
            shares = np.exp(values - values.max())
        shares /= shares.sum()
        names = self._rules.names
        if self._words is not None:
            names, shares = self._words.names, self._words.of(shares)
        order = np.argsort(-shares, kind="stable")
        return Classification(
            tuple(names[i] for i in order), tuple(float(shares[i]) for i in order)
        )

    def close(self) -> None:
        """See `Classifier`."""
        self._backend.close()


def load_classifier(
    model: str | Path, *, engine: str, threads: int = 0, device: str = "cpu"
) -> Classifier:
    """Load a classifier.

    Args:
        engine, threads, device: see `open_backend`. An engine's module may have classifiers of its
            own: `open_classifier(path) -> Classifier`.

    Raises:
        ConfigurationError: the engine is unknown.
        ModelError: the file is missing, no good, or no classifier.
    """
    if own := getattr(engine_module(engine), "open_classifier", None):
        made: Classifier = own(Path(model))
        return made
    words = read_classifier_words(Path(model))
    backend = open_backend(engine, model, threads=threads, device=device)
    try:
        return BackendClassifier(backend, words)
    except BaseException:
        backend.close()
        raise


def read_rules(backend: InferenceBackend) -> CropRules:
    """Return how the model wants its crops.

    Raises:
        ModelError: the model is no classifier, or its metadata do not say.
    """
    shape = backend.inputs[0].shape if len(backend.inputs) == 1 else ()
    if len(shape) != 4 or len(backend.outputs) != 1:
        raise ModelError(
            f"model {backend.name}: is no classifier; it needs one input (1, 3, size, size) and "
            f"one output, it has {len(backend.inputs)} and {len(backend.outputs)}"
        )
    try:
        labels = metadata_names(backend.name, backend.metadata)
        size = int(_literal(backend, "imgsz")[0])
        mean, std = (_channels(_literal(backend, key)) for key in ("mean", "std"))
        margin = float(_literal(backend, "crop_margin"))
        least_px = float(_literal(backend, "min_crop_px", size / _ENLARGED_MOST))
        if not labels:
            raise KeyError("names")
    except (KeyError, ValueError, TypeError, IndexError, OverflowError, ModelError) as error:
        raise ModelError(
            f"model {backend.name}: metadata of a classifier are needed (names, imgsz, mean, std, "
            f"crop_margin): {error}"
        ) from error
    is_sane = 8 <= size <= 1024 and 0.5 <= margin <= 4.0 and min(std) > 0.0
    if not is_sane or not 0.0 <= least_px <= 4096.0:
        raise ModelError(
            f"model {backend.name}: imgsz {size}, crop_margin {margin:g}, std {std}, min_crop_px "
            f"{least_px:g}: allowed are 8..1024, 0.5..4, above 0, 0..4096"
        )
    _check_tensors(backend, size, len(labels))
    return CropRules(labels, size, margin, mean, std, least_px)


def _check_tensors(backend: InferenceBackend, size: int, labels: int) -> None:
    image, output = backend.inputs[0], backend.outputs[0]
    wanted = (1, 3, size, size)
    is_fit = all(length in (None, n) for length, n in zip(image.shape, wanted, strict=True))
    if image.dtype not in FLOATS or not is_fit:
        raise ModelError(
            f"model {backend.name}: input {image} must be {' or '.join(FLOATS)} "
            f"{'x'.join(map(str, wanted))}, as its metadata imgsz says"
        )
    outputs = math.prod(length for length in output.shape if length is not None)
    is_fit = labels % max(outputs, 1) == 0 if None in output.shape else outputs == labels
    if not output.shape or not is_fit:
        raise ModelError(f"model {backend.name}: {labels} names for {outputs} outputs ({output})")


def _channels(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    if not all(math.isfinite(value) for value in (red, green, blue)):
        raise ValueError(f"mean and std {red:g}, {green:g}, {blue:g} must be finite")
    return red, green, blue


def _literal(backend: InferenceBackend, key: str, default: Any = None) -> Any:
    """Return a value of the metadata: engines keep it as it was, ONNX as the text of a literal."""
    value = literal(backend.name, backend.metadata, key)
    if value is None and default is None:
        raise KeyError(key)
    return default if value is None else value

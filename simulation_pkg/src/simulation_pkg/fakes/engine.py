"""An engine without a model file's content, with switches for what goes wrong with real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.protocol import EngineOptions, InferenceBackend
from semantic_detection_pkg.detector.classifier import Classification, Classifier
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.kernels.crops import Box
from semantic_detection_pkg.errors import FrameError

_SIZE = 64
_NAMES = ("person", "tent", "vehicle")
_PROTOTYPES = 32
# The box, in pixels of the input, and score of the one detection that `fake_outputs` holds.
FAKE_BOX_XYXY = (16.0, 16.0, 48.0, 48.0)
FAKE_SCORE = 0.9


class FakeBackend:
    """An `InferenceBackend` in the raw layout that always sees one person in the middle.

    Attributes:
        outputs_next: what `infer` returns; change it to make the model say something else.
        is_failing: `infer` raises FrameError.
        inputs_last: copies of the inputs of the newest call.
        is_closed: `close` was called.
    """

    def __init__(self, name: str = "fake") -> None:
        """Make a fresh one; `name` is that of the model file."""
        self.name = name
        self.device = "nothing"
        self.inputs: tuple[TensorSpec, ...] = (
            TensorSpec("images", (1, 3, _SIZE, _SIZE), "float32"),
        )
        self.outputs_next = fake_outputs()
        self.outputs = tuple(
            TensorSpec(name, value.shape, "float32") for name, value in self.outputs_next.items()
        )
        self.metadata: Mapping[str, Any] = {"names": dict(enumerate(_NAMES))}
        self.inputs_last: dict[str, NDArray[Any]] = {}
        self.is_failing = False
        self.is_closed = False

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `InferenceBackend`."""
        return np.zeros(shape, dtype)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """See `InferenceBackend`."""
        if self.is_failing or self.is_closed:
            reason = "the model is closed" if self.is_closed else "inference failed: as asked for"
            raise FrameError(f"{self.name}: {reason}")
        self.inputs_last = {name: value.copy() for name, value in inputs.items()}
        return self.outputs_next

    def close(self) -> None:
        """See `InferenceBackend`."""
        self.is_closed = True


def fake_outputs() -> dict[str, NDArray[np.float32]]:
    """Return outputs in the raw layout: one person whose mask fills its box, one empty anchor."""
    head = np.zeros((1, 4 + len(_NAMES) + _PROTOTYPES, 2), np.float32)
    x1, y1, x2, y2 = FAKE_BOX_XYXY
    head[0, :4, 0] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    head[0, 4, 0] = FAKE_SCORE
    head[0, 4 + len(_NAMES), 0] = 1.0
    prototypes = np.zeros((1, _PROTOTYPES, _SIZE // 4, _SIZE // 4), np.float32)
    prototypes[0, 0] = 1.0
    return {"output0": head, "output1": prototypes}


def open_model(path: Path, options: EngineOptions) -> InferenceBackend:  # noqa: ARG001 - as every engine
    """Return a fake model of this name; nothing is read."""
    return FakeBackend(path.name)


class FakeClassifier:
    """A `Classifier` that says what it was told.

    Attributes:
        answer: what `classify` returns; change it.
        is_failing: `classify` raises FrameError.
        is_closed: `close` was called.
    """

    def __init__(self, labels: Sequence[str] = ("person",), name: str = "fake") -> None:
        self.name = name
        share = 1.0 / len(labels)
        self.answer = Classification(tuple(labels), (share,) * len(labels))
        self.is_failing = False
        self.is_closed = False

    def classify(self, image: NDArray[np.uint8], box_xyxy: Box) -> Classification:  # noqa: ARG002
        """See `Classifier`."""
        if self.is_failing or self.is_closed:
            raise FrameError(f"{self.name}: classification failed: as asked for")
        return self.answer

    def close(self) -> None:
        """See `Classifier`."""
        self.is_closed = True


def open_classifier(path: Path) -> Classifier:
    """Return a fake classifier of this name; nothing is read."""
    return FakeClassifier(name=path.name)

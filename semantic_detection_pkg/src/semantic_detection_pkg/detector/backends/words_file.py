"""The table of words beside a classifier: `classifier.words.json` beside `classifier.onnx`."""

from __future__ import annotations

import json
from pathlib import Path

from semantic_detection_pkg.detector.core.classifier_words import ClassifierWords
from semantic_detection_pkg.errors import ModelError

_BYTES_MAX = 10_000_000


def read_classifier_words(model: Path) -> ClassifierWords | None:
    """Return the table beside a model; None where there is none.

    Raises:
        ModelError: it cannot be read, or is no such table.
    """
    path = model.with_suffix(".words.json")
    try:
        with path.open("rb") as file:
            text = file.read(_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"words {path}: cannot be read: {reason}") from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"words {path}: is not JSON: {error}") from error
    return ClassifierWords.from_json(document, f"words {path}")

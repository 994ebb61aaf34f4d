"""The table of words beside a classifier: `classifier.words.json` beside `classifier.onnx`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semantic_detection_pkg.detector.core.classifier_words import ClassifierWords
from semantic_detection_pkg.errors import ModelError

_BYTES_MAX = 10_000_000


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; by itself the last of several equal keys would win.

    Raises:
        ValueError: a key is there twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{key[:40]}' is there twice")
        found[key] = value
    return found


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
        document = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"words {path}: is not JSON: {error}") from error
    return ClassifierWords.from_json(document, f"words {path}")

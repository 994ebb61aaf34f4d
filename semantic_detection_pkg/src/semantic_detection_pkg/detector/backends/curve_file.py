"""The detection curves beside a model: `model.curve.json` beside `model.onnx` or `model.engine`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NoReturn

from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.schema_reason import schema_reason
from semantic_detection_pkg.detector.core.curve_document import FORMAT, SCHEMA, VERSION, curves_of
from semantic_detection_pkg.errors import ConfigurationError

SUFFIX = ".curve.json"
_BYTES_MAX = 20_000_000
_AGAIN = "measure it: python tools/measure_detector; or take the file away: POD is then assumed"


def curve_path(model: Path) -> Path:
    """Return where the curves of a model are looked for."""
    return model.with_name(model.stem + SUFFIX)


def read_curves(model: Path, confidence: float) -> DetectionCurves | None:
    """Return the curves beside a model at a threshold; None where there are none.

    Raises:
        ConfigurationError: the file cannot be read, is no such file, or is of another model.
    """
    path = curve_path(model)
    document = read_document(path)
    if document is None:
        return None
    wanted = document["model"]["sha256"]
    if wanted not in _digests(model):
        raise ConfigurationError(
            f"curves {path}: are of another model, {document['model']['file']} with the SHA-256 "
            f"{wanted[:12]}...; {_AGAIN}"
        )
    try:
        return curves_of(document, model.name, confidence)
    except ConfigurationError as error:
        raise ConfigurationError(f"curves {path}: {error}") from None


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the checked content of a file of curves; None where there is no file.

    Raises:
        ConfigurationError: it cannot be read, or is no such file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"curves {path}: cannot be read: {reason}") from error
    if len(text) > _BYTES_MAX:
        raise ConfigurationError(f"curves {path}: larger than {_BYTES_MAX / 1e6:.0f} MB; {_AGAIN}")
    try:
        document: Any = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"curves {path}: is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigurationError(f"curves {path}: are no detection curves; {_AGAIN}")
    version = document.get("version")
    if version != VERSION:
        raise ConfigurationError(
            f"curves {path}: version {str(version)[:20]} is not known, allowed is {VERSION}; "
            f"{_AGAIN}"
        )
    import jsonschema  # large, and most models have no such file

    problem = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)
    )
    if problem is not None:
        where = "/".join(map(str, problem.absolute_path)) or "the file"
        raise ConfigurationError(f"curves {path}: {where}: {schema_reason(problem)}")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"value {constant}: a finite number is allowed")


def _digests(model: Path) -> set[str]:
    """Return the digest of a model, and of the ONNX file that a plan was built from."""
    try:
        found = {sha256_of(model)}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"model {model}: cannot be read: {reason}") from error
    manifest = model.with_name(model.stem + ".manifest.json")
    # Whoever loads the plan checks its manifest.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        found.add(str(json.loads(manifest.read_bytes())["onnx"]["sha256"]))
    return found

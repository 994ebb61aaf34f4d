"""What is checked of a vocabulary's side file, see `core.vocabulary`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import ConfigurationError


def check_checkpoint(
    name: str, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Check that the embeddings of a side file are for this model.

    Args:
        name: of the model, for the message.
        arrays: of the side file.
        metadata: of the model.

    Raises:
        ConfigurationError: they are of another checkpoint.
    """
    model = str(metadata.get("prompt_model", "")).strip("'\"")
    embeddings = str(arrays.get("model", ""))
    if model and embeddings and model != embeddings:
        raise ConfigurationError(
            f"vocabulary file: embeddings are of {embeddings!r}, {name} is of {model!r}: they mean "
            "nothing to it; take the file that was exported with the model"
        )


def checked_array(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return an array of a side file.

    Raises:
        ConfigurationError: it is missing, has another shape or kind, or numbers that are none.
    """
    if name not in arrays:
        raise ConfigurationError(f"vocabulary file: array {name!r} is missing")
    array = arrays[name]
    if array.shape != shape or array.dtype.kind != "f":
        raise ConfigurationError(
            f"vocabulary file: {name} is {array.dtype} {array.shape}; "
            f"with this model it must be float32 {shape}"
        )
    with np.errstate(over="ignore"):  # double precision holds more: that is infinity here
        taken = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(taken).all():
        raise ConfigurationError(f"vocabulary file: {name} holds NaN or infinity")
    return taken

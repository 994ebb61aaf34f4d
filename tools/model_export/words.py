"""Words as vectors: Ultralytics' prompt files, and the vocabulary beside a model.

A prompt file (`YOLOE.save_prompt_embeddings`) holds exactly

    embeddings  float32  (1, K, D)  one vector for each word
    names       unicode  (K,)       the words
    model       unicode  ()         the checkpoint that they were made with, without "-seg"

The vectors are those behind the text encoder and behind the layer that each checkpoint trained on
top of it (`reprta`), so they mean nothing to another checkpoint, not even to one of the same text
encoder. The vocabulary of a model (`detector.core.vocabulary`) therefore has an array `model`, too,
and what is not for the same checkpoint is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_ARRAYS
from semantic_detection_pkg.errors import ConfigurationError

CHECKPOINT = "model"
# Of the vocabulary: hashes of the networks beside the model.
TEXT_ENCODER, EXAMPLE_ENCODER = "text_encoder", "example_encoder"
# Text encoder of each family of checkpoints (Ultralytics' YAML files, key text_model).
_ENCODERS = {
    "yoloe-v8": "mobileclip:blt",
    "yoloe-11": "mobileclip:blt",
    "yoloe-26": "mobileclip2:b",
}
_PROMPT_ARRAYS = ("embeddings", "names", CHECKPOINT)


@dataclass(frozen=True, eq=False)
class Prompts:
    """Words with their vectors.

    Attributes:
        names: (K) words, different from each other, K >= 1.
        embeddings: (K, D) float32, each of length 1.
        checkpoint: that they were made with, "yoloe-11s" say.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    checkpoint: str


def checkpoint_name(path: str | Path) -> str:
    """What a checkpoint is called in prompt files: "yoloe-11s-seg.pt" is "yoloe-11s"."""
    return Path(path).stem.removesuffix("-seg")


def make_prompts(names: Sequence[str], embeddings: NDArray[Any], checkpoint: str) -> Prompts:
    """Check and normalise.

    Args:
        names: (K) words.
        embeddings: (K, D), any length but 0.

    Raises:
        ConfigurationError: something is missing, empty, twice or not finite.
    """
    words = tuple(name.strip() for name in names)
    if not words or "" in words or len(set(words)) != len(words):
        raise ConfigurationError(
            f"words {', '.join(map(repr, words)) or 'none'}: at least one is needed, none empty or "
            "twice"
        )
    vectors = np.asarray(embeddings, np.float32)
    if vectors.ndim != 2 or len(vectors) != len(words):
        raise ConfigurationError(
            f"embeddings {vectors.shape} must be ({len(words)}, D): one for each word"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise ConfigurationError("embeddings hold NaN, infinity or a vector of length 0")
    return Prompts(words, vectors / lengths, checkpoint)


def read_prompts(path: Path) -> Prompts:
    """Read a prompt file.

    Raises:
        ConfigurationError: it cannot be read or holds something else.
    """
    arrays = _load(path)
    if set(arrays) != set(_PROMPT_ARRAYS):
        raise ConfigurationError(
            f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; a prompt file holds "
            + ", ".join(_PROMPT_ARRAYS)
        )
    embeddings, names, checkpoint = (arrays[name] for name in _PROMPT_ARRAYS)
    if embeddings.ndim != 3 or len(embeddings) != 1 or names.ndim != 1 or checkpoint.ndim != 0:
        raise ConfigurationError(
            f"{path}: embeddings {embeddings.shape}, names {names.shape}, model "
            f"{checkpoint.shape}; must be (1, K, D), (K,), ()"
        )
    try:
        return make_prompts([str(name) for name in names], embeddings[0], str(checkpoint))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def write_prompts(path: Path, prompts: Prompts) -> None:
    """Write a prompt file that Ultralytics reads, too."""
    np.savez_compressed(
        path,
        embeddings=prompts.embeddings[None],
        names=np.array(prompts.names),
        model=np.array(prompts.checkpoint),
    )


def read_vocabulary(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of the vocabulary beside a model.

    Raises:
        ConfigurationError: it cannot be read, or lacks an array.
    """
    arrays = _load(path)
    missing = [name for name in SIDE_FILE_ARRAYS if name not in arrays]
    if missing:
        raise ConfigurationError(
            f"{path}: array {missing[0]!r} is missing; a vocabulary holds "
            + ", ".join(SIDE_FILE_ARRAYS)
        )
    return arrays


def write_vocabulary(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write it whole or not at all: a detector may be starting."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(draft, path)


def add_words(arrays: Mapping[str, NDArray[Any]], prompts: Prompts) -> dict[str, NDArray[Any]]:
    """A vocabulary with more words; one that is there already gets the new vector.

    Raises:
        ConfigurationError: they are of another checkpoint than the model's.
    """
    check_checkpoint(str(arrays.get(CHECKPOINT, "")), prompts.checkpoint)
    table = {
        str(name): row for name, row in zip(arrays["names"], arrays["embeddings"], strict=True)
    }
    size = arrays["fold_w"].shape[1]
    if prompts.embeddings.shape[1] != size:
        raise ConfigurationError(
            f"embeddings have {prompts.embeddings.shape[1]} numbers, the model's have {size}"
        )
    table.update(zip(prompts.names, prompts.embeddings, strict=True))
    return {
        **arrays,
        "names": np.array(list(table)),
        "embeddings": np.stack(list(table.values())).astype(np.float32),
    }


def check_checkpoint(model: str, prompts: str) -> None:
    """Vectors are for the checkpoint that they were made with only.

    Raises:
        ConfigurationError: they are for another.
    """
    if not model:
        raise ConfigurationError(
            "the model's vocabulary does not say which checkpoint it is of; export it anew with "
            "tools/export_yoloe.py"
        )
    if model != prompts:
        raise ConfigurationError(
            f"embeddings were made with {_described(prompts)}, the model is {_described(model)}: "
            "they mean nothing to it; make them with the model's own checkpoint"
        )


def _described(checkpoint: str) -> str:
    encoders = [encoder for family, encoder in _ENCODERS.items() if checkpoint.startswith(family)]
    return f"{checkpoint!r} (text encoder {encoders[0]})" if encoders else repr(checkpoint)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"{path}: {reason}") from None
    except Exception:
        # NumPy and zipfile have no common error for rubbish.
        raise ConfigurationError(f"{path}: is not a .npz file without pickled objects") from None

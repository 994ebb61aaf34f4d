"""The files of a text encoder beside a model: graph, weights, tokenizer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import onnx

from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.text_encoder import (
    DATA_SUFFIX,
    SUFFIX,
    TOKENS_SUFFIX,
)

_SMALLEST_OUTSIDE = 1024  # bytes of a tensor that is kept outside the graph


def encoder_path(model: Path) -> Path:
    """Return where the text encoder of a model is."""
    return model.with_name(model.stem + SUFFIX)


def write_encoder(
    model: Path, encoder: onnx.ModelProto, tokenizer: str, metadata: Mapping[str, object]
) -> str:
    """Write the three files; returns the SHA-256 of the graph, which the vocabulary names.

    Args:
        model: path of the detector's model that they are for.
        encoder: from tokens to embeddings; its tensors are moved out of it.
        tokenizer: text of its file.
        metadata: `prompt_model`, `context_length`, ...; the hash of the weights is added.
    """
    path = encoder_path(model)
    data = path.with_name(path.name + DATA_SUFFIX)
    data.unlink(missing_ok=True)  # it would be appended to
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        encoder, str(path), save_as_external_data=True, all_tensors_to_one_file=True,
        location=data.name, size_threshold=_SMALLEST_OUTSIDE,
    )  # fmt: skip
    graph = onnx.load(str(path), load_external_data=False)
    entries = {key: str(value) for key, value in metadata.items()}
    onnx.helper.set_model_props(graph, entries | {"weights_sha256": sha256_of(data)})
    onnx.save(graph, str(path))
    tokens = model.with_name(model.stem + TOKENS_SUFFIX)
    draft = tokens.with_name(f".{tokens.name}.tmp")
    draft.write_text(tokenizer, encoding="utf-8")
    os.replace(draft, tokens)
    return sha256_of(path)

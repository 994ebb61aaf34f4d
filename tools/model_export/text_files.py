"""Networks beside a model, for words and examples: graph, weights, tokenizer."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import onnx

from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.side_network import DATA_SUFFIX
from semantic_detection_pkg.detector.backends.text_encoder import SUFFIX, TOKENS_SUFFIX

_SMALLEST_OUTSIDE = 1024  # bytes of a tensor that is kept outside the graph


def encoder_path(model: Path) -> Path:
    """Return where the text encoder of a model is."""
    return model.with_name(model.stem + SUFFIX)


def write_network(path: Path, network: onnx.ModelProto, metadata: Mapping[str, object]) -> str:
    """Write a network that lies beside a model, its weights apart; returns the graph's SHA-256.

    Args:
        path: of the graph.
        network: its tensors are moved out of it.
        metadata: `prompt_model`, ...; the hash of the weights is added.
    """
    data = path.with_name(path.name + DATA_SUFFIX)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own: the library refuses one that is in the working directory, whatever
    # the folder, and would append to one that is there.
    draft = data.with_name(f".{uuid.uuid4().hex}")
    onnx.save(
        network, str(path), save_as_external_data=True, all_tensors_to_one_file=True,
        location=draft.name, size_threshold=_SMALLEST_OUTSIDE,
    )  # fmt: skip
    os.replace(draft, data)
    graph = onnx.load(str(path), load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = data.name
    entries = {key: str(value) for key, value in metadata.items()}
    onnx.helper.set_model_props(graph, entries | {"weights_sha256": sha256_of(data)})
    onnx.save(graph, str(path))
    return sha256_of(path)


def write_encoder(
    model: Path, encoder: onnx.ModelProto, tokenizer: str, metadata: Mapping[str, object]
) -> str:
    """Write a text encoder; returns the SHA-256 of the graph, which the vocabulary names.

    Args:
        model: path of the detector's model that it is for.
        encoder: from tokens to embeddings.
        tokenizer: text of its file.
        metadata: see `write_network`; `context_length`, `is_padded`.
    """
    digest = write_network(encoder_path(model), encoder, metadata)
    tokens = model.with_name(model.stem + TOKENS_SUFFIX)
    draft = tokens.with_name(f".{tokens.name}.tmp")
    draft.write_text(tokenizer, encoding="utf-8")
    os.replace(draft, tokens)
    return digest

"""The text encoder beside an exported YOLOE: written, and compared with PyTorch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from ultralytics import YOLOE

from model_export.text_encoder import (
    Encoder,
    encoder_graph,
    find_encoder,
    read_encoder,
    reference_embeddings,
)
from model_export.text_files import encoder_path, write_encoder
from model_export.text_int8 import Int8Loss, as_int8, int8_loss, size_of
from model_export.tokenizer_file import find_merges, tokenizer_json
from model_export.words import checkpoint_name
from model_export.yoloe import head_of
from semantic_detection_pkg.detector.backends.text_encoder import TextEncoder
from semantic_detection_pkg.detector.core.prompts import as_prompt

COSINE_LIMIT = 0.9999
_PROBES = (
    "person", "yellow raincoat", "child in a red jacket", "rope", "boots", "upturned canoe",
    "smoke", "a dog that wears a blue harness with a torch on it", "4x4", "n\u00e4ive tent",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TextSide:
    """The text side of a checkpoint.

    Attributes:
        encoder: without the checkpoint's own layer.
        tokenizer: text of its file.
        checkpoint: name.
    """

    encoder: Encoder
    tokenizer: str
    checkpoint: str

    def embed(self, yoloe: YOLOE, words: list[str]) -> NDArray[np.float32]:
        """Return (K, D) embeddings of words, by PyTorch; the head of `yoloe` is not fused."""
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokens = [tokenizer.encode(as_prompt(word)).ids for word in words]
        return reference_embeddings(self.encoder, head_of(yoloe.model), tokens)


def read_text_side(
    checkpoint: str, yoloe: YOLOE, encoder: str | None, merges: Path | None, seed: int
) -> TextSide | None:
    """Return the text side; None where no encoder is named and Ultralytics' file is not here.

    Args:
        checkpoint: path.
        yoloe: loaded from it.
        encoder: file; None: looked for where Ultralytics keeps it; "random".
        merges: of the tokenizer; None: of an installed package.
        seed: of random weights.

    Raises:
        ConfigurationError: a file is missing or no good.
    """
    path = encoder or find_encoder(str(yoloe.model.text_model), checkpoint)
    if path is None:
        return None
    tokenizer = tokenizer_json(merges or find_merges())
    return TextSide(read_encoder(path, seed), tokenizer, checkpoint_name(checkpoint))


def write_text_side(side: TextSide, yoloe: YOLOE, model: Path, is_int8: bool) -> str:
    """Write the encoder's files beside a model; returns the hash that its vocabulary names."""
    graph, metadata = encoder_graph(side.encoder, head_of(yoloe.model))
    if is_int8:
        graph = as_int8(graph)
    entries = {
        "description": "text encoder of YOLOE with the checkpoint's prompt layer behind it",
        "license": "the encoder's, and AGPL-3.0 (Ultralytics) of the prompt layer",
        "prompt_model": repr(side.checkpoint),
        "is_int8": is_int8,
        **metadata,
    }
    return write_encoder(model, graph, side.tokenizer, entries)


@dataclass(frozen=True)
class TextCheck:
    """What the written encoder was found to be.

    Attributes:
        cosine: least, between its embeddings and PyTorch's.
        size_bytes: of graph and weights.
        loss: by INT8; None: it is FP32.
    """

    cosine: float
    size_bytes: int
    loss: Int8Loss | None = None

    @property
    def is_good(self) -> bool:
        """Whether it is what PyTorch computes, as far as it is to be."""
        return self.loss is not None or self.cosine >= COSINE_LIMIT

    @property
    def lines(self) -> tuple[str, ...]:
        """For people."""
        limit = "" if self.loss is not None else f" (limit {COSINE_LIMIT:g})"
        size = f"{self.size_bytes / 1e6:.1f} MB, " if self.loss is None else ""
        said = f"{size}least cosine with PyTorch {self.cosine:.6f}{limit}"
        return (said,) if self.loss is None else (said, str(self.loss))


def check_text(side: TextSide, yoloe: YOLOE, model: Path, is_int8: bool) -> TextCheck:
    """Compare the encoder beside a model with PyTorch, and where it is INT8 with FP32."""
    graph = encoder_path(model)
    ours = TextEncoder(graph).encode([as_prompt(word) for word in _PROBES], side.checkpoint)
    theirs = side.embed(yoloe, list(_PROBES))
    cosine = float(np.min(np.sum(np.stack(list(ours.values())) * theirs, axis=1)))
    loss = _loss_by_int8(side, yoloe, model) if is_int8 else None
    return TextCheck(cosine, size_of(graph), loss)


def _loss_by_int8(side: TextSide, yoloe: YOLOE, model: Path) -> Int8Loss:
    """Return what the encoder beside a model lost by INT8, against the same in FP32."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / model.name
        write_text_side(side, yoloe, whole, is_int8=False)
        prompts = [as_prompt(word) for word in _PROBES]
        return int8_loss(encoder_path(model), encoder_path(whole), prompts, side.checkpoint)

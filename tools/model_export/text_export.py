"""The text encoder beside an exported YOLOE: written, and compared with PyTorch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
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
        graph = _as_int8(graph)
    entries = {
        "description": "text encoder of YOLOE with the checkpoint's prompt layer behind it",
        "license": "the encoder's, and AGPL-3.0 (Ultralytics) of the prompt layer",
        "prompt_model": repr(side.checkpoint),
        "is_int8": is_int8,
        **metadata,
    }
    return write_encoder(model, graph, side.tokenizer, entries)


def least_cosine(side: TextSide, yoloe: YOLOE, model: Path) -> float:
    """Return the smallest cosine between the written encoder's embeddings and PyTorch's."""
    encoder = TextEncoder(encoder_path(model))
    ours = encoder.encode([as_prompt(word) for word in _PROBES], side.checkpoint)
    theirs = side.embed(yoloe, list(_PROBES))
    return float(np.min(np.sum(np.stack(list(ours.values())) * theirs, axis=1)))


def _as_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights of matrix products and the table of tokens as INT8, products in INT8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(model, str(whole))
        quantize_dynamic(
            str(whole), str(small), weight_type=QuantType.QInt8, per_channel=True,
            op_types_to_quantize=["MatMul", "Gather"],
        )  # fmt: skip
        return onnx.load(str(small))

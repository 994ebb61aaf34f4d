"""A text encoder in INT8 by ONNX Runtime's dynamic quantisation, and what it loses by that."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from semantic_detection_pkg.detector.backends.side_network import DATA_SUFFIX
from semantic_detection_pkg.detector.backends.text_encoder import TextEncoder

_MB = 1e6


@dataclass(frozen=True)
class Int8Loss:
    """How an encoder in INT8 differs from the same in FP32.

    Attributes:
        size_bytes, whole_bytes: of graph and weights, INT8 and FP32.
        least_cosine, mean_cosine: between their embeddings of the same words.
        words: compared.
    """

    size_bytes: int
    whole_bytes: int
    least_cosine: float
    mean_cosine: float
    words: int

    def __str__(self) -> str:
        return (
            f"INT8, {self.size_bytes / _MB:.1f} MB instead of {self.whole_bytes / _MB:.1f}; cosine "
            f"with FP32 {self.least_cosine:.4f} at least, {self.mean_cosine:.4f} in the mean of "
            f"{self.words} words"
        )


def as_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with INT8 weights of matrix products and of the table of tokens.

    Products are computed in INT8, each with the range of its input; the rest stays FP32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(model, str(whole))
        quantize_dynamic(
            str(whole), str(small), weight_type=QuantType.QInt8, per_channel=True,
            op_types_to_quantize=["MatMul", "Gather"],
        )  # fmt: skip
        return onnx.load(str(small))


def int8_loss(int8: Path, whole: Path, prompts: Sequence[str], checkpoint: str) -> Int8Loss:
    """Return what an encoder's files lost, by the embeddings of some prompts.

    Args:
        int8, whole: graphs, with their weights and tokenizers beside them.
        checkpoint: that both are of.
    """
    rows = [
        np.stack(list(TextEncoder(graph).encode(prompts, checkpoint).values()))
        for graph in (int8, whole)
    ]
    cosines = np.sum(rows[0] * rows[1], axis=1)
    return Int8Loss(
        size_of(int8), size_of(whole), float(cosines.min()), float(cosines.mean()), len(prompts)
    )


def size_of(graph: Path) -> int:
    """Return the bytes of a network's files: graph and weights."""
    files = graph, graph.with_name(graph.name + DATA_SUFFIX)
    return sum(file.stat().st_size for file in files)

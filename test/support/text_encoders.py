"""A text encoder of YOLOE's architecture, small and with random weights, beside a prompt model."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import tiny_models
from model_export.text_files import write_encoder, write_network
from model_export.text_graph import text_model
from model_export.text_weights import PromptLayer, TextWeights, Weights, random_weights
from model_export.tokenizer_file import tokenizer_json
from onnx import TensorProto, helper, numpy_helper

MERGES = (
    "r a", "i n", "ra in", "c o", "a t</w>", "co at</w>", "y e", "l l", "ye ll", "o w</w>",
    "yell ow</w>", "r o", "ro p", "rop e</w>", "b o", "o t</w>", "bo ot</w>", "p e", "r s", "pe rs",
)  # fmt: skip
TOKENS = 2 * 256 + len(MERGES) + 2
PLACES = 20
CHECKPOINT = "tiny-1"
COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


def merges_file(folder: Path) -> Path:
    """Write a file of merges as CLIP's."""
    path = folder / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(gzip.compress("\n".join(("#version: 0.2", *MERGES, "")).encode()))
    return path


def small_weights(seed: int = 1, size: int = 3) -> TextWeights:
    """An encoder of 2 blocks of 24 channels and 3 heads."""
    return random_weights(seed, TOKENS, PLACES, 24, 2, size, heads=3)


def small_layer(seed: int = 1, size: int = 3) -> PromptLayer:
    """A prompt layer with random weights."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> Weights:
        return (0.3 * random.standard_normal(shape)).astype(np.float32)

    return PromptLayer(draw(4 * size, size), draw(4 * size), draw(size, 2 * size), draw(size))


def prompt_model_with_text(
    folder: Path, capacity: int = 8, seed: int = 1, stem: str = "prompts", layer_seed: int = 1
) -> Path:
    """Write `tiny_models.prompt_model`, its vocabulary of three colours, and a text encoder."""
    model = tiny_models.save(tiny_models.prompt_model(capacity), folder / f"{stem}.onnx")
    encoder = text_model(small_weights(seed), small_layer(layer_seed), {})
    metadata = {"prompt_model": repr(CHECKPOINT), "context_length": PLACES}
    digest = write_encoder(model, encoder, tokenizer_json(merges_file(folder)), metadata)
    shown = {"prompt_model": repr(CHECKPOINT), "kind": "features"}
    examples = write_network(folder / f"{stem}.example.onnx", example_network(), shown)
    arrays = tiny_models.prompt_side_file(COLOURS)
    np.savez(
        folder / f"{stem}.vocabulary.npz",
        **arrays, model=np.array(CHECKPOINT), text_encoder=np.array(digest),
        example_encoder=np.array(examples),
    )  # fmt: skip
    return model


def example_network() -> onnx.ModelProto:
    """An example is the mean colour inside the mask, as `tiny_models.prompt_model` sees it."""
    size, cell = tiny_models.SIZE, tiny_models.CELL
    cells = size // cell
    nodes = [
        helper.make_node("Mul", ["images", "ones"], ["pictures"]),
        helper.make_node(
            "AveragePool", ["pictures"], ["means"], kernel_shape=[cell] * 2, strides=[cell] * 2
        ),
        helper.make_node("Mul", ["means", "masks"], ["inside"]),
        helper.make_node("ReduceSum", ["inside", "axes"], ["sums"], keepdims=0),
        helper.make_node("Unsqueeze", ["sums", "one"], ["embeddings"]),
    ]
    values = {
        "ones": np.ones((1, 3, size, size), np.float32),
        "axes": np.array([2, 3]),
        "one": np.array([1]),
    }
    shapes = {"images": [1, 3, size, size], "masks": [1, 1, cells, cells]}
    graph = helper.make_graph(
        nodes,
        "example",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, one) for n, one in shapes.items()],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [1, 1, 3])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def picture_of(embedding: np.ndarray) -> np.ndarray:
    """A 64 x 64 BGR picture in whose middle is what a word of this embedding looks for.

    The colour whose product with the embedding is the largest: the channels that it has.
    """
    colour = 255 * np.clip(embedding / np.abs(embedding).max(), 0, 1)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = colour[::-1]
    return picture

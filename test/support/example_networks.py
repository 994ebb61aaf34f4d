"""YOLOE with visual prompts, of a few channels and with random weights: a detector, and its example
network by SAVPE or by features.

The structure is that of the paper (YOLOE, arXiv 2503.07465, "semantic-activated visual prompt
encoder") with the numbers of layers, the sizes of the kernels and the 16 groups that its
checkpoints have. Batch normalisation is folded into the convolutions, as an export does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tiny_models
from model_export.text_files import write_network
from numpy.typing import NDArray
from onnx import TensorProto, helper

HEIGHT, WIDTH = 64, 96  # of the input [px]: rows and columns must not be mistaken
STRIDES = (8, 16, 32)  # of the levels
ROWS, COLUMNS = HEIGHT // STRIDES[0], WIDTH // STRIDES[0]  # of the mask
GROUPS = 16  # of the embedding's channels, each with weights of its own over the places
SIZE = 48  # of an embedding
CAPACITY = 4  # words
CHECKPOINT = "small-1"
WORDS = ("rope", "tarp")
_IMAGES = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])

Array = NDArray[np.float32]
Kernel = tuple[Array, Array]  # weights (out, in, side, side), bias (out)


@dataclass(frozen=True)
class SavpeWeights:
    """Of the visual prompt encoder; a tuple has one entry for each level.

    Attributes:
        content: two convolutions after each other, 3x3.
        embedding: from all levels' content to the embedding's channels, 1x1.
        places: a convolution, 1x1.
        activation: from all levels' places to the groups, 3x3.
        mask: from the mask to the groups, 3x3.
        mixing: two convolutions after each other, 3x3, from activation and mask to the groups.
    """

    content: tuple[tuple[Kernel, Kernel], ...]
    embedding: Kernel
    places: tuple[Kernel, ...]
    activation: Kernel
    mask: Kernel
    mixing: tuple[Kernel, Kernel]


@dataclass(frozen=True)
class SmallYoloe:
    """All weights.

    Attributes:
        backbone: convolutions of stride 2, 3x3; the levels are what the last three put out.
        classes: of each level, 3x3: what the head compares with words, before the fold.
        fold: arrays of the vocabulary file, see `detector.core.vocabulary`.
    """

    backbone: tuple[Kernel, ...]
    classes: tuple[Kernel, ...]
    fold: dict[str, Array]
    savpe: SavpeWeights


def small_yoloe(seed: int = 5) -> SmallYoloe:
    """Draw weights under which pictures, places and masks tell themselves apart."""
    random = np.random.default_rng(seed)

    def kernel(inside: int, outside: int, side: int, gain: float = 2.4) -> Kernel:
        weights = random.standard_normal((outside, inside, side, side))
        weights *= gain / np.sqrt(inside * side * side)
        return weights.astype(np.float32), random.normal(0, 0.2, outside).astype(np.float32)

    stages, inner, channels = (3, 6, 8, 10, 12, 16), 9, 14
    levels = stages[-len(STRIDES) :]
    savpe = SavpeWeights(
        tuple((kernel(one, inner, 3), kernel(inner, inner, 3)) for one in levels),
        kernel(len(levels) * inner, SIZE, 1),
        tuple(kernel(one, inner, 1) for one in levels),
        kernel(len(levels) * inner, GROUPS, 3),
        kernel(1, GROUPS, 3, 3.0),
        (kernel(2 * GROUPS, GROUPS, 3), kernel(GROUPS, GROUPS, 3, 4.0)),
    )
    folded = random.standard_normal((len(levels), SIZE, channels)) / np.sqrt(channels)
    fold = {
        "fold_w": folded.astype(np.float32),
        "fold_b": random.normal(0, 0.1, (len(levels), SIZE)).astype(np.float32),
        "gain": np.array([4.1, 3.3, 5.2], np.float32),
        "bias": np.array([-1.5, -1.1, -2.0], np.float32),
    }
    pairs = zip(stages[:-1], stages[1:], strict=True)
    backbone = tuple(kernel(*pair, 3) for pair in pairs)
    return SmallYoloe(backbone, tuple(kernel(one, channels, 3) for one in levels), fold, savpe)


def write_model(folder: Path, yoloe: SmallYoloe, kind: str = "savpe") -> Path:
    """Write detector, vocabulary and example network, as one export; returns the detector's path.

    Args:
        kind: of the example network: "savpe" or "features".
    """
    model = tiny_models.save(detector_model(yoloe), folder / "small.onnx")
    network = {"savpe": savpe_model, "features": features_model}[kind](yoloe)
    metadata = {"prompt_model": repr(CHECKPOINT), "kind": kind}
    digest = write_network(folder / "small.example.onnx", network, metadata)
    vectors = np.random.default_rng(11).standard_normal((len(WORDS), SIZE))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.savez(
        folder / "small.vocabulary.npz",
        names=np.array(WORDS), embeddings=vectors.astype(np.float32), **yoloe.fold,
        model=np.array(CHECKPOINT), example_encoder=np.array(digest),
    )  # fmt: skip
    return model


def anchor_boxes() -> NDArray[np.float32]:
    """(anchors, 4) cx, cy, w, h [px]: the cell of each place, finest level first, row by row."""
    found = []
    for stride in STRIDES:
        x, y = np.meshgrid(
            np.arange(stride / 2, WIDTH, stride), np.arange(stride / 2, HEIGHT, stride)
        )
        side = np.full(x.size, stride)
        found.append(np.stack((x.ravel(), y.ravel(), side, side), axis=1))
    return np.concatenate(found).astype(np.float32)


def detector_model(yoloe: SmallYoloe) -> onnx.ModelProto:
    """The detector: boxes and scores of all anchors, classes as inputs."""
    graph = tiny_models.Graph()
    flat = graph.constant("flat", [0, 0, -1])
    scores = []
    for level, features in enumerate(_levels(graph, yoloe)):
        kernel = yoloe.classes[level]
        _silu(graph, f"class{level}", _convolved(graph, f"class{level}", features, kernel))
        graph.add("Reshape", [f"class{level}_silu", flat], f"class{level}_flat")
        place = graph.constant(f"level{level}", np.int64(level))
        graph.add("Gather", ["cls_w", place], f"weights{level}", axis=0)
        graph.add("Gather", ["cls_b", place], f"biases{level}", axis=0)
        last = graph.constant(f"last{level}", [1])
        graph.add("Unsqueeze", [f"biases{level}", last], f"column{level}")
        graph.add("MatMul", [f"weights{level}", f"class{level}_flat"], f"products{level}")
        scores.append(graph.add("Add", [f"products{level}", f"column{level}"], f"logits{level}"))
    graph.add("Concat", scores, "logits", axis=2)
    graph.add("Sigmoid", ["logits"], "scores")
    boxes = anchor_boxes()
    graph.add("Concat", [graph.constant("boxes", boxes.T[None]), "scores"], "output0", axis=1)
    inputs = {
        "cls_w": [len(STRIDES), CAPACITY, yoloe.fold["fold_w"].shape[2]],
        "cls_b": [len(STRIDES), CAPACITY],
    }
    shape = [1, 4 + CAPACITY, len(boxes)]
    return graph.build(
        [_IMAGES, *(_tensor(name, one) for name, one in inputs.items())],
        [_tensor("output0", shape)],
        {"task": "detect", "imgsz": repr([HEIGHT, WIDTH])},
    )


def savpe_model(
    yoloe: SmallYoloe, mask_size: tuple[int | str, int | str] = (ROWS, COLUMNS)
) -> onnx.ModelProto:
    """The example network; `mask_size` is what it says of its mask."""
    graph, weights = tiny_models.Graph(), yoloe.savpe
    content, places = [], []
    for level, features in enumerate(_levels(graph, yoloe)):
        name, (first, second) = f"content{level}", weights.content[level]
        value = _silu(graph, f"{name}a", _convolved(graph, f"{name}a", features, first))
        value = _silu(graph, f"{name}b", _convolved(graph, f"{name}b", value, second))
        content.append(_grown(graph, name, value, 2**level))
        value = _convolved(graph, f"place{level}", features, weights.places[level])
        value = _silu(graph, f"place{level}", value)
        places.append(_grown(graph, f"place{level}", value, 2**level))
    graph.add("Concat", content, "all_content", axis=1)
    _convolved(graph, "values", "all_content", weights.embedding)
    graph.add("Concat", places, "all_places", axis=1)
    _convolved(graph, "activation", "all_places", weights.activation)
    _convolved(graph, "mask", "masks", weights.mask)
    graph.add("Concat", ["activation_conv", "mask_conv"], "both", axis=1)
    value = _silu(graph, "mixed", _convolved(graph, "mixed", "both", weights.mixing[0]))
    _convolved(graph, "score", value, weights.mixing[1])
    _add_shares(graph)
    places_count, part = ROWS * COLUMNS, SIZE // GROUPS
    graph.constant("grouped", [1, GROUPS, part, places_count])
    graph.add("Reshape", ["values_conv", "grouped"], "value_groups")
    graph.add("Unsqueeze", ["shares", graph.constant("last", [3])], "share_columns")
    graph.add("MatMul", ["value_groups", "share_columns"], "aggregated")
    graph.add("Reshape", ["aggregated", graph.constant("row", [1, 1, SIZE])], "embedding")
    return _with_length_1(graph, mask_size)


def features_model(yoloe: SmallYoloe) -> onnx.ModelProto:
    """The example network of checkpoints without SAVPE: what the head compares, inside the mask."""
    graph = tiny_models.Graph()
    across = graph.constant("across", [2, 3])
    means = []
    for level, features in enumerate(_levels(graph, yoloe)):
        name = f"class{level}"
        value = _silu(graph, name, _convolved(graph, name, features, yoloe.classes[level]))
        fold = yoloe.fold["fold_w"][level][:, :, None, None], yoloe.fold["fold_b"][level]
        value = _convolved(graph, f"compared{level}", value, fold)
        graph.add("ReduceL2", [value], f"length{level}", axes=[1], keepdims=1)
        graph.add("Div", [value, f"length{level}"], f"unit{level}")
        side = [2**level] * 2
        graph.add("AveragePool", ["masks"], f"inside{level}", kernel_shape=side, strides=side)
        graph.add("Mul", [f"unit{level}", f"inside{level}"], f"kept{level}")
        graph.add("ReduceSum", [f"kept{level}", across], f"sum{level}", keepdims=0)
        graph.add("ReduceSum", [f"inside{level}", across], f"weight{level}", keepdims=0)
        means.append(graph.add("Div", [f"sum{level}", f"weight{level}"], f"mean{level}"))
    graph.add("Sum", means, "sums")
    graph.add("Unsqueeze", ["sums", graph.constant("query", [1])], "embedding")
    return _with_length_1(graph, (ROWS, COLUMNS))


def _levels(graph: tiny_models.Graph, yoloe: SmallYoloe) -> list[str]:
    value, found = "images", []
    for index, kernel in enumerate(yoloe.backbone):
        name = f"stage{index}"
        value = _silu(graph, name, _convolved(graph, name, value, kernel, stride=2))
        found.append(value)
    return found[-len(STRIDES) :]


def _add_shares(graph: tiny_models.Graph) -> None:
    """Softmax over the masked places, in the way of a trace: the others get the lowest number."""
    graph.constant("flat", [0, 0, -1])
    graph.add("Reshape", ["score_conv", "flat"], "scores")
    graph.add("Reshape", ["masks", "flat"], "mask_row")
    graph.add("Cast", ["mask_row"], "is_inside", to=TensorProto.BOOL)
    graph.add("Not", ["is_inside"], "is_outside")
    graph.add("Cast", ["is_outside"], "outside", to=TensorProto.FLOAT)
    lowest = graph.constant("lowest", np.float32(np.finfo(np.float32).min))
    graph.add("Mul", ["outside", lowest], "lowered")
    graph.add("Mul", ["scores", "mask_row"], "scores_inside")
    graph.add("Add", ["scores_inside", "lowered"], "masked_scores")
    graph.add("Softmax", ["masked_scores"], "shares", axis=-1)


def _with_length_1(
    graph: tiny_models.Graph, mask_size: tuple[int | str, int | str]
) -> onnx.ModelProto:
    graph.add("ReduceL2", ["embedding"], "length", axes=[-1], keepdims=1)
    graph.add("Clip", ["length", graph.constant("shortest", np.float32(1e-12))], "divisor")
    graph.add("Div", ["embedding", "divisor"], "embeddings")
    inputs = [_IMAGES, _tensor("masks", [1, 1, *mask_size])]
    return graph.build(inputs, [_tensor("embeddings", [1, 1, SIZE])], {})


def _convolved(
    graph: tiny_models.Graph, name: str, value: str, kernel: Kernel, stride: int = 1
) -> str:
    weights, bias = (
        graph.constant(f"{name}_{part}", array) for part, array in zip("wb", kernel, strict=True)
    )
    side = kernel[0].shape[2]
    return graph.add(
        "Conv", [value, weights, bias], f"{name}_conv",
        kernel_shape=[side] * 2, pads=[side // 2] * 4, strides=[stride] * 2,
    )  # fmt: skip


def _silu(graph: tiny_models.Graph, name: str, value: str) -> str:
    graph.add("Sigmoid", [value], f"{name}_sigmoid")
    return graph.add("Mul", [value, f"{name}_sigmoid"], f"{name}_silu")


def _grown(graph: tiny_models.Graph, name: str, value: str, factor: int) -> str:
    """Each place as `factor` x `factor` places."""
    if factor == 1:
        return value
    scales = graph.constant(f"{name}_scales", np.array([1, 1, factor, factor], np.float32))
    return graph.add(
        "Resize", [value, "", scales], f"{name}_grown",
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

"""Puts the open branch into the detector's ONNX file, and writes the example network beside it.

The detector's own nodes and weights stay as they are. `cls_w` gets `SIZE` more channels, which meet
the branch's description of an anchor; what they add to a score is exactly 0 where a word has zeros
in them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from model_export.onnx_file import export_onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from demo_training.bare_graph import (
    PREFIX,
    WORD_CHANNELS,
    replace,
    set_channels,
    without_branch,
)
from demo_training.frozen import TENSORS
from demo_training.network import CLASS_CHANNELS, STRIDES
from demo_training.open_branch import CONSTANT, SHARE, SIZE, OpenBranch
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH

_MASK_STRIDE = 8
_PARTS = ("words", "rest", "reached", "sum")  # tensors that join the branch to a level
_SMALLEST_HALVED = 1024  # numbers of a tensor


class _Described(nn.Module):
    """The branch as it goes into the detector."""

    def __init__(self, branch: OpenBranch) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        mixed = self.branch.mix(dict(zip(TENSORS, tensors, strict=True)))
        return tuple(one.reshape(1, SIZE, -1) for one in self.branch.describe(mixed))


class _Shown(nn.Module):
    """The branch as it goes into the example network; `before`: numbers of the words' part."""

    def __init__(self, branch: OpenBranch, before: int) -> None:
        super().__init__()
        self.branch = branch
        self.register_buffer("before", torch.zeros(1, 1, before))
        self.register_buffer("constant", torch.full((1, 1, 1), CONSTANT))

    def forward(self, masks: Tensor, *tensors: Tensor) -> Tensor:
        mixed = self.branch.mix(dict(zip(TENSORS, tensors, strict=True)))
        vector = SHARE * self.branch.pool(mixed, masks)
        return torch.cat([self.before, vector, self.constant], dim=2)


def with_branch(model: onnx.ModelProto, branch: OpenBranch) -> onnx.ModelProto:
    """Return the detector with a branch; one that it has is replaced."""
    made = without_branch(model)
    places = _class_products(made)
    names = [f"{PREFIX}described{level}" for level in range(len(STRIDES))]
    graph = _exported(_Described(branch), _tensors(), list(TENSORS), names)
    _graft(made, graph, {key: name for key, (name, _, _) in TENSORS.items()})
    for name, value in {
        "first": 0,
        WORD_CHANNELS: CLASS_CHANNELS,
        "last": CLASS_CHANNELS + SIZE,
        "axis": 1,
    }.items():
        value_of = numpy_helper.from_array(np.array([value], np.int64), PREFIX + name)
        made.graph.initializer.append(value_of)
    node = helper.make_node
    for level, (product, add) in enumerate(places):
        weights, own = product.input[0], [f"{PREFIX}{part}{level}" for part in _PARTS]
        ends = [PREFIX + name for name in ("first", WORD_CHANNELS, "last", "axis")]
        made.graph.node.extend(
            [
                node("Slice", [weights, ends[0], ends[1], ends[3]], [own[0]], own[0]),
                node("Slice", [weights, ends[1], ends[2], ends[3]], [own[1]], own[1]),
                node("MatMul", [own[1], names[level]], [own[2]], own[2]),
                node("Add", [product.output[0], own[2]], [own[3]], own[3]),
            ]
        )
        place = list(add.input).index(product.output[0])
        product.input[0], add.input[place] = own[0], own[3]
    set_channels(made, CLASS_CHANNELS + SIZE)
    _sort(made)
    del made.graph.value_info[:]
    onnx.checker.check_model(made, full_check=True)
    return made


def example_network(model: onnx.ModelProto, branch: OpenBranch, words: int) -> onnx.ModelProto:
    """Return the network from `images` and `masks` to `embeddings` (1, 1, words + SIZE + 1).

    Its weights are half as wide as the detector's: an example is a direction, to 0.001.
    """
    bare = onnx.shape_inference.infer_shapes(without_branch(model))
    extractor = onnx.utils.Extractor(bare)
    made = extractor.extract_model(["images"], [name for name, _, _ in TENSORS.values()])
    masks = torch.ones(1, 1, INPUT_HEIGHT // _MASK_STRIDE, INPUT_WIDTH // _MASK_STRIDE)
    graph = _exported(
        _Shown(branch, words), (masks, *_tensors()), ["masks", *TENSORS], ["embeddings"]
    )
    _graft(made, graph, {key: name for key, (name, _, _) in TENSORS.items()})
    made.graph.input.append(next(one for one in graph.graph.input if one.name == "masks"))
    replace(made.graph.output, list(graph.graph.output))
    del made.metadata_props[:], made.graph.value_info[:]
    _halve(made)
    _sort(made)
    onnx.checker.check_model(made, full_check=True)
    return made


def open_vocabulary(
    arrays: dict[str, NDArray], branch: OpenBranch, words: int
) -> dict[str, NDArray]:
    """Return the side file's arrays with the numbers of examples behind those of words."""
    gain = arrays["gain"]
    if not np.allclose(branch.bias.numpy(), arrays["bias"]):
        raise ValueError("the branch was trained for another head")
    levels, size = len(gain), words + SIZE + 1
    embeddings = np.zeros((len(arrays["embeddings"]), size), np.float32)
    embeddings[:, :words] = arrays["embeddings"][:, :words]
    fold_w = np.zeros((levels, size, CLASS_CHANNELS + SIZE), np.float32)
    fold_b = np.zeros((levels, size), np.float32)
    fold_w[:, :words, :CLASS_CHANNELS] = arrays["fold_w"][:, :words, :CLASS_CHANNELS]
    fold_b[:, :words] = arrays["fold_b"][:, :words]
    fold_w[:, words:-1, CLASS_CHANNELS:] = np.eye(SIZE) / gain[:, None, None]
    fold_b[:, -1] = branch.against_constant().detach().numpy() / gain
    return {**arrays, "embeddings": embeddings, "fold_w": fold_w, "fold_b": fold_b}


def _class_products(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Return what multiplies by `cls_w`, and what adds `cls_b` to it, by level."""
    maker = {output: node for node in model.graph.node for output in node.output}
    found = []
    for node in model.graph.node:
        weights = maker.get(node.input[0]) if node.op_type == "MatMul" else None
        if weights is not None and weights.op_type == "Gather" and weights.input[0] == "cls_w":
            add = next(one for one in model.graph.node if node.output[0] in one.input)
            found.append((node, add))
    if len(found) != len(STRIDES):
        raise ValueError(f"is not the demo's detector: {len(found)} products with cls_w")
    return found


def _tensors() -> tuple[Tensor, ...]:
    return tuple(
        torch.zeros(1, channels, INPUT_HEIGHT // stride, INPUT_WIDTH // stride)
        for _, channels, stride in TENSORS.values()
    )


def _exported(
    network: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str]
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "branch.onnx"
        export_onnx(network.eval(), inputs, (names, outputs), path, {})
        return onnx.load(str(path))


def _graft(model: onnx.ModelProto, branch: onnx.ModelProto, inputs: dict[str, str]) -> None:
    """Add a branch's nodes and weights under names of their own; its inputs are tensors here."""
    outputs = {one.name for one in (*branch.graph.output, *branch.graph.input)}

    def renamed(name: str) -> str:
        if not name or name in outputs - inputs.keys():
            return name
        return inputs.get(name) or PREFIX + name.lstrip("/")

    for node in branch.graph.node:
        copy = model.graph.node.add()
        copy.CopyFrom(node)
        copy.name = PREFIX + node.name.lstrip("/")
        for ends in (copy.input, copy.output):
            for index, name in enumerate(ends):
                ends[index] = renamed(name)
    for weights in branch.graph.initializer:
        copy_of = model.graph.initializer.add()
        copy_of.CopyFrom(weights)
        copy_of.name = renamed(weights.name)


def _halve(model: onnx.ModelProto) -> None:
    """Keep large weights as float16; the runtime widens them when it opens the file."""
    for weights in model.graph.initializer:
        value = numpy_helper.to_array(weights)
        if value.dtype == np.float32 and value.size >= _SMALLEST_HALVED:
            name = weights.name
            half = numpy_helper.from_array(value.astype(np.float16), f"{name}_half")
            weights.CopyFrom(half)
            cast = helper.make_node(
                "Cast", [half.name], [name], f"{PREFIX}{name}_wide", to=onnx.TensorProto.FLOAT
            )
            model.graph.node.append(cast)


def _sort(model: onnx.ModelProto) -> None:
    """Order nodes so that each comes after what it reads, else as they are."""
    known = {one.name for one in (*model.graph.input, *model.graph.initializer)} | {""}
    waiting, ordered = list(model.graph.node), []
    while waiting:
        rest = []
        for node in waiting:
            if known.issuperset(node.input):
                known.update(node.output)
                ordered.append(node)
            else:
                rest.append(node)
        if len(rest) == len(waiting):
            raise ValueError(f"{rest[0].name}: reads what nothing makes")
        waiting = rest
    replace(model.graph.node, ordered)

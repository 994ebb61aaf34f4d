"""The demo's detector without its open branch: what it was before one was put in."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any

import onnx
from onnx import numpy_helper

PREFIX = "/open/"  # of all names that the branch brings
WORD_CHANNELS = "word_channels"  # of the branch's constants: channels of `cls_w` without it


def without_branch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the detector as it was before a branch was put in; may be without one already."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    maker = {output: node for node in model.graph.node for output in node.output}
    kept = [node for node in bare.graph.node if not node.name.startswith(PREFIX)]
    for node in kept:
        for index, name in enumerate(node.input):
            if name.startswith(PREFIX):
                node.input[index] = maker[name].input[0]
    (channels,) = next(
        (
            numpy_helper.to_array(one).tolist()
            for one in bare.graph.initializer
            if one.name == PREFIX + WORD_CHANNELS
        ),
        (None,),
    )
    weights = [one for one in bare.graph.initializer if not one.name.startswith(PREFIX)]
    replace(bare.graph.node, kept)
    replace(bare.graph.initializer, weights)
    if channels is not None:
        set_channels(bare, channels)
    return bare


def replace(field: MutableSequence[Any], values: Sequence[Any]) -> None:
    """Put copies of messages in place of those of a repeated field."""
    copies = []
    for value in values:
        copy = type(value)()
        copy.CopyFrom(value)
        copies.append(copy)
    del field[:]
    field.extend(copies)


def set_channels(model: onnx.ModelProto, channels: int) -> None:
    """Say how many channels `cls_w` has."""
    weights = next(one for one in model.graph.input if one.name == "cls_w")
    weights.type.tensor_type.shape.dim[2].dim_value = channels

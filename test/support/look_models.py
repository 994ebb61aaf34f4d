"""A small model whose examples a second look compares: a cut is its mean colour's direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import text_encoders
from model_export.text_files import write_network
from onnx import TensorProto, helper, numpy_helper

CUT_PX, MARGIN = 16, 1.0
LIKENESS = (200.0, 0.985)


def look_model(folder: Path, capacity: int = 8) -> Path:
    """Write `text_encoders.prompt_model_with_text` with such a network; whatever is no black is a
    thing, and two colours are alike from a cosine of 0.985 on."""
    model = text_encoders.prompt_model_with_text(folder, capacity)
    metadata = {"prompt_model": repr(text_encoders.CHECKPOINT), "crop_margin": MARGIN}
    digest = write_network(model.with_name(f"{model.stem}.example.onnx"), look_network(), metadata)
    change_vocabulary(
        model,
        thing=np.ones(3, np.float32),
        likeness=np.array(LIKENESS, np.float32),
        example_encoder=np.array(digest),
    )
    return model


def change_vocabulary(model: Path, **arrays: np.ndarray) -> None:
    """Write other arrays into a model's side file."""
    path = model.with_name(f"{model.stem}.vocabulary.npz")
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    np.savez(path, **(kept | arrays))


def look_network(output: str = "embeddings") -> onnx.ModelProto:
    """From cuts (n, 3, CUT_PX, CUT_PX) to (n, 3)."""
    nodes = [
        helper.make_node("ReduceMean", ["crops"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "ones"], ["colours"]),
        helper.make_node("LpNormalization", ["colours"], [output], axis=1, p=2),
    ]
    # Larger than what stays in the graph: the weights have a file of their own.
    ones = numpy_helper.from_array(np.ones((1, 3), np.float32), "ones")
    spare = numpy_helper.from_array(np.zeros(1024, np.float32), "spare")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "look",
        [value("crops", TensorProto.FLOAT, ["batch", 3, CUT_PX, CUT_PX])],
        [value(output, TensorProto.FLOAT, ["batch", 3])],
        [ones, spare],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

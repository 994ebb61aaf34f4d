"""Writes the demo's side of examples: branch, vocabulary, example network, wider text side.

What was measured of the detector stays true only while it says the same of its words. So the file
of before is compared with the new one on pictures, and the curves go over to it where nothing, not
the last bit, has changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from make_fast_demo_model import resized
from model_export.text_files import encoder_path, write_network
from numpy.typing import NDArray
from onnx import numpy_helper

from demo_training.bare_graph import without_branch
from demo_training.export import DETECTOR_FILE
from demo_training.network import CLASS_CHANNELS, EMBEDDING_SIZE
from demo_training.open_branch import OpenBranch
from demo_training.open_export import CHECKPOINT
from demo_training.open_graph import example_network, open_vocabulary, with_branch
from semantic_detection_pkg.detector.backends.curve_file import curve_path
from semantic_detection_pkg.detector.backends.example_encoder import SUFFIX as EXAMPLE_SUFFIX
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.variants import fast_path
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX

_WIDENED = "named"  # of the text side's graph: embeddings of the known words


def export_examples(
    branch: OpenBranch, folder: Path, pictures: Sequence[NDArray[np.uint8]]
) -> Path:
    """Put the branch into the models of a folder, and all that goes with it beside them.

    Args:
        branch: trained.
        folder: with the detector, its fast variant, vocabulary, text side and curves.
        pictures: (h, w, 3) RGB, of the input's size, on which it must say the same as before.

    Returns:
        The example network's path.

    Raises:
        ValueError: the detector says something else of its words than before.
    """
    path = folder / DETECTOR_FILE
    before = without_branch(onnx.load(str(path)))
    made = with_branch(before, branch)
    _check_same(before, made, pictures)
    graph = path.with_name(path.stem + EXAMPLE_SUFFIX)
    metadata = {
        "author": "semantic detection maintainers",
        "description": "Examples for the demo detector",
        "license": "Apache-2.0",
        "prompt_model": CHECKPOINT,
        "kind": "trained",
    }
    vocabulary = path.with_name(path.stem + SIDE_FILE_SUFFIX)
    with np.load(vocabulary) as file:
        arrays = dict(file)
    arrays = open_vocabulary(arrays, branch, EMBEDDING_SIZE)
    network = example_network(before, branch, EMBEDDING_SIZE)
    arrays["example_encoder"] = np.array(write_network(graph, network, metadata))
    if encoder_path(path).exists():
        arrays["text_encoder"] = np.array(_widen_text_side(path, arrays["embeddings"].shape[1]))
    np.savez_compressed(vocabulary, **arrays)
    onnx.save(made, str(path))
    _keep_curve(path)
    height, width = _size(fast_path(path))
    fast = resized(made, height, width)
    fast_path(path).write_bytes(fast.SerializeToString(deterministic=True))
    _keep_curve(fast_path(path))
    return graph


def _check_same(
    before: onnx.ModelProto, made: onnx.ModelProto, pictures: Sequence[NDArray[np.uint8]]
) -> None:
    """Compare all outputs, for words drawn by lot; zeros where the new one has more channels."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    old, new = (
        onnxruntime.InferenceSession(model.SerializeToString(), options) for model in (before, made)
    )
    rng = np.random.default_rng(0)
    shapes = {value.name: value.shape for value in new.get_inputs()}
    for number, picture in enumerate(pictures):
        weights = np.zeros(shapes["cls_w"], np.float32)
        weights[..., :CLASS_CHANNELS] = rng.normal(0.0, 0.5, (*weights.shape[:2], CLASS_CHANNELS))
        tensor = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        biases = rng.normal(-4.0, 2.0, shapes["cls_b"]).astype(np.float32)
        inputs = {"images": tensor / np.float32(255), "cls_b": biases}
        one = old.run(None, {**inputs, "cls_w": weights[..., :CLASS_CHANNELS].copy()})
        other = new.run(None, {**inputs, "cls_w": weights})
        for first, second in zip(one, other, strict=True):
            if not np.array_equal(first, second):
                most = np.abs(first - second).max()
                raise ValueError(f"picture {number}: outputs differ by {most:.3g}: measure anew")


def _widen_text_side(model: Path, size: int) -> str:
    """Give the embeddings of words zeros where examples have numbers; returns the graph's hash."""
    path = encoder_path(model)
    network = onnx.load(str(path))
    metadata = {one.key: one.value for one in network.metadata_props}
    del metadata["weights_sha256"]
    for weights in network.graph.initializer:
        if weights.name == _WIDENED:
            value = numpy_helper.to_array(weights)[:, :EMBEDDING_SIZE]
            wide = np.pad(value, ((0, 0), (0, size - EMBEDDING_SIZE)))
            weights.CopyFrom(numpy_helper.from_array(wide, _WIDENED))
    network.graph.output[0].type.tensor_type.shape.dim[1].dim_value = size
    return write_network(path, network, metadata)


def _keep_curve(model: Path) -> None:
    """Say in the file of curves beside a model that they are of it."""
    path = curve_path(model)
    if path.exists():
        document = json.loads(path.read_text())
        document["model"]["sha256"] = sha256_of(model)
        path.write_text(json.dumps(document, indent=1) + "\n")


def _size(model: Path) -> tuple[int, int]:
    """Return height and width of a model's pictures [px]."""
    inputs = {one.name: one for one in onnx.load(str(model)).graph.input}
    height, width = inputs["images"].type.tensor_type.shape.dim[2:]
    return height.dim_value, width.dim_value

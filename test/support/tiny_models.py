"""Segmentation models of a few nodes, in every layout that the detector reads.

`colour_model` really looks at its picture: each 8 x 8 cell of the input is a detection whose
scores are how red, green and blue it is, and masks are where the picture is bright.
`constant_model` says what it is told, whatever it sees. `prompt_model` takes its classes as an
input.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

COLOURS = ("red", "green", "blue")
MASK_CHANNELS = 32
SIZE = 64  # of the input [px]
CELL = 8  # side of a detection's cell [px]
BOX = 12.0  # side of its box [px]
ANCHORS = (SIZE // CELL) ** 2
ROWS = 20
BRIGHT = 1 / 6  # mean of R, G, B above which a pixel belongs to a mask: half a pure colour
_OPSET = 17
_IR_VERSION = 9


def colour_model(layout: str, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """The same detections as `raw`, `end_to_end` or `embedded_nms` (confidence 0.25, IoU 0.7).

    Args:
        layout: one of the three.
        metadata: left out: what Ultralytics writes for this layout; {}: none.
    """
    graph = Graph()
    anchors = _anchors()
    graph.add("AveragePool", ["images"], "cells", kernel_shape=[CELL] * 2, strides=[CELL] * 2)
    graph.add("Reshape", ["cells", graph.constant("flat", [1, 3, ANCHORS])], "scores")
    _add_prototypes(graph)
    if layout == "raw":
        graph.constant("boxes", anchors.T[None])
        graph.constant("coefficients", _coefficients().T[None])
        graph.add("Concat", ["boxes", "scores", "coefficients"], "output0", axis=1)
        shape = [1, 4 + len(COLOURS) + MASK_CHANNELS, ANCHORS]
    else:
        corners = np.concatenate((anchors[:, :2] - BOX / 2, anchors[:, :2] + BOX / 2), axis=1)
        graph.constant("corners", corners)
        graph.constant("coefficients", _coefficients())
        add_rows = {"end_to_end": _add_best_rows, "embedded_nms": _add_nms_rows}[layout]
        add_rows(graph)
        shape = [1, ROWS, 6 + MASK_CHANNELS]
    return graph.model(shape, ultralytics_metadata(layout) if metadata is None else metadata)


def ultralytics_metadata(layout: str, names: tuple[str, ...] = COLOURS) -> dict[str, str]:
    """The entries that tell the layout, as texts of Python literals."""
    nms = {"raw": None, "end_to_end": False, "embedded_nms": True}[layout]
    return {
        "task": "segment",
        "imgsz": repr([SIZE, SIZE]),
        "names": repr(dict(enumerate(names))),
        "end2end": repr(layout == "end_to_end"),
        "args": repr({"batch": 1, "nms": nms}),
    }


def constant_model(
    outputs: Mapping[str, NDArray[np.generic]],
    metadata: Mapping[str, str],
    *,
    input_shape: tuple[int | str, ...] = (1, 3, SIZE, SIZE),
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model with these outputs, whatever it sees."""
    graph = Graph()
    for name, value in outputs.items():
        graph.constant(f"{name}_value", value)
        graph.add("Identity", [f"{name}_value"], name)
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in outputs.items()
    ]
    picture = helper.make_tensor_value_info("images", dtype, list(input_shape))
    return graph.build([picture], values, metadata)


def prompt_model(
    capacity: int = 8, levels: int = 3, dtype: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """Classes are an input: the mean colour (R, G, B) of a cell meets the rows of `cls_w`.

    The first level is what counts: score = sigmoid(cls_w[0] @ colour + cls_b[0]).
    """
    graph = Graph()
    graph.add("AveragePool", ["images"], "cells", kernel_shape=[CELL] * 2, strides=[CELL] * 2)
    graph.add("Reshape", ["cells", graph.constant("flat", [3, ANCHORS])], "colours")
    level = graph.constant("level", np.array(0, np.int64))
    graph.add("Gather", ["cls_w", level], "weights", axis=0)
    graph.add("Gather", ["cls_b", level], "biases", axis=0)
    graph.add("Unsqueeze", ["biases", graph.constant("last", [1])], "bias_column")
    graph.add("MatMul", ["weights", "colours"], "products")
    graph.add("Add", ["products", "bias_column"], "logits")
    graph.add("Sigmoid", ["logits"], "flat_scores")
    graph.add("Unsqueeze", ["flat_scores", graph.constant("first", [0])], "scores")
    _add_prototypes(graph)
    graph.constant("boxes", _anchors().T[None])
    graph.constant("coefficients", _coefficients().T[None])
    graph.add("Concat", ["boxes", "scores", "coefficients"], "output0", axis=1)
    inputs = [
        helper.make_tensor_value_info("images", dtype, [1, 3, SIZE, SIZE]),
        helper.make_tensor_value_info("cls_w", dtype, [levels, capacity, 3]),
        helper.make_tensor_value_info("cls_b", dtype, [levels, capacity]),
    ]
    shape = [1, 4 + capacity + MASK_CHANNELS, ANCHORS]
    return graph.build(inputs, _outputs(shape), {"task": "segment", "imgsz": repr([SIZE, SIZE])})


def prompt_side_file(
    words: Mapping[str, tuple[float, float, float]], levels: int = 3
) -> dict[str, NDArray]:
    """Arrays of the side file that goes with `prompt_model`: a word is the direction of a colour.

    The fold scales: a cell of just that colour, full, scores sigmoid(10 * 1 - 5).
    """
    vectors = np.array(list(words.values()), np.float32)
    return {
        "names": np.array(list(words)),
        "embeddings": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "fold_w": np.stack([2 * np.eye(3, dtype=np.float32)] * levels),
        "fold_b": np.full((levels, 3), 0.0, np.float32),
        "gain": np.full(levels, 5.0, np.float32),
        "bias": np.full(levels, -5.0, np.float32),
    }


def without_masks(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model as a detect model: its detections end before the mask coefficients."""
    boxes = onnx.ModelProto()
    boxes.CopyFrom(model)
    graph = boxes.graph
    for node in graph.node:
        node.output[:] = ["with_masks" if name == "output0" else name for name in node.output]
    del graph.output[1]
    shape = graph.output[0].type.tensor_type.shape.dim
    axis = 1 if shape[2].dim_value == ANCHORS else 2
    shape[axis].dim_value -= MASK_CHANNELS
    values = {"first_box": [0], "end_box": [shape[axis].dim_value], "axis_box": [axis]}
    for name, value in values.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    graph.node.append(helper.make_node("Slice", ["with_masks", *values], ["output0"]))
    metadata = {entry.key: entry.value for entry in boxes.metadata_props}
    helper.set_model_props(boxes, metadata | ({"task": "detect"} if metadata else {}))
    onnx.checker.check_model(boxes)
    return boxes


def patches(*placed: tuple[tuple[int, int, int], tuple[int, int]]) -> NDArray[np.uint8]:
    """SIZE x SIZE px, black, with patches of 16 px: colour BGR, and x, y of the corner."""
    made = np.zeros((SIZE, SIZE, 3), np.uint8)
    for colour, (x, y) in placed:
        made[y : y + 16, x : x + 16] = colour
    return made


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model; returns the path."""
    path.write_bytes(model.SerializeToString())
    return path


class Graph:
    """Collects nodes and constants; names are values, as in ONNX."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: object) -> str:
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, detections_shape: list[int], metadata: Mapping[str, str]) -> onnx.ModelProto:
        picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
        return self.build([picture], _outputs(detections_shape), metadata)

    def build(
        self,
        inputs: list[onnx.ValueInfoProto],
        outputs: list[onnx.ValueInfoProto],
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        graph = helper.make_graph(self._nodes, "tiny", inputs, outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return model


def _outputs(detections_shape: list[int]) -> list[onnx.ValueInfoProto]:
    side = SIZE // 4
    return [
        helper.make_tensor_value_info("output0", TensorProto.FLOAT, detections_shape),
        helper.make_tensor_value_info("output1", TensorProto.FLOAT, [1, MASK_CHANNELS, side, side]),
    ]


def _anchors() -> NDArray[np.float32]:
    """(anchors, 4) cx, cy, w, h."""
    centres = np.arange(CELL / 2, SIZE, CELL, dtype=np.float32)
    x, y = np.meshgrid(centres, centres)
    side = np.full(ANCHORS, BOX, np.float32)
    return np.stack((x.ravel(), y.ravel(), side, side), axis=1)


def _coefficients() -> NDArray[np.float32]:
    """(anchors, channels): all take the first prototype."""
    coefficients = np.zeros((ANCHORS, MASK_CHANNELS), np.float32)
    coefficients[:, 0] = 1
    return coefficients


def _add_prototypes(graph: Graph) -> None:
    """The first prototype is brightness above `BRIGHT`, the others are zero."""
    side = SIZE // 4
    graph.add("AveragePool", ["images"], "quarter", kernel_shape=[4, 4], strides=[4, 4])
    graph.add("ReduceMean", ["quarter"], "grey", axes=[1], keepdims=1)
    graph.add("Sub", ["grey", graph.constant("bright", np.float32(BRIGHT))], "first_prototype")
    others = np.zeros((1, MASK_CHANNELS - 1, side, side), np.float32)
    graph.add("Concat", ["first_prototype", graph.constant("others", others)], "output1", axis=1)


def _add_best_rows(graph: Graph) -> None:
    """Rows of the best anchors by falling score, none left out for its score."""
    graph.add("Squeeze", ["scores", graph.constant("batch", [0])], "class_scores")
    graph.add("ReduceMax", ["class_scores"], "best", axes=[0], keepdims=0)
    graph.add("ArgMax", ["class_scores"], "best_class", axis=0, keepdims=0)
    graph._nodes.append(
        helper.make_node(
            "TopK", ["best", graph.constant("rows", [ROWS])], ["row_scores", "row_anchors"]
        )
    )
    graph.add("Gather", ["best_class", "row_anchors"], "row_classes", axis=0)
    _concatenate_rows(graph)
    graph.add("Unsqueeze", ["row_values", "batch"], "output0")


def _add_nms_rows(graph: Graph) -> None:
    """Rows that ONNX's own suppression selects, filled up with zeros."""
    graph.add("Unsqueeze", ["corners", graph.constant("batch", [0])], "corners_batch")
    inputs = [
        "corners_batch",
        "scores",
        graph.constant("most", np.array([ROWS], np.int64)),
        graph.constant("iou", np.array([0.7], np.float32)),
        graph.constant("confidence", np.array([0.25], np.float32)),
    ]
    graph.add("NonMaxSuppression", inputs, "selected")  # rows of batch, class, anchor
    graph.add(
        "Gather", ["selected", graph.constant("class_at", np.int64(1))], "row_classes", axis=1
    )
    graph.add(
        "Gather", ["selected", graph.constant("anchor_at", np.int64(2))], "row_anchors", axis=1
    )
    graph.add("Squeeze", ["scores", "batch"], "class_scores")
    graph.add("Gather", ["selected", graph.constant("both_at", [1, 2])], "class_anchor", axis=1)
    graph.add("GatherND", ["class_scores", "class_anchor"], "row_scores")
    _concatenate_rows(graph)
    # Pad to ROWS rows: append as many zero rows as there may be, then cut.
    zeros = graph.constant("zeros", np.zeros((ROWS, 6 + MASK_CHANNELS), np.float32))
    graph.add("Concat", ["row_values", zeros], "padded", axis=0)
    graph.add(
        "Slice",
        ["padded", graph.constant("from", [0]), graph.constant("to", [ROWS]), "batch"],
        "cut",
    )
    graph.add("Unsqueeze", ["cut", "batch"], "output0")


def _concatenate_rows(graph: Graph) -> None:
    graph.add("Gather", ["corners", "row_anchors"], "row_boxes", axis=0)
    graph.add("Gather", ["coefficients", "row_anchors"], "row_coefficients", axis=0)
    graph.add("Cast", ["row_classes"], "row_class_numbers", to=TensorProto.FLOAT)
    column = graph.constant("column", [1])
    graph.add("Unsqueeze", ["row_scores", column], "score_column")
    graph.add("Unsqueeze", ["row_class_numbers", column], "class_column")
    parts = ["row_boxes", "score_column", "class_column", "row_coefficients"]
    graph.add("Concat", parts, "row_values", axis=1)

"""Models of every layout, and plans of them by whichever builder: the real one or its fake."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tiny_models
from fake_builder import FakeBuilding
from fake_cuda import FakeCuda
from model_export.builder import BuiltPlan, Recipe, build_plan
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

DEMO = Path(__file__).resolve().parents[2] / "models" / "demo"
#: A tensor on the outside of a model: name, type, shape (a name where it is open).
Tensor = tuple[str, int, Sequence[int | str]]
PICTURE: Tensor = ("images", TensorProto.FLOAT, [1, 3, 64, 64])


def fake() -> FakeBuilding:
    """Return a fake of the TensorRT for RTX that `tools/setup/tensorrt.sh` installs."""
    return FakeBuilding(FakeCuda(), "1.7.1.116")


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Tensor] = (PICTURE,),
    outputs: Sequence[Tensor] = (),
    constants: Mapping[str, NDArray[Any]] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    """A model of these nodes, whatever the checker would say of them."""
    values = [
        [helper.make_tensor_value_info(*value) for value in group] for group in (inputs, outputs)
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("their.own", 1)]
    graph = helper.make_graph(nodes, "made", *values, arrays)
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **options)


def one_node(
    operator: str,
    inputs: Sequence[str] = ("images",),
    shape: Sequence[int] = (1, 3, 64, 64),
    element: int = TensorProto.FLOAT,
    **more: Any,
) -> onnx.ModelProto:
    """A model of one operator, whose node has a name."""
    node = helper.make_node(operator, list(inputs), ["y"], "the_node", **more)
    return graph_of([node], outputs=[("y", element, list(shape))])


def anchors_model(output: str, *shape: int) -> onnx.ModelProto:
    """A model whose output has this shape and comes from its picture."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "table"], [output]),
    ]
    constants = {"table": np.ones(shape, np.float32)}
    outputs = [(output, TensorProto.FLOAT, list(shape))]
    return graph_of(nodes, outputs=outputs, constants=constants)


def queries_model() -> onnx.ModelProto:
    """Two outputs, as RF-DETR and D-FINE have them."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "boxes"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["pred_boxes"]),
        helper.make_node("Mul", ["mean", "table"], ["logits"]),
    ]
    constants = {
        "boxes": np.ones((1, 30, 4), np.float32),
        "table": np.ones((1, 30, 7), np.float32),
    }
    outputs = [("pred_boxes", 1, [1, 30, 4]), ("logits", 1, [1, 30, 7])]
    return graph_of(nodes, outputs=outputs, constants=constants)


def batch_model(batch: int | str) -> onnx.ModelProto:
    node = helper.make_node("Conv", ["images", "kernel"], ["y"])
    return graph_of(
        [node],
        [("images", TensorProto.FLOAT, [batch, 3, 64, 64])],
        [("y", TensorProto.FLOAT, [batch, 4, 62, 62])],
        {"kernel": np.ones((4, 3, 3, 3), np.float32)},
    )


LAYOUTS = {
    "raw": lambda: tiny_models.colour_model("raw"),
    "end to end": lambda: tiny_models.colour_model("end_to_end"),
    "raw, boxes": lambda: tiny_models.without_masks(tiny_models.colour_model("raw")),
    "end to end, boxes": lambda: tiny_models.without_masks(tiny_models.colour_model("end_to_end")),
    "words at run time": tiny_models.prompt_model,
    "YOLOX": lambda: anchors_model("output", 1, 84, 8),
    "YOLOv5": lambda: anchors_model("output0", 1, 252, 8),
    "queries": queries_model,
    "three tiles": lambda: batch_model(3),
    "any number of tiles": lambda: batch_model("batch"),
    "demo detector": lambda: onnx.load(DEMO / "demo_detector.onnx"),
    "demo classifier": lambda: onnx.load(DEMO / "demo_classifier.onnx"),
}


def build(
    tensorrt: Any,
    content: bytes,
    folder: Path,
    precision: str = "fp32",
    workspace_mb: int = 1024,
    **more: Any,
) -> BuiltPlan:
    """Return the plan of a model; in the folder lie its file and the timing cache."""
    path = folder / "model.onnx"
    path.write_bytes(content)
    recipe = Recipe(precision, workspace_mb, folder / "timing.cache", **more)
    return build_plan(tensorrt, content, path, recipe)

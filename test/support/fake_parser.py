"""TensorRT's ONNX parser without TensorRT: takes and refuses what the real one does, in its words.

Which they are was taken from TensorRT for RTX 1.7.1 by `test_tensorrt_refusals.py`, which compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

# Of ONNX, but not of TensorRT.
_UNSUPPORTED = {"ConvInteger", "DynamicQuantizeLinear", "Det", "Unique"}
_MAX_VOLUME = 1 << 40


@dataclass(frozen=True)
class FakeParserError:
    """`tensorrt.ParserError`."""

    text: str
    node: onnx.NodeProto | None = None

    def desc(self) -> str:
        return self.text

    def node_name(self) -> str:
        return self.node.name if self.node is not None else ""

    def node_operator(self) -> str:
        return self.node.op_type if self.node is not None else ""


class FakeParser:
    """`tensorrt.OnnxParser`; what it reads goes to `network.read`."""

    def __init__(self, module: Any, network: Any) -> None:
        self._module = module
        self._network = network
        self._errors: list[FakeParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> FakeParserError:
        return self._errors[index]

    def parse(self, model: bytes, path: str) -> bool:
        if self._module.is_refused("parse"):
            self._errors = [FakeParserError("error 0: no importer for\nFrobnicate")]
            return False
        self._errors = [error for error in [_refusal(model, Path(path))] if error is not None]
        if not self._errors:
            self._network.read(model, path)
        return not self._errors


def _refusal(content: bytes, path: Path) -> FakeParserError | None:
    try:
        model = onnx.load_from_string(content)
    except DecodeError:
        return FakeParserError(
            "Assertion failed: model->ParseFromCodedStream(&codedInput): "
            "Failed to parse the ONNX model."
        )
    graph = model.graph
    for tensor in graph.initializer:
        places = {entry.key: entry.value for entry in tensor.external_data}
        if places and not (path.parent / places["location"]).is_file():
            return FakeParserError(
                "Failed to import initializer: In node -1 with name:  and operator:  "
                "(importInitializers): UNSUPPORTED_NODE: Assertion failed: "
                "ctx->getWeightsContext().convertOnnxWeights(initializer, &weights): "
                f"Failed to import initializer: {tensor.name}"
            )
    known = {""} | {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        kind = value.type.tensor_type
        if kind.elem_type == onnx.TensorProto.STRING:
            return FakeParserError(
                'Assertion failed: convertDtype(onnxDtype.elem_type(), &trtDtype) && "Failed to '
                'convert ONNX date type to TensorRT data type."'
            )
        volume = 1
        for length in kind.shape.dim:
            volume *= length.dim_value or 1
        if volume > _MAX_VOLUME:
            return FakeParserError(
                'Assertion failed: *tensor && "Failed to add input to the network."'
            )
        known.add(value.name)
    return _refusal_of_nodes(graph, known)


def _refusal_of_nodes(graph: onnx.GraphProto, known: set[str]) -> FakeParserError | None:
    # In any order: the parser sorts them.
    known = known.union(*(node.output for node in graph.node))
    for node in graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            return FakeParserError(
                'creator && "Plugin not found, are the plugin name, version, and namespace '
                'correct?"',
                node,
            )
        if node.op_type in _UNSUPPORTED:
            return FakeParserError("false", node)
        if not known.issuperset(node.input):
            return FakeParserError(
                "Assertion failed: (ctx->tensors().count(inputName)): Node input was not "
                "registered.",
                node,
            )
    return None

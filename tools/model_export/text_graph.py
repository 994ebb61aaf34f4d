"""From the weights of a text encoder to its ONNX file.

Written node by node, not traced: a trace keeps all 77 places of the context for a word of one
token, ten times the work. Attention is causal, so what comes after the end token changes nothing
before it, and the graph takes as many places as the longest prompt has.

    tokens      int64    (N, P)  begin, prompt, end, end ...; P up to the context's length
    embeddings  float32  (N, D)  of length 1, behind the prompt layer: rows of a vocabulary file
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.text_weights import PromptLayer, TextWeights, Weights

OPSET = 17
_IR_VERSION = 9
_EPSILON = 1e-5  # of PyTorch's layer norms
_MASKED = -1e9


def text_model(
    weights: TextWeights, layer: PromptLayer | None, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """Build the graph.

    Args:
        weights: of the encoder.
        layer: that the detector's checkpoint trained behind it; None: none.
        metadata: of the file.
    """
    graph = _Graph()
    places, width = weights.places.shape
    graph.constant("token_table", weights.tokens)
    graph.add("Gather", ["token_table", "tokens"], "token_rows")
    graph.add("Shape", ["tokens"], "count", start=1, end=2)
    graph.constants(zero=[0], one=[1], both_axes=[0, 1], two_zeros=[0, 0])
    graph.constant("place_table", weights.places)
    graph.add("Slice", ["place_table", "zero", "count", "zero"], "place_rows")
    graph.add("Concat", ["count", "count"], "square", axis=0)
    mask = np.triu(np.full((places, places), _MASKED, np.float32), 1)
    graph.constant("mask_table", mask)
    graph.add("Slice", ["mask_table", "two_zeros", "square", "both_axes"], "mask")
    value = graph.add("Add", ["token_rows", "place_rows"], "x")
    for index, block in enumerate(weights.blocks):
        value = _block(graph, f"b{index}", value, block, width, weights.heads)
    # The end token has the greatest number; of several the first counts.
    graph.add("ArgMax", ["tokens"], "end", axis=1, keepdims=1)
    graph.add("GatherND", [value, "end"], "at_end", batch_dims=1)
    value = _norm(graph, "last", "at_end", *weights.norm)
    graph.constant("projection", weights.projection)
    graph.add("MatMul", [value, "projection"], "projected")
    value = _unit(graph, "text", "projected")
    if layer is not None:
        value = _unit(graph, "prompt", _prompt_layer(graph, value, layer))
    graph.add("Identity", [value], "embeddings")
    return graph.build(weights.projection.shape[1], metadata)


def _block(
    graph: _Graph, name: str, value: str, block: Mapping[str, Weights], width: int, heads: int
) -> str:
    """Add x + attention(norm(x)), then x + network(norm(x)); both are residual."""
    normed = _norm(graph, f"{name}_1", value, block["ln_1.weight"], block["ln_1.bias"])
    in_w, in_b = block["attn.in_proj_weight"].copy(), block["attn.in_proj_bias"].copy()
    scale = (width // heads) ** -0.5  # of the queries: their weights take it once
    in_w[:width] *= scale
    in_b[:width] *= scale
    split = []
    shape = graph.constant(f"{name}_heads", np.array([0, 0, heads, width // heads]))
    orders = {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}
    for place, (part, order) in enumerate(orders.items()):
        rows = slice(place * width, (place + 1) * width)
        flat = _linear(graph, f"{name}_{part}", normed, in_w[rows], in_b[rows])
        graph.add("Reshape", [flat, shape], f"{name}_{part}_heads")
        split.append(
            graph.add("Transpose", [f"{name}_{part}_heads"], f"{name}_{part}_split", perm=order)
        )
    graph.add("MatMul", split[:2], f"{name}_scores")
    graph.add("Add", [f"{name}_scores", "mask"], f"{name}_masked")
    graph.add("Softmax", [f"{name}_masked"], f"{name}_shares", axis=-1)
    graph.add("MatMul", [f"{name}_shares", split[2]], f"{name}_mixed")
    graph.add("Transpose", [f"{name}_mixed"], f"{name}_turned", perm=[0, 2, 1, 3])
    joined = graph.constant(f"{name}_joined", np.array([0, 0, width]))
    graph.add("Reshape", [f"{name}_turned", joined], f"{name}_flat")
    out = _linear(
        graph, f"{name}_out", f"{name}_flat", block["attn.out_proj.weight"],
        block["attn.out_proj.bias"],
    )  # fmt: skip
    graph.add("Add", [value, out], f"{name}_attended")
    normed = _norm(graph, f"{name}_2", f"{name}_attended", block["ln_2.weight"], block["ln_2.bias"])
    inner = _linear(graph, f"{name}_fc", normed, block["mlp.c_fc.weight"], block["mlp.c_fc.bias"])
    gelu = _gelu(graph, f"{name}_gelu", inner)
    out = _linear(graph, f"{name}_proj", gelu, block["mlp.c_proj.weight"], block["mlp.c_proj.bias"])
    return graph.add("Add", [f"{name}_attended", out], f"{name}_x")


def _prompt_layer(graph: _Graph, value: str, layer: PromptLayer) -> str:
    half = len(layer.b12) // 2
    gate = _linear(graph, "prompt_gate", value, layer.w12[:half], layer.b12[:half])
    other = _linear(graph, "prompt_value", value, layer.w12[half:], layer.b12[half:])
    graph.add("Sigmoid", [gate], "prompt_open")
    graph.add("Mul", [gate, "prompt_open"], "prompt_silu")
    graph.add("Mul", ["prompt_silu", other], "prompt_hidden")
    out = _linear(graph, "prompt_out", "prompt_hidden", layer.w3, layer.b3)
    return graph.add("Add", [value, out], "prompted")


def _linear(graph: _Graph, name: str, value: str, weight: Weights, bias: Weights) -> str:
    """Add x W^T + b; the weight comes as PyTorch keeps it, (outputs, inputs)."""
    graph.constant(f"{name}_w", np.ascontiguousarray(weight.T))
    graph.constant(f"{name}_b", bias)
    graph.add("MatMul", [value, f"{name}_w"], f"{name}_product")
    return graph.add("Add", [f"{name}_product", f"{name}_b"], f"{name}_sum")


def _norm(graph: _Graph, name: str, value: str, weight: Weights, bias: Weights) -> str:
    graph.constant(f"{name}_norm_w", weight)
    graph.constant(f"{name}_norm_b", bias)
    inputs = [value, f"{name}_norm_w", f"{name}_norm_b"]
    return graph.add("LayerNormalization", inputs, f"{name}_normed", axis=-1, epsilon=_EPSILON)


def _gelu(graph: _Graph, name: str, value: str) -> str:
    """Add x/2 (1 + erf(x / sqrt 2)), in the form that ONNX Runtime fuses to one operator."""
    graph.constants(**{f"{name}_root": np.float32(2**0.5), f"{name}_one": np.float32(1)})
    graph.constants(**{f"{name}_half": np.float32(0.5)})
    graph.add("Div", [value, f"{name}_root"], f"{name}_scaled")
    graph.add("Erf", [f"{name}_scaled"], f"{name}_erf")
    graph.add("Add", [f"{name}_erf", f"{name}_one"], f"{name}_up")
    graph.add("Mul", [value, f"{name}_up"], f"{name}_twice")
    return graph.add("Mul", [f"{name}_twice", f"{name}_half"], f"{name}_out")


def _unit(graph: _Graph, name: str, value: str) -> str:
    graph.add("ReduceL2", [value], f"{name}_length", axes=[-1], keepdims=1)
    return graph.add("Div", [value, f"{name}_length"], f"{name}_unit")


class _Graph:
    """Collects nodes and constants; names are values, as in ONNX."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: NDArray) -> str:
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def constants(self, **values: object) -> None:
        for name, value in values.items():
            self.constant(name, np.asarray(value))

    def build(self, size: int, metadata: Mapping[str, str]) -> onnx.ModelProto:
        tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["words", "places"])
        output = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["words", size])
        graph = helper.make_graph(self._nodes, "text_encoder", [tokens], [output], self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return model

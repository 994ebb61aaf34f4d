"""YOLOE's text encoder out of its own file, with what the checkpoint trained behind it.

Ultralytics loads `mobileclip_blt.ts` (YOLOE-v8, -11) or `mobileclip2_b.ts` (YOLOE-26), TorchScript
that returns embeddings of length 1; Apple publishes `mobileclip_blt.pt` and `mobileclip2_b.pt`, the
weights of a whole CLIP. They are read by the names that Apple and OpenCLIP give them, also out of a
TorchScript, and the graph is written by `text_graph`. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_export.text_graph import text_model
from model_export.text_weights import (
    PromptLayer,
    TextWeights,
    Weights,
    random_weights,
    read_weights,
)
from semantic_detection_pkg.errors import ConfigurationError

RANDOM = "random"
PLACES = 77  # of CLIP's context
_FILES = {"mobileclip:blt": "mobileclip_blt.ts", "mobileclip2:b": "mobileclip2_b.ts"}
_SAME = 0.9999  # cosine


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder without the prompt layer.

    Attributes:
        reference: from (N, 77) tokens to (N, D) embeddings of length 1, in PyTorch.
        weights: by their names.
    """

    reference: Callable[[Tensor], Tensor]
    weights: TextWeights


def find_encoder(text_model_name: str, checkpoint: str) -> Path | None:
    """Return the encoder's file of a family where Ultralytics would look; None: not there.

    Args:
        text_model_name: "mobileclip:blt" or "mobileclip2:b".
        checkpoint: path.
    """
    from ultralytics.utils import WEIGHTS_DIR

    name = _FILES.get(text_model_name, "")
    folders = (Path.cwd(), Path(checkpoint).parent, Path(WEIGHTS_DIR))
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def read_encoder(path: str | Path, seed: int = 0) -> Encoder:
    """Read an encoder's file.

    Args:
        path: TorchScript or weights; "random": the architecture with random ones.
        seed: of those.

    Raises:
        ConfigurationError: it cannot be read, or holds another architecture.
    """
    if str(path) == RANDOM:
        weights = random_weights(seed)
        return Encoder(_Reference(weights), weights)
    if not Path(path).is_file():
        raise ConfigurationError(f"text encoder {path}: does not exist")
    try:
        script = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception:  # it raises what it likes for what is no TorchScript
        return _from_weights(Path(path))
    state = {name: _array(value) for name, value in script.state_dict().items()}
    try:
        weights = read_weights(state)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    tokens = torch.randint(1, len(weights.tokens) - 2, (2, PLACES), dtype=torch.int32)
    tokens[:, 9:] = len(weights.tokens) - 1
    with torch.no_grad():
        ours, theirs = _Reference(weights)(tokens), _unit(script)(tokens)
    if not bool(((ours * theirs).sum(-1) > _SAME).all()):
        raise ConfigurationError(
            f"text encoder {path}: computes something else than CLIP's text transformer does with "
            "its weights"
        )
    return Encoder(_unit(script), weights)


def _from_weights(path: Path) -> Encoder:
    try:
        state = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # as above
        reason = " ".join(str(error).split())[:160]
        raise ConfigurationError(
            f"text encoder {path}: is neither TorchScript nor a file of weights: {reason}"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        raise ConfigurationError(f"text encoder {path}: holds no table of weights")
    arrays = {str(name): _array(one) for name, one in state.items() if isinstance(one, Tensor)}
    try:
        weights = read_weights(arrays)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return Encoder(_Reference(weights), weights)


def prompt_layer(head: nn.Module) -> PromptLayer:
    """Return the layer that a YOLOE checkpoint trained behind its encoder, of an unfused head."""
    inner = head.reprta.m
    values = (inner.w12.weight, inner.w12.bias, inner.w3.weight, inner.w3.bias)
    return PromptLayer(*map(_array, values))


def encoder_graph(encoder: Encoder, head: nn.Module) -> tuple[onnx.ModelProto, dict[str, object]]:
    """Return the graph from tokens to embeddings behind the head's layer, and its metadata."""
    model = text_model(encoder.weights, prompt_layer(head), {})
    return model, {"context_length": len(encoder.weights.places)}


def reference_embeddings(
    encoder: Encoder, head: nn.Module, tokens: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Return (N, D) embeddings by PyTorch and the checkpoint's own head."""
    rows = torch.zeros(len(tokens), PLACES, dtype=torch.int32)
    for row, ids in enumerate(tokens):
        rows[row, : len(ids)] = torch.tensor(list(ids), dtype=torch.int32)
    with torch.no_grad():
        features = encoder.reference(rows)
        return _array(head.get_tpe(features[None])[0])


class _Reference(nn.Module):
    """The encoder by PyTorch's own transformer, to compare with."""

    def __init__(self, weights: TextWeights) -> None:
        super().__init__()
        width = weights.tokens.shape[1]
        self.tokens = torch.from_numpy(weights.tokens)
        self.places = torch.from_numpy(weights.places)
        self.projection = torch.from_numpy(weights.projection)
        self.heads = weights.heads
        blocks = [_block(block, width, weights.heads) for block in weights.blocks]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.norm.load_state_dict(
            {"weight": _tensor(weights.norm[0]), "bias": _tensor(weights.norm[1])}
        )
        self.eval().requires_grad_(False)

    def forward(self, tokens: Tensor) -> Tensor:
        count = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(count)
        value = self.tokens[tokens.long()] + self.places[:count]
        for block in self.blocks:
            value = block(value, src_mask=mask, is_causal=True)
        ends = tokens.argmax(dim=-1)
        at_end = self.norm(value)[torch.arange(len(tokens)), ends]
        return nn.functional.normalize(at_end @ self.projection, dim=-1)


def _block(block: Mapping[str, Weights], width: int, heads: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        width, heads, len(block["mlp.c_fc.bias"]), dropout=0.0, activation="gelu",
        batch_first=True, norm_first=True,
    )  # fmt: skip
    names = {
        "ln_1": "norm1", "ln_2": "norm2", "attn.": "self_attn.", "mlp.c_fc": "linear1",
        "mlp.c_proj": "linear2",
    }  # fmt: skip
    state = {}
    for name, value in block.items():
        renamed = name
        for ours, theirs in names.items():
            renamed = renamed.replace(ours, theirs)
        state[renamed] = _tensor(value)
    layer.load_state_dict(state)
    return layer


def _unit(script: torch.jit.ScriptModule) -> Callable[[Tensor], Tensor]:
    return lambda tokens: nn.functional.normalize(script(tokens).float(), dim=-1)


def _array(value: Tensor) -> Weights:
    return value.detach().cpu().float().numpy()


def _tensor(value: Weights) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(value))

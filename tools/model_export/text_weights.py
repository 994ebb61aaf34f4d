"""Weights of a CLIP text encoder, under the names that their files give them.

YOLOE's encoders, MobileCLIP-B (LT) and MobileCLIP2-B, are CLIP's text transformer: token and place
embeddings, blocks of pre-norm causal attention and a GELU network, a norm, the vector at the end
token, a projection. Apple's checkpoints and OpenCLIP's name the same weights differently, and a
TorchScript puts what wrapped it before the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import ConfigurationError

Weights = NDArray[np.float32]

HEAD_CHANNELS = 64  # of each attention head, in all of CLIP's text encoders
# Apple's name of a weight (ml-mobileclip, TextTransformer) and OpenCLIP's (TextTransformer).
_OF_APPLE = (
    (r"^embedding_layer\.weight$", "token_embedding.weight"),
    (r"^positional_embedding\.pos_embed\.pos_embed$", "positional_embedding"),
    (r"^transformer\.(\d+)\.pre_norm_mha\.0\.", r"transformer.resblocks.\1.ln_1."),
    (r"^transformer\.(\d+)\.pre_norm_mha\.1\.qkv_proj\.(weight|bias)$",
     r"transformer.resblocks.\1.attn.in_proj_\2"),
    (r"^transformer\.(\d+)\.pre_norm_mha\.1\.", r"transformer.resblocks.\1.attn."),
    (r"^transformer\.(\d+)\.pre_norm_ffn\.0\.", r"transformer.resblocks.\1.ln_2."),
    (r"^transformer\.(\d+)\.pre_norm_ffn\.1\.", r"transformer.resblocks.\1.mlp.c_fc."),
    (r"^transformer\.(\d+)\.pre_norm_ffn\.4\.", r"transformer.resblocks.\1.mlp.c_proj."),
    (r"^final_layer_norm\.", "ln_final."),
    (r"^projection_layer$", "text_projection"),
)  # fmt: skip
_FIRST_NORM = re.compile(
    r"^(?P<prefix>(?:.*\.)?)transformer\.(?:resblocks\.)?0\.(?:ln_1|pre_norm_mha\.0)\.weight$"
)
_OF_A_BLOCK = (
    "ln_1.weight", "ln_1.bias", "attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight",
    "attn.out_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias",
    "mlp.c_proj.weight", "mlp.c_proj.bias",
)  # fmt: skip
_OF_ALL = (
    "token_embedding.weight", "positional_embedding", "ln_final.weight", "ln_final.bias",
    "text_projection",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TextWeights:
    """A text encoder: V tokens, L places, W channels, D numbers in an embedding.

    Attributes:
        tokens: (V, W) embeddings.
        places: (L, W) embeddings.
        blocks: weights of each, as PyTorch keeps them (outputs, inputs), by OpenCLIP's names.
        norm: weight and bias (W) of the last norm.
        projection: (W, D).
        heads: of attention.
    """

    tokens: Weights
    places: Weights
    blocks: tuple[Mapping[str, Weights], ...]
    norm: tuple[Weights, Weights]
    projection: Weights
    heads: int


@dataclass(frozen=True, eq=False)
class PromptLayer:
    """YOLOE's `reprta`: x + W3 (silu(a) * b) + b3, (a, b) = halves of W12 x + b12.

    Attributes:
        w12, b12: (2 H, D), (2 H).
        w3, b3: (D, H), (D).
    """

    w12: Weights
    b12: Weights
    w3: Weights
    b3: Weights


def read_weights(state: Mapping[str, NDArray[np.floating]], heads: int = 0) -> TextWeights:
    """Find the text encoder in a checkpoint's arrays.

    Args:
        state: arrays by name, of a text encoder alone or of a whole CLIP.
        heads: of attention; 0: as many as CLIP has.

    Raises:
        ConfigurationError: it holds none, or one of another architecture.
    """
    named = _as_openclip(state)
    count = sum(name.endswith(".ln_1.weight") for name in named)
    names = {f"transformer.resblocks.{i}.{name}" for i in range(count) for name in _OF_A_BLOCK}
    missing = sorted((names | set(_OF_ALL)) - set(named))
    if missing:
        raise ConfigurationError(f"text encoder: weight {missing[0]!r} is missing")
    # A gate, a scale or a class token that this does not know would be left out without a word.
    buffers = ("attn_mask", "causal_mask")
    odd = sorted(name for name in set(named) - names - set(_OF_ALL) if name not in buffers)
    if odd:
        raise ConfigurationError(f"text encoder: weight {odd[0]!r} is not of CLIP's architecture")
    tokens, places = named["token_embedding.weight"], named["positional_embedding"]
    width = tokens.shape[1]
    projection = named["text_projection"]
    if places.ndim != 2 or places.shape[1] != width or projection.shape[0] != width:
        raise ConfigurationError(
            f"text encoder: embeddings {tokens.shape} and {places.shape}, projection "
            f"{projection.shape} are not of one width"
        )
    heads = heads or max(width // HEAD_CHANNELS, 1)
    if width % heads:
        raise ConfigurationError(f"text encoder: {width} channels are not {heads} heads")
    blocks = tuple(
        {name: named[f"transformer.resblocks.{i}.{name}"] for name in _OF_A_BLOCK}
        for i in range(count)
    )
    norm = named["ln_final.weight"], named["ln_final.bias"]
    return TextWeights(tokens, places, blocks, norm, projection, heads)


def _as_openclip(state: Mapping[str, NDArray[np.floating]]) -> dict[str, Weights]:
    """Return the arrays of the text encoder alone, by OpenCLIP's names."""
    found = [match["prefix"] for match in map(_FIRST_NORM.match, state) if match]
    # Of a whole CLIP the image encoder may be a transformer, too: only one has tokens.
    tables = ("token_embedding.weight", "embedding_layer.weight")
    prefixes = [one for one in found if any(one + table in state for table in tables)]
    if not prefixes:
        raise ConfigurationError(
            "text encoder: the file holds no CLIP text transformer "
            f"({len(state)} arrays: {', '.join(list(state)[:3]) or 'none'}, ...)"
        )
    prefix = min(prefixes, key=len)
    others = ("visual.", "image_encoder.", "logit_scale", "logit_bias")
    named = {}
    for name, array in state.items():
        if not name.startswith(prefix) or name.removeprefix(prefix).startswith(others):
            continue
        plain = name.removeprefix(prefix)
        for apple, openclip in _OF_APPLE:
            plain = re.sub(apple, openclip, plain)
        named[plain] = np.ascontiguousarray(array, np.float32)
    if "positional_embedding" in named:
        places = named["positional_embedding"]
        named["positional_embedding"] = places.reshape(places.shape[-2:])
    if "text_projection.weight" in named:  # a linear layer keeps it the other way round
        named["text_projection"] = named.pop("text_projection.weight").T
    return named


def random_weights(
    seed: int, tokens: int = 49_408, places: int = 77, width: int = 512, blocks: int = 12,
    size: int = 512, heads: int = 0,
) -> TextWeights:  # fmt: skip
    """Return an encoder of YOLOE's architecture that tells words apart and means nothing.

    Args:
        seed: of its numbers.
        tokens, places, width, blocks, size: V, L, W, how many blocks, D; left out: the real ones.
        heads: of attention; 0: as many as CLIP has.
    """
    random = np.random.default_rng(seed)

    def draw(*shape: int, scale: float) -> Weights:
        return (random.standard_normal(shape, np.float32) * scale).astype(np.float32)

    state: dict[str, Weights] = {
        "token_embedding.weight": draw(tokens, width, scale=0.3),
        "positional_embedding": draw(places, width, scale=0.1),
        "ln_final.weight": 1 + draw(width, scale=0.1),
        "ln_final.bias": draw(width, scale=0.1),
        "text_projection": draw(width, size, scale=width**-0.5),
    }
    shapes = {
        "attn.in_proj": (3 * width, width),
        "attn.out_proj.": (width, width),
        "mlp.c_fc.": (4 * width, width),
        "mlp.c_proj.": (width, 4 * width),
    }
    for index in range(blocks):
        prefix = f"transformer.resblocks.{index}."
        for norm in ("ln_1", "ln_2"):
            state[f"{prefix}{norm}.weight"] = 1 + draw(width, scale=0.1)
            state[f"{prefix}{norm}.bias"] = draw(width, scale=0.1)
        for name, shape in shapes.items():
            end = "" if name.endswith(".") else "_"
            state[f"{prefix}{name}{end}weight"] = draw(*shape, scale=shape[1] ** -0.5)
            state[f"{prefix}{name}{end}bias"] = draw(shape[0], scale=0.02)
    return read_weights(state, heads)

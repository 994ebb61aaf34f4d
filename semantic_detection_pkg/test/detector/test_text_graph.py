"""The text encoder as it is exported: tokens, weights, graph, and the form of a prompt."""

import numpy as np
import onnx
import onnxruntime
import pytest
import text_encoders
from model_export.text_graph import text_model
from model_export.text_weights import read_weights
from model_export.tokenizer_file import tokenizer_json
from scipy.special import erf, expit
from tokenizers import Tokenizer

from semantic_detection_pkg.detector.core.prompts import as_prompt
from semantic_detection_pkg.errors import ConfigurationError

PROMPTS = ["rope", "yellow raincoat", "a child in a red coat by the boats", "4x4", "b", "été"]


def normed(value: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    apart = value - value.mean(-1, keepdims=True)
    return apart / np.sqrt((apart**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def attended(value: np.ndarray, block: dict, heads: int) -> np.ndarray:
    """Causal attention of one prompt, (P, W) in double precision, a place at a time."""
    width = value.shape[1]
    query, key, content = np.split(
        value @ block["attn.in_proj_weight"].T + block["attn.in_proj_bias"], 3, axis=1
    )
    size = width // heads
    mixed = np.zeros_like(value)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for place in range(len(value)):
            scores = key[: place + 1, part] @ query[place, part] / np.sqrt(size)
            shares = np.exp(scores - scores.max())
            mixed[place, part] = shares / shares.sum() @ content[: place + 1, part]
    return mixed @ block["attn.out_proj.weight"].T + block["attn.out_proj.bias"]


def embedding_of(tokens: list[int], weights, layer) -> np.ndarray:
    """What MobileCLIP's text encoder and YOLOE's RepRTA say of one prompt, as their papers do."""
    value = weights.tokens[tokens].astype(np.float64) + weights.places[: len(tokens)]
    for block in weights.blocks:
        value = value + attended(
            normed(value, block["ln_1.weight"], block["ln_1.bias"]), block, weights.heads
        )
        inner = normed(value, block["ln_2.weight"], block["ln_2.bias"])
        inner = inner @ block["mlp.c_fc.weight"].T + block["mlp.c_fc.bias"]
        inner = 0.5 * inner * (1 + erf(inner / np.sqrt(2)))
        value = value + inner @ block["mlp.c_proj.weight"].T + block["mlp.c_proj.bias"]
    text = normed(value[-1], *weights.norm) @ weights.projection
    text /= np.linalg.norm(text)
    gate, other = np.split(layer.w12 @ text + layer.b12, 2)
    text = text + layer.w3 @ (gate * expit(gate) * other) + layer.b3
    return text / np.linalg.norm(text)


def test_the_graph_computes_what_the_architecture_says(tmp_path):
    """Prompts of any length together, behind the prompt layer, against plain NumPy."""
    weights, layer = text_encoders.small_weights(size=16), text_encoders.small_layer(size=16)
    path = tmp_path / "text.onnx"
    onnx.save(text_model(weights, layer, {}), str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(7)
    end = text_encoders.TOKENS - 1
    prompts = [[end - 1, *random.integers(0, end - 1, count), end] for count in (1, 4, 9, 18)]
    longest = max(map(len, prompts))
    tokens = np.zeros((len(prompts), longest), np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt

    (ours,) = session.run(None, {"tokens": tokens})

    theirs = np.stack([embedding_of(prompt, weights, layer) for prompt in prompts])
    assert np.sum(ours * theirs, axis=1).min() >= 0.9999
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(theirs @ theirs.T - np.eye(len(prompts))).max() < 0.999  # they differ


def test_weights_are_found_by_apples_names_and_by_openclips():
    weights = text_encoders.small_weights()
    openclip = {
        "text.token_embedding.weight": weights.tokens,
        "text.positional_embedding": weights.places,
        "text.ln_final.weight": weights.norm[0],
        "text.ln_final.bias": weights.norm[1],
        "text.text_projection": weights.projection,
        "text.attn_mask": np.zeros((20, 20)),
        "visual.transformer.resblocks.0.ln_1.weight": np.ones(8),
        "logit_scale": np.ones(()),
    }
    apple = {
        "text_encoder.embedding_layer.weight": weights.tokens,
        "text_encoder.positional_embedding.pos_embed.pos_embed": weights.places[None, None],
        "text_encoder.final_layer_norm.weight": weights.norm[0],
        "text_encoder.final_layer_norm.bias": weights.norm[1],
        "text_encoder.projection_layer": weights.projection,
        "image_encoder.model.head.weight": np.ones(8),
    }
    names = {
        "ln_1.": "pre_norm_mha.0.", "attn.in_proj_": "pre_norm_mha.1.qkv_proj.",
        "attn.out_proj.": "pre_norm_mha.1.out_proj.", "ln_2.": "pre_norm_ffn.0.",
        "mlp.c_fc.": "pre_norm_ffn.1.", "mlp.c_proj.": "pre_norm_ffn.4.",
    }  # fmt: skip
    for index, block in enumerate(weights.blocks):
        for name, value in block.items():
            openclip[f"text.transformer.resblocks.{index}.{name}"] = value
            (ours,) = (one for one in names if name.startswith(one))
            theirs = name.replace(ours, names[ours])
            apple[f"text_encoder.transformer.{index}.{theirs}"] = value

    for state in (openclip, apple):
        found = read_weights(state, heads=3)
        np.testing.assert_array_equal(found.places, weights.places)
        np.testing.assert_array_equal(found.projection, weights.projection)
        for have, want in zip(found.blocks, weights.blocks, strict=True):
            assert have.keys() == want.keys()
            assert all(np.array_equal(have[name], want[name]) for name in want)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformer.resblocks.1.ln_2.bias": None}, "'transformer.resblocks.1.ln_2.bias' is mis"),
        ({"transformer.resblocks.0.gate.weight": np.ones(3)}, "is not of CLIP's architecture"),
        ({"token_embedding.weight": None}, "holds no CLIP text transformer"),
        ({"text_projection": np.ones((8, 3))}, "are not of one width"),
    ],
)
def test_other_architectures_are_refused(change, message):
    weights = text_encoders.small_weights()
    state = {
        "token_embedding.weight": weights.tokens,
        "positional_embedding": weights.places,
        "ln_final.weight": weights.norm[0],
        "ln_final.bias": weights.norm[1],
        "text_projection": weights.projection,
    }
    for index, block in enumerate(weights.blocks):
        state |= {f"transformer.resblocks.{index}.{name}": one for name, one in block.items()}
    state = {name: value for name, value in (state | change).items() if value is not None}

    with pytest.raises(ConfigurationError, match=message):
        read_weights(state, heads=3)


def test_tokens_are_those_of_clips_merges(tmp_path):
    """Bytes in CLIP's order, the best merge first, begin and end around."""
    tokenizer = Tokenizer.from_str(tokenizer_json(text_encoders.merges_file(tmp_path)))
    begin, end, first_merge = text_encoders.TOKENS - 2, text_encoders.TOKENS - 1, 2 * 256

    def merged(part: str) -> int:
        names = ["".join(merge.split()) for merge in text_encoders.MERGES]
        return first_merge + names.index(part)

    def letter(one: str, *, is_last: bool = False) -> int:
        return ord(one) - ord("!") + 256 * is_last

    assert tokenizer.encode("yellow raincoat").ids == [
        begin, merged("yellow</w>"), merged("rain"), merged("coat</w>"), end
    ]  # fmt: skip
    # Digits are pieces of their own, and so is what stands between letters.
    assert tokenizer.encode("x4-b").ids == [
        begin, letter("x", is_last=True), letter("4", is_last=True), letter("-", is_last=True),
        letter("b", is_last=True), end,
    ]  # fmt: skip
    # é is two bytes: C3, printable, and A9, printable.
    assert tokenizer.encode("é").ids == [begin, 0xC3 - 0xA1 + 94 - 1, 256 + 0xA9 - 0xA1 + 94, end]


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("  Yellow\t RAINCOAT\n", "yellow raincoat"),
        ("Child’s “blue” coat", 'child\'s "blue" coat'),
        ("rock &amp;amp; rope", "rock & rope"),
        ("ﬁre", "fire"),
        ("Ｂｏａｔ", "boat"),
        ("e\u0301clair", "éclair"),
        ("ÅNGSTRÖM", "ångström"),
        ("bo\x00at\x1b", "boat"),
        ("½ m²", "½ m²"),
    ],
)
def test_prompts_have_the_form_that_encoders_are_trained_with(typed, prompt):
    assert as_prompt(typed) == prompt

"""Text encoders of the real size with random weights, exported and run without PyTorch.

Needs what `requirements/export.in` names, as `test_export_yoloe.py`. The encoder's files are made
here, as Ultralytics and Apple publish them: TorchScript, and the weights of a whole CLIP.
"""

import logging
import re

import numpy as np
import pytest

pytest.importorskip(
    "torch",
    reason="PyTorch is missing: 2 GB, so only the environment of requirements/export.in has it",
)
pytest.importorskip(
    "ultralytics",
    reason="Ultralytics is missing: AGPL, so only the environment of requirements/export.in has it",
)
pytest.importorskip(
    "clip", reason="openai-clip is missing: only the environment of requirements/export.in has it"
)

import clip
import export_yoloe
import torch
from model_export.text_encoder import encoder_graph, read_encoder, reference_embeddings
from model_export.text_weights import random_weights
from model_export.tokenizer_file import find_merges, tokenizer_json
from model_export.words import make_prompts
from model_export.yoloe import head_of, load_yoloe
from tokenizers import Tokenizer

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.text_encoder import TextEncoder
from semantic_detection_pkg.detector.core.prompts import as_prompt
from semantic_detection_pkg.errors import ConfigurationError

_log = logging.getLogger(__name__)
WORDS = ["yellow raincoat", "rope", "Child in a red jacket", "upturned canoe", "boots"]
SIZE = (128, 128)

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # Ultralytics looks for its encoders here
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


class Attention(torch.nn.Module):
    """A block as OpenCLIP has it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attn = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = torch.nn.Sequential()
        self.mlp.add_module("c_fc", torch.nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", torch.nn.GELU())
        self.mlp.add_module("c_proj", torch.nn.Linear(4 * width, width))

    def forward(self, value, mask):
        normed = self.ln_1(value)
        value = value + self.attn(normed, normed, normed, attn_mask=mask, need_weights=False)[0]
        return value + self.mlp(self.ln_2(value))


class Blocks(torch.nn.Module):
    def __init__(self, width: int, heads: int, count: int) -> None:
        super().__init__()
        self.resblocks = torch.nn.ModuleList(Attention(width, heads) for _ in range(count))

    def forward(self, value, mask):
        for block in self.resblocks:
            value = block(value, mask)
        return value


class TextTower(torch.nn.Module):
    """The encoder of YOLOE, as PyTorch computes it: embeddings of length 1 of (N, 77) tokens."""

    def __init__(self, weights) -> None:
        super().__init__()
        width = weights.tokens.shape[1]
        self.token_embedding = torch.nn.Embedding(*weights.tokens.shape)
        self.positional_embedding = torch.nn.Parameter(torch.from_numpy(weights.places))
        self.transformer = Blocks(width, weights.heads, len(weights.blocks))
        self.ln_final = torch.nn.LayerNorm(width)
        self.text_projection = torch.nn.Parameter(torch.from_numpy(weights.projection))
        mask = torch.full((len(weights.places),) * 2, float("-inf")).triu(1)
        self.register_buffer("attn_mask", mask)
        state = {"token_embedding.weight": weights.tokens}
        state |= {"ln_final.weight": weights.norm[0], "ln_final.bias": weights.norm[1]}
        for index, block in enumerate(weights.blocks):
            state |= {f"transformer.resblocks.{index}.{name}": one for name, one in block.items()}
        self.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
        self.eval().requires_grad_(False)

    def forward(self, tokens):
        value = self.token_embedding(tokens) + self.positional_embedding
        value = self.ln_final(self.transformer(value, self.attn_mask))
        at_end = value[torch.arange(tokens.shape[0]), tokens.argmax(dim=-1)]
        return torch.nn.functional.normalize(at_end @ self.text_projection, dim=-1)


class Hidden(torch.nn.Module):
    """The same under names that nobody knows."""

    def __init__(self, tower) -> None:
        super().__init__()
        self.stem, self.layers, self.tail = tower.token_embedding, tower.transformer, tower.ln_final
        self.places, self.out = tower.positional_embedding, tower.text_projection
        self.register_buffer("mask", tower.attn_mask)

    def forward(self, tokens):
        value = self.tail(self.layers(self.stem(tokens) + self.places, self.mask))
        at_end = value[torch.arange(tokens.shape[0]), tokens.argmax(dim=-1)]
        return torch.nn.functional.normalize(at_end @ self.out, dim=-1)


def as_script(module, path) -> None:
    torch.jit.trace(module, clip.tokenize(["one", "two words"])).save(str(path))


@pytest.mark.parametrize(
    ("checkpoint", "encoder", "head"),
    [
        ("yoloe-11s", "mobileclip_blt.ts", "raw"),
        ("yoloe-26s", "mobileclip2_b.ts", "raw"),
        ("yoloe-26s", "mobileclip2_b.ts", "end2end"),
    ],
)
def test_words_typed_later_score_as_ultralytics_scores_them(tmp_path, checkpoint, encoder, head):
    """The real sizes: embeddings within cosine 0.9999, scores within 1e-4, without PyTorch."""
    as_script(TextTower(random_weights(5)), tmp_path / encoder)
    arguments = [f"{checkpoint}-seg.yaml", "--words", "person", "--head", head]
    arguments += ["--size", str(SIZE[0]), "--out", str(tmp_path / "out"), "--max-words", "8"]
    assert export_yoloe.main(arguments) == 0
    path = tmp_path / "out" / f"{checkpoint}-seg.onnx"

    yoloe = load_yoloe(f"{checkpoint}-seg.yaml", 0)
    theirs = yoloe.model.get_text_pe(WORDS)  # its own tokenizer, encoder and prompt layer
    with load_detector(path, threads=1) as detector:
        detector.set_vocabulary(WORDS)
        ours = detector.source.find([as_prompt(word) for word in WORDS])
        inputs = detector.pipeline._vocabulary.inputs
        cosines = np.sum(np.stack(list(ours.values())) * theirs[0].numpy(), axis=1)
        _log.info("%s: cosines %s", checkpoint, cosines)
        assert cosines.min() >= 0.9999
        assert np.abs(theirs[0] @ theirs[0].T - torch.eye(len(WORDS))).max() < 0.99

        prompts = make_prompts(WORDS, theirs[0].numpy(), checkpoint)
        reference = export_yoloe.reference_model(yoloe, prompts, SIZE, head == "end2end")
        for picture in export_yoloe.pictures(SIZE, 11):
            outputs = detector.backend.infer({"images": picture, **inputs})
            wanted = reference(picture)[0][0]
            have = outputs["output0"][0]
            if head == "raw":
                scores = have[4 : 4 + len(WORDS)], wanted[4 : 4 + len(WORDS)]
            else:
                scores = np.sort(have[:, 4]), np.sort(wanted[:, 4])
            assert np.ptp(scores[1]) > 0.05
            _log.info("%s: scores differ by %g", checkpoint, np.abs(scores[0] - scores[1]).max())
            assert np.abs(scores[0] - scores[1]).max() <= 1e-4


def test_int8_says_its_size_and_what_it_lost(tmp_path, capsys):
    """The real size, with random weights."""
    arguments = ["yoloe-11s-seg.yaml", "--words", "person", "--text-encoder", "random"]
    arguments += ["--size", str(SIZE[0]), "--out", str(tmp_path), "--examples", "none"]
    assert export_yoloe.main([*arguments, "--text-int8"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    _log.info("%s", said)
    found = re.fullmatch(
        r".*: INT8, ([\d.]+) MB instead of ([\d.]+); cosine with FP32 ([\d.]+) at least, .*", said
    )
    assert found is not None, said
    assert float(found[1]) < 0.3 * float(found[2])
    assert 0.9 < float(found[3]) <= 1.0


def test_tokens_are_clips():
    words = """person|yellow raincoat|Child's red jacket|STOP sign|t-shirt|4x4 truck 2024|Bäume
        im Wald|naïve café|don't|we're they've I'll he'd I'm|日本語 テスト|émoji 🔥 fire|“quoted”
        ‘text’|ﬁre ﬂag|Ｆｕｌｌ|a&amp;b|semi;colon,comma.|#hashtag @at|1234567890|½ cup ² m|ß
        |İstanbul|привет мир|مرحبا|-- dash — em|o'clock|ÅNGSTRÖM|e\u0301clair|http://a.b/a?b=c"""
    tokenizer = Tokenizer.from_str(tokenizer_json(find_merges()))
    for word in words.split("|"):
        theirs = [int(token) for token in clip.tokenize(word)[0] if token]
        assert tokenizer.encode(as_prompt(word)).ids == theirs, word


def test_apples_weights_say_the_same_as_a_torchscript(tmp_path):
    """By Apple's names in a whole CLIP, and by OpenCLIP's in a TorchScript."""
    weights = random_weights(3, width=64, blocks=2)
    tower = TextTower(weights)
    as_script(tower, tmp_path / "tower.ts")
    names = {
        "attn.in_proj_": "pre_norm_mha.1.qkv_proj.", "attn.": "pre_norm_mha.1.",
        "ln_1": "pre_norm_mha.0", "ln_2": "pre_norm_ffn.0", "mlp.c_fc": "pre_norm_ffn.1",
        "mlp.c_proj": "pre_norm_ffn.4", "token_embedding": "embedding_layer",
        "positional_embedding": "positional_embedding.pos_embed.pos_embed", "resblocks.": "",
        "ln_final": "final_layer_norm", "text_projection": "projection_layer",
    }  # fmt: skip
    state = {"image_encoder.model.head.weight": torch.ones(3), "logit_scale": torch.ones(())}
    for name, value in tower.state_dict().items():
        apple = name
        for ours, theirs in names.items():
            apple = apple.replace(ours, theirs)
        if name != "attn_mask":
            state[f"text_encoder.{apple}"] = value
    torch.save(state, tmp_path / "apple.pt")
    head = head_of(load_yoloe("yoloe-11s-seg.yaml", 0).model)
    tokens = [[int(token) for token in row if token] for row in clip.tokenize(WORDS)]
    found = {}
    for file in ("tower.ts", "apple.pt"):
        encoder = read_encoder(tmp_path / file)
        graph, metadata = encoder_graph(encoder, head)
        from model_export.text_files import write_encoder

        tokenizer = tokenizer_json(find_merges())
        model = tmp_path / f"{file}.onnx"
        write_encoder(model, graph, tokenizer, {"prompt_model": "'yoloe-11s'", **metadata})
        prompts = [as_prompt(word) for word in WORDS]
        ours = TextEncoder(model.with_name(f"{file}.text.onnx")).encode(prompts, "yoloe-11s")
        found[file] = np.stack(list(ours.values()))
        theirs = reference_embeddings(encoder, head, tokens)
        assert np.sum(found[file] * theirs, axis=1).min() >= 0.9999
    np.testing.assert_allclose(found["tower.ts"], found["apple.pt"], atol=1e-4)


def no_file(path):
    return "does not exist"


def rubbish(path):
    path.write_bytes(b"<html>")
    return "is neither TorchScript nor a file of weights"


def another_network(path):
    torch.save({"layer.weight": torch.ones(3)}, path)
    return "holds no CLIP text transformer"


def no_table(path):
    torch.save([1, 2], path)
    return "holds no table of weights"


def other_names(path):
    as_script(Hidden(TextTower(random_weights(3, width=64, blocks=1))), path)
    return "holds no CLIP text transformer"


@pytest.mark.parametrize("make", [no_file, rubbish, another_network, no_table, other_names])
def test_encoders_that_are_none_are_refused_in_one_line(tmp_path, capsys, make):
    path = tmp_path / "encoder.pt"
    message = make(path)
    with pytest.raises(ConfigurationError, match=message):
        read_encoder(path)
    arguments = ["yoloe-11s-seg.yaml", "--words", "person", "--text-encoder", str(path)]
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("export_yoloe: ")
    assert message in said
    assert "\n" not in said

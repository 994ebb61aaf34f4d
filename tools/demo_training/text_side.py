"""The demo's text encoder: from words that WordNet knows to the embeddings of the demo's six.

A word's vector is what WordNet says that it is a kind of. A linear layer learns from `train_words`
which of the six words that is near, or none; it is then applied to all of WordNet's nouns, and what
it is sure of becomes the table of the encoder. Of a phrase its head counts: the last word, before a
preposition, after "of". What is near none has an embedding of length 0: the product refuses it.

    tokens      int64    (N, P)  0 behind the end
    embeddings  float32  (N, D)  of length 1, or 0
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from demo_training.wordnet import WordNet
from simulation_pkg.core.world.things import CLASS_NAMES

NONE = "none"
CONTEXT_LENGTH = 32
_PAD, _UNKNOWN, _BEGIN, _END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_SURE = 0.6  # probability from which a word is taken for near one of the six
_STEPS, _RATE, _DECAY = 300, 0.1, 1e-3
_BALANCE = -0.75  # 0: each word counts alike, -1: each class
_FAR_WORDS = 4000
_FAIR_SHARE = 0.25
_COMMON = 0.05
_OPSET, _IR_VERSION = 17, 9
_PREPOSITIONS = (
    "with|without|in|on|at|near|by|under|over|from|to|for|behind|beside|between|inside|outside|"
    "who|which|that|wearing|carrying|and|or"
)
_IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman"}

Shares = NDArray[np.float32]
"""(6): how near a word is to each of CLASS_NAMES, 0..1; all 0: to none."""


def held_out() -> dict[str, Any]:
    """Return what was fixed before the training, `held_out.json`."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name("held_out.json").read_text())
    return document


def train_words() -> dict[str, list[str]]:
    """Return what is trained on, by class, and `NONE`."""
    words = json.loads(Path(__file__).with_name("train_words.json").read_text())
    return {label: words[label] for label in (*CLASS_NAMES, NONE)}


def word_shares(
    wordnet: WordNet, words: Mapping[str, Sequence[str]], seed: int
) -> dict[str, Shares]:
    """Return the nouns of WordNet that are near one of the six, and how near; needs PyTorch."""
    import torch
    from torch.nn import functional

    torch.manual_seed(seed)
    labels = tuple(words)
    by_label: dict[str, list[Mapping[int, float]]] = {
        label: [f for word in own if (f := wordnet.features(_lemma(word)))]
        for label, own in words.items()
    }
    by_label[NONE] += _far_words(wordnet, by_label, seed)
    known = [(f, labels.index(label)) for label, own in by_label.items() for f in own]
    seen = sorted({kind for features, _ in known for kind in features})
    kinds = {kind: column for column, kind in enumerate(seen)}
    inputs = torch.from_numpy(_rows([features for features, _ in known], kinds))
    wanted = torch.tensor([label for _, label in known])
    # Classes have few words, `none` has many.
    weights = torch.bincount(wanted, minlength=len(labels)).clamp(min=1).float() ** _BALANCE
    layer = torch.nn.Linear(len(kinds), len(labels))
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=_RATE, weight_decay=_DECAY / _RATE)
    for _ in range(_STEPS):
        loss = functional.cross_entropy(layer(inputs), wanted, weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    names = [
        name
        for name in wordnet.words()
        if name.replace("_", "").isascii() and not wordnet.is_colour(name)
    ]
    found: dict[str, Shares] = {}
    with torch.no_grad():
        for first in range(0, len(names), 4096):
            part = names[first : first + 4096]
            rows = torch.from_numpy(_rows([wordnet.features(name) for name in part], kinds))
            said = layer(rows).softmax(1).numpy()[:, : len(CLASS_NAMES)]
            for name, shares in zip(part, said, strict=True):
                if shares.max() >= _SURE:
                    found[name.replace("_", " ")] = shares
    return found


def _far_words(
    wordnet: WordNet, by_label: Mapping[str, Sequence[Mapping[int, float]]], seed: int
) -> list[Mapping[int, float]]:
    """Return nouns that share nothing with the six words but what many of `NONE` have, too.

    Without them a word of which nothing is known, of anatomy say, would be near anything.
    """
    counts = Counter(kind for features in by_label[NONE] for kind in _mainly(features))
    common = {kind for kind, count in counts.items() if count >= _COMMON * len(by_label[NONE])}
    own = {
        kind
        for label, all_features in by_label.items()
        if label != NONE
        for features in all_features
        for kind in _mainly(features)
    } - common
    fixed = held_out()
    judged = {_lemma(word) for words in fixed["words"].values() for word in words}
    judged |= {_lemma(word) for word in fixed["strangers"]}
    names = [name for name in wordnet.words() if name not in judged]
    chosen = np.random.default_rng(seed).choice(len(names), _FAR_WORDS, replace=False)
    found = [wordnet.features(names[int(index)]) for index in chosen]
    return [features for features in found if not own & _mainly(features)]


def _mainly(features: Mapping[int, float]) -> set[int]:
    """Return what a word is a kind of in a fair share of its uses."""
    return {kind for kind, share in features.items() if share >= _FAIR_SHARE}


def _lemma(word: str) -> str:
    return word.replace(" ", "_")


def _rows(features: Sequence[Mapping[int, float]], kinds: Mapping[int, int]) -> NDArray[np.float32]:
    rows = np.zeros((len(features), len(kinds)), np.float32)
    for row, own in enumerate(features):
        for kind, share in own.items():
            if kind in kinds:
                rows[row, kinds[kind]] = share
    return rows


def lexicon(found: Mapping[str, Shares]) -> dict[str, Shares]:
    """Return the words of the encoder, singular and plural.

    Of compounds that WordNet knows only those are kept of which the last word would mislead.
    """
    single = {name: shares for name, shares in found.items() if " " not in name}
    compounds = {
        name: shares
        for name, shares in found.items()
        if " " in name
        and (name.split()[-1] not in single
             or single[name.split()[-1]].argmax() != shares.argmax())
        and shares.argmax() != CLASS_NAMES.index("person")  # thousands; their heads will do
    }  # fmt: skip
    words = single | compounds
    plurals = {_plural(name): shares for name, shares in words.items()}
    irregular = {many: words[one] for many, one in _IRREGULAR.items() if one in words}
    return plurals | irregular | words


def _plural(name: str) -> str:
    if name.endswith("man"):
        return name[:-3] + "men"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s")


def tokenizer_json(words: Sequence[str]) -> str:
    """Return the tokenizer's file: whole words, in this order, after four of its own."""
    special = (_PAD, _UNKNOWN, _BEGIN, _END)
    numbers = {name: number for number, name in enumerate((*special, *map(_lemma, words)))}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=_UNKNOWN))
    compounds = sorted((word for word in words if " " in word), key=len, reverse=True)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(Regex(rf" ({_PREPOSITIONS}) .*$"), ""),
            normalizers.Replace(Regex(r"^.* of (the |a |an )?"), ""),
            *(
                normalizers.Replace(Regex(rf"\b{word}$"), _lemma(word))
                for word in compounds
                if word.replace(" ", "").isalpha()
            ),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}",
        special_tokens=[(_BEGIN, numbers[_BEGIN]), (_END, numbers[_END])],
    )
    return str(tokenizer.to_str())


def text_graph(shares: Sequence[Shares], named: NDArray[np.float32]) -> onnx.ModelProto:
    """Build the encoder.

    Args:
        shares: of the tokenizer's words.
        named: (6, D) embeddings of CLASS_NAMES.
    """
    table = np.concatenate([np.zeros((4, len(CLASS_NAMES))), np.stack(shares)])
    # Nearness in steps of 1/255 is plenty, and half the file.
    table = np.rint(255.0 * table).astype(np.uint8)
    is_word = np.ones(len(table), np.float32)
    is_word[[0, 2, 3]] = 0.0
    constants = {
        "table": table,
        "is_word": is_word,
        "named": named.astype(np.float32),
        "least": np.array(1e-6, np.float32),
        "start": np.array(0, np.int64),
        "step": np.array(1, np.int64),
        "last_axis": np.array([1], np.int64),
        "first": np.array(1.0, np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Shape", ["tokens"], ["shape"]),
        node("Gather", ["shape", "step"], ["count"], axis=0),
        node("Range", ["start", "count", "step"], ["place"]),
        node("Cast", ["place"], ["place_f"], to=TensorProto.FLOAT),
        node("Add", ["place_f", "first"], ["weight"]),
        node("Gather", ["is_word", "tokens"], ["counts"]),
        node("Mul", ["counts", "weight"], ["order"]),
        node("ArgMax", ["order"], ["head"], axis=1, keepdims=1),  # of a phrase, its last word
        node("GatherElements", ["tokens", "head"], ["head_token"], axis=1),
        node("Squeeze", ["head_token", "last_axis"], ["word"]),
        node("Gather", ["table", "word"], ["row"]),
        node("Cast", ["row"], ["shares"], to=TensorProto.FLOAT),
        node("MatMul", ["shares", "named"], ["sum"]),
        node("ReduceL2", ["sum"], ["length"], axes=[1], keepdims=1),
        node("Max", ["length", "least"], ["divisor"]),
        node("Div", ["sum", "divisor"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "text",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", "P"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", named.shape[1]])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    return model

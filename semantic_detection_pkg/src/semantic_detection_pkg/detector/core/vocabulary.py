"""What the detector looks for: words, and what each of them means to a model.

A model with baked classes is asked for some of them (`ClassNames`). A model whose classes are an
input (`cls_w`, `cls_b`) is asked for any word with a known embedding (`WordEmbeddings`): the
embeddings are folded into the weights of the model's last layer and go in with each picture, so a
new vocabulary works from the next frame on.

Side file of such a model, `<model>.vocabulary.npz` beside `<model>.onnx`, no pickled objects. K
words, D numbers in an embedding, L levels of the head (P3, P4, P5), C channels before the last
1x1 convolution of the class branch:

    names       unicode  (K,)       words, different from each other
    embeddings  float32  (K, D)     one for each word, length 1
    fold_w      float32  (L, D, C)  weights of that convolution, batch normalisation folded in
    fold_b      float32  (L, D)     its bias
    gain        float32  (L,)       factor on the similarity, > 0: exp(logit_scale)
    bias        float32  (L,)       added to it

The score of embedding t at features f of level l is sigmoid(gain_l * t . (fold_w_l f + fold_b_l)
+ bias_l), the contrastive head of YOLOE. So the inputs of the model are, for word n,

    cls_w[l, n] = gain_l * t_n @ fold_w_l              (L, N_max, C)
    cls_b[l, n] = gain_l * t_n . fold_b_l + bias_l     (L, N_max)

and rows that hold no word have cls_w = 0 and cls_b = -30, which no threshold lets through.
Unknown arrays in the file are ignored, but for two that may be missing:

    model         unicode  ()       the checkpoint that the embeddings are of, "yoloe-11s" say
    text_encoder  unicode  ()       SHA-256 of the text encoder that was exported with the model

`model` must be what the model's metadata call `prompt_model`, where both say something: embeddings
of one checkpoint mean nothing to another, though they have the same shape.

A word that is not in the file can be learnt while the detector runs, by its embedding.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.class_names import NAMES_HINT, are_odd, is_text
from semantic_detection_pkg.detector.core.model_layout import PromptInputs
from semantic_detection_pkg.detector.core.prompts import WantedWord, as_prompt, wanted_words
from semantic_detection_pkg.errors import ConfigurationError

SIDE_FILE_SUFFIX = ".vocabulary.npz"
SIDE_FILE_ARRAYS = ("names", "embeddings", "fold_w", "fold_b", "gain", "bias")

# sigmoid(-30) = 1e-13.
_EMPTY_ROW_BIAS = -30.0


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words in force.

    Attributes:
        names: (n) words, different from each other; class ids of detections index them.
        columns: (k,) classes of the model that are looked for.
        inputs: further inputs of the model that make it so, by name; often empty.
        labels: (k,) index of the name of each column; None: there is one for each name, in order.
        dropped: wanted words that the model had no room for.
    """

    names: tuple[str, ...]
    columns: NDArray[np.intp]
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: NDArray[np.intp] | None = None
    dropped: tuple[str, ...] = ()


class WordTable(Protocol):
    """All words that a model can be asked for."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every word, in the model's or the file's order."""

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """Return the vocabulary that looks for `words`; for none: for all that is known.

        Letters' case is ignored, but where words differ in it alone. `new name=known word` looks
        for the known word and calls it by the new name; `car|bus` is one class of both. Where the
        model has room for a number of words, the first are taken and the others named as dropped.

        Raises:
            ConfigurationError: a word is unknown, empty or given twice.
        """

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the prompts that `learn` must be given embeddings for before `choose`.

        Empty for a model that can learn no word.

        Raises:
            ConfigurationError: a word is empty or given twice.
        """

    def learn(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """Take words that are not known, from any thread.

        Args:
            embeddings: (D) of length 1, by prompt.

        Raises:
            ConfigurationError: one has another length than the known ones, or no direction; or
                the model can learn none.
        """


class ClassNames:
    """The words of a model with baked classes; `known` are they, each once."""

    def __init__(self, names: Sequence[str]) -> None:
        """Args: names: of the classes, by id; "" where a class is unused, equal ones are one."""
        self.known: tuple[str, ...] = tuple(dict.fromkeys(filter(None, names)))
        columns: dict[str, list[int]] = {name: [] for name in self.known}
        for column, name in enumerate(names):
            if name:
                columns[name].append(column)
        self._columns = columns
        self._spelling = _finder(self.known)

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`; of a name that several classes have, all are looked for."""
        wanted = _wanted(words, self.known, self._find)
        groups = [
            [column for meaning in word.meanings for column in self._columns_of(meaning)]
            for word in wanted
        ]
        return _labelled(wanted, [np.array(group, np.intp) for group in groups])

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """See `WordTable.missing`: none can be learnt."""
        return ()

    def learn(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """See `WordTable.learn`: refused."""
        if embeddings:
            raise _unknown(next(iter(embeddings)), self.known)

    def _columns_of(self, meaning: str) -> list[int]:
        if meaning not in self._columns:
            raise _unknown(meaning, self.known)
        return self._columns[meaning]

    def _find(self, text: str) -> str | None:
        return _find(self._spelling, text)


def _wanted(
    words: Sequence[str], known: Sequence[str], find: Callable[[str], str | None]
) -> tuple[WantedWord, ...]:
    """Return what is wanted; for no words all that is known."""
    if not words:
        return tuple(WantedWord(name, (name,)) for name in known)
    return wanted_words(words, find)


def _labelled(wanted: Sequence[WantedWord], groups: Sequence[NDArray[np.intp]]) -> Vocabulary:
    """Return the vocabulary of baked classes, or of the rows of inputs, in groups of one name."""
    columns = np.concatenate([*groups, np.zeros(0, np.intp)])
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    names = tuple(word.name for word in wanted)
    return Vocabulary(names, columns, {}, labels if len(labels) > len(groups) else None)


def split_words(text: str, known: Sequence[str] = ()) -> list[str]:
    """Return the words of a text with commas between them.

    A word that has commas itself is recognised if it is known, and may stand in double quotes
    (as in CSV files, RFC 4180).

    Raises:
        ConfigurationError: the quotes do not pair.
    """
    try:
        (parts,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise ConfigurationError(f"vocabulary: {text!r} is no list of words: {error}") from None
    with_comma = {_bare(name) for name in known if "," in name}
    longest = max((name.count(",") for name in with_comma), default=0) + 1
    words: list[str] = []
    while parts:
        counts = range(min(longest, len(parts)), 1, -1)
        count = next((n for n in counts if _bare(_meaning(parts[:n])) in with_comma), 1)
        words.append(",".join(parts[:count]))
        del parts[:count]
    return words


def _meaning(parts: Sequence[str]) -> str:
    text = ",".join(parts)
    return text.partition("=")[2] or text


def _bare(name: str) -> str:
    """Return a word without what does not tell words apart: case, blanks about commas."""
    return ",".join(part.strip() for part in name.casefold().split(","))


def check_checkpoint(
    name: str, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Check that the embeddings of a side file are for this model.

    Args:
        name: of the model, for the message.
        arrays: of the side file.
        metadata: of the model.

    Raises:
        ConfigurationError: they are of another checkpoint.
    """
    model = str(metadata.get("prompt_model", "")).strip("'\"")
    embeddings = str(arrays.get("model", ""))
    if model and embeddings and model != embeddings:
        raise ConfigurationError(
            f"vocabulary file: embeddings are of {embeddings!r}, {name} is of {model!r}: they mean "
            "nothing to it; take the file that was exported with the model"
        )


class WordEmbeddings:
    """Words with embeddings, and how they become inputs of a model. Arrays as in the side file."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], slots: PromptInputs) -> None:
        """Take the arrays of a side file.

        Args:
            arrays: those named in `SIDE_FILE_ARRAYS`.
            slots: the inputs of the model that they are for.

        Raises:
            ConfigurationError: an array is missing, has the wrong shape or unusable numbers.
        """
        missing = [name for name in SIDE_FILE_ARRAYS if name not in arrays]
        if missing:
            raise ConfigurationError(
                f"vocabulary file: array {missing[0]!r} is missing; needed: "
                + ", ".join(SIDE_FILE_ARRAYS)
            )
        self.known: tuple[str, ...] = tuple(str(name) for name in arrays["names"].ravel())
        embedding_size = arrays["embeddings"].shape[-1] if arrays["embeddings"].ndim else 0
        levels, channels = slots.levels, slots.channels
        self._slots = slots
        self._embeddings = _checked(arrays, "embeddings", (len(self.known), embedding_size))
        self._fold_w = _checked(arrays, "fold_w", (levels, embedding_size, channels))
        self._fold_b = _checked(arrays, "fold_b", (levels, embedding_size))
        self._gain = _checked(arrays, "gain", (levels,))
        self._bias = _checked(arrays, "bias", (levels,))
        is_named = arrays["names"].dtype.kind == "U" and all(map(is_text, self.known))
        is_named &= len(set(self.known)) == len(self.known) > 0
        if not is_named or not all(map(str.strip, self.known)):
            raise ConfigurationError(
                "vocabulary file: names must hold at least one word, all texts, none empty or twice"
            )
        lengths = np.linalg.norm(self._embeddings, axis=1)
        if not np.allclose(lengths, 1.0, atol=1e-3):
            worst = int(np.argmax(np.abs(lengths - 1.0)))
            raise ConfigurationError(
                f"vocabulary file: the embedding of {self.known[worst]!r} has length "
                f"{lengths[worst]:.4g}; embeddings must have length 1"
            )
        if not (self._gain > 0).all():
            raise ConfigurationError("vocabulary file: gain must be > 0 at every level")
        self._rows = {name: row for row, name in enumerate(self.known)}
        self._spelling = _finder(self.known)
        self._learnt: dict[str, NDArray[np.float32]] = {}

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`."""
        wanted, dropped = self._fitting(words)
        embeddings = [self._embedding(meaning) for word in wanted for meaning in word.meanings]
        count, capacity = len(embeddings), self._slots.capacity
        cls_w = np.zeros((self._slots.levels, capacity, self._slots.channels), np.float32)
        cls_b = np.full((self._slots.levels, capacity), _EMPTY_ROW_BIAS, np.float32)
        if embeddings:
            cls_w[:, :count], cls_b[:, :count] = self.fold(np.stack(embeddings))
        ends = np.cumsum([len(word.meanings) for word in wanted], dtype=np.intp)
        vocabulary = _labelled(wanted, np.split(np.arange(count), ends[:-1]))
        dtype = self._slots.dtype
        inputs = {"cls_w": cls_w.astype(dtype), "cls_b": cls_b.astype(dtype)}
        return dataclasses.replace(vocabulary, inputs=inputs, dropped=dropped)

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:
        """See `WordTable.missing`; not of words that there is no room for."""
        wanted, _ = self._fitting(words)
        prompts = (
            as_prompt(meaning)
            for word in wanted
            for meaning in word.meanings
            if meaning not in self._rows
        )
        return tuple(dict.fromkeys(one for one in prompts if one not in self._learnt))

    def learn(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """See `WordTable.learn`."""
        size = self._embeddings.shape[1]
        for prompt, vector in embeddings.items():
            if vector.shape != (size,) or not np.isclose(np.linalg.norm(vector), 1.0, atol=1e-3):
                raise ConfigurationError(
                    f"embedding of {prompt!r}: {vector.shape} of length "
                    f"{np.linalg.norm(vector):.4g}; ({size},) of length 1 is needed"
                )
        self._learnt = {**self._learnt, **embeddings}

    def fold(
        self, embeddings: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return weights (L, n, C) and biases (L, n) for n embeddings (n, D)."""
        scaled = self._gain[:, None, None] * embeddings  # (L, n, D)
        weights = scaled @ self._fold_w
        biases = (scaled @ self._fold_b[:, :, None])[..., 0] + self._bias[:, None]
        return weights, biases

    def _fitting(self, words: Sequence[str]) -> tuple[tuple[WantedWord, ...], tuple[str, ...]]:
        """Return the words that there is room for, and the names of the others."""
        wanted = _wanted(words, self.known, lambda text: _find(self._spelling, text))
        room = self._slots.capacity
        for count, word in enumerate(wanted):
            room -= len(word.meanings)
            if room < 0 and count == 0:
                raise ConfigurationError(
                    f"vocabulary: {word.name!r} looks for {len(word.meanings)} things, the model "
                    f"takes at most {self._slots.capacity}"
                )
            if room < 0:
                return wanted[:count], tuple(one.name for one in wanted[count:])
        return wanted, ()

    def _embedding(self, meaning: str) -> NDArray[np.float32]:
        if meaning in self._rows:
            return self._embeddings[self._rows[meaning]]
        learnt = self._learnt.get(as_prompt(meaning))
        if learnt is None:
            raise _unknown(meaning, self.known, "; any other needs the model's text encoder")
        return learnt


def _finder(known: Sequence[str]) -> dict[str, str]:
    """Return the known spelling of words, by what they may be typed like; see `_find`."""
    spelling = {_bare(name): name for name in reversed(known)}
    return spelling | {name: name for name in known}


def _find(spelling: Mapping[str, str], text: str) -> str | None:
    return spelling.get(text, spelling.get(_bare(text)))


def _unknown(word: str, known: Sequence[str], hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"vocabulary: {word!r} is unknown; known: {', '.join(known)}"
        + (f"; these are odd: {NAMES_HINT}" if are_odd(known) else "")
        + hint
    )


def _checked(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    array = arrays[name]
    if array.shape != shape or array.dtype.kind != "f":
        raise ConfigurationError(
            f"vocabulary file: {name} is {array.dtype} {array.shape}; "
            f"with this model it must be float32 {shape}"
        )
    if not np.isfinite(array).all():
        raise ConfigurationError(f"vocabulary file: {name} holds NaN or infinity")
    return np.ascontiguousarray(array, np.float32)

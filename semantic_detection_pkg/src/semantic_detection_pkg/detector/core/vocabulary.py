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
Unknown arrays in the file are ignored, but for one that may be missing:

    model       unicode  ()         the checkpoint that the embeddings are of, "yoloe-11s" say

It must be what the model's metadata call `prompt_model`, where both say something: embeddings of
one checkpoint mean nothing to another, though they have the same shape.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.class_names import NAMES_HINT, are_odd, is_text
from semantic_detection_pkg.detector.core.model_layout import PromptInputs
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
    """

    names: tuple[str, ...]
    columns: NDArray[np.intp]
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: NDArray[np.intp] | None = None


class WordTable(Protocol):
    """All words that a model can be asked for."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every word, in the model's or the file's order."""

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """Return the vocabulary that looks for `words`; for none: for all that is known.

        Letters' case is ignored, but where words differ in it alone. `new name=known word` looks
        for the known word and calls it by the new name.

        Raises:
            ConfigurationError: a word is unknown, empty or given twice, or there are too many.
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
        self._columns = [columns[name] for name in self.known]

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`; of a name that several classes have, all are looked for."""
        names, positions = _look_up(words, self.known)
        groups = [self._columns[position] for position in positions]
        columns = np.array([column for group in groups for column in group], np.intp)
        labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
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

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`."""
        names, rows = _look_up(words, self.known)
        capacity = self._slots.capacity
        if len(names) > capacity:
            raise ConfigurationError(
                f"vocabulary: {len(names)} words are too many; the model takes at most {capacity}"
            )
        weights, biases = self.fold(rows)
        cls_w = np.zeros((self._slots.levels, capacity, self._slots.channels), np.float32)
        cls_b = np.full((self._slots.levels, capacity), _EMPTY_ROW_BIAS, np.float32)
        cls_w[:, : len(names)] = weights
        cls_b[:, : len(names)] = biases
        dtype = self._slots.dtype
        inputs = {"cls_w": cls_w.astype(dtype), "cls_b": cls_b.astype(dtype)}
        return Vocabulary(names, np.arange(len(names)), inputs)

    def fold(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return weights (L, n, C) and biases (L, n) for the n words at `rows` of the table."""
        scaled = self._gain[:, None, None] * self._embeddings[rows]  # (L, n, D)
        weights = scaled @ self._fold_w
        biases = (scaled @ self._fold_b[:, :, None])[..., 0] + self._bias[:, None]
        return weights, biases


def _look_up(
    words: Sequence[str], known: tuple[str, ...]
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Return names to show and positions in `known` for the wanted words; all for none."""
    if not words:
        return known, np.arange(len(known))
    position_of = {_bare(name): i for i, name in reversed(list(enumerate(known)))}
    position_of.update((name, i) for i, name in enumerate(known))

    def find(text: str) -> int | None:
        return position_of.get(text, position_of.get(_bare(text)))

    names: list[str] = []
    positions: list[int] = []
    for word in words:
        position = find(word.strip())  # known words may have "=" in them
        name, _, meaning = (part.strip() for part in word.partition("="))
        is_renamed = position is None and bool(meaning)
        if not name:
            raise ConfigurationError(f"vocabulary: {word!r} is not a word")
        if position is None:
            position = find(meaning or name)
        if position is None:
            raise ConfigurationError(
                f"vocabulary: {meaning or name!r} is unknown; known: {_listed(known)}"
                + (f"; these are odd: {NAMES_HINT}" if are_odd(known) else "")
            )
        # Without a new name the known spelling is shown.
        name = name if is_renamed else known[position]
        if name in names:
            raise ConfigurationError(f"vocabulary: {name!r} is given twice")
        names.append(name)
        positions.append(position)
    return tuple(names), np.array(positions, np.intp)


def _listed(known: Iterable[str]) -> str:
    return ", ".join(known)


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

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
Unknown arrays in the file are ignored, but for some that may be missing:

    model         unicode  ()       the checkpoint that the embeddings are of, "yoloe-11s" say
    text_encoder  unicode  ()       SHA-256 of the text encoder that was exported with the model
    example_encoder  unicode  ()    the same of the example network

`model` must be what the model's metadata call `prompt_model`, where both say something: embeddings
of one checkpoint mean nothing to another, though they have the same shape.

A word that is not in the file can be learnt while the detector runs, by its embedding.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.detector.core.class_names import is_text
from semantic_detection_pkg.detector.core.examples import MOST_EXAMPLES, Examples
from semantic_detection_pkg.detector.core.model_layout import PromptInputs
from semantic_detection_pkg.detector.core.prompts import WantedWord, as_prompt
from semantic_detection_pkg.detector.core.side_file import checked_array
from semantic_detection_pkg.detector.core.word_table import (
    Meaning,
    Vocabulary,
    class_of,
    find_known,
    finder,
    labelled,
    nothing_shown,
    unknown,
    wanted_of,
)
from semantic_detection_pkg.errors import ConfigurationError

SIDE_FILE_SUFFIX = ".vocabulary.npz"
SIDE_FILE_ARRAYS = ("names", "embeddings", "fold_w", "fold_b", "gain", "bias")

# sigmoid(-30) = 1e-13.
_EMPTY_ROW_BIAS = -30.0


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
        self._spelling = finder(self.known)
        self.space = ""

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`; of a name that several classes have, all are looked for."""
        wanted = wanted_of(words, self.known, self._find)
        groups = [
            [column for meaning in word.meanings for column in self._columns_of(meaning)]
            for word in wanted
        ]
        vocabulary = labelled(wanted, [np.array(group, np.intp) for group in groups])
        return dataclasses.replace(vocabulary, wanted=tuple(words))

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """See `WordTable.missing`: none can be learnt."""
        return ()

    def learn(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """See `WordTable.learn`: refused."""
        if embeddings:
            raise unknown(next(iter(embeddings)), self.known)

    def show(
        self,
        name: str,
        embedding: NDArray[np.float32],  # noqa: ARG002
        *,
        is_negative: bool,  # noqa: ARG002
        needs_class: bool = False,  # noqa: ARG002
    ) -> None:
        """See `WordTable.show`: refused."""
        raise ConfigurationError(
            f"example of {name!r}: the model's classes are baked; export it with --classes runtime"
        )

    def class_of(self, name: str, words: Sequence[str]) -> str:
        """See `WordTable.class_of`."""
        return class_of(name, wanted_of(words, self.known, self._find))

    def meanings(self, vocabulary: Vocabulary) -> tuple[Meaning, ...]:
        """See `WordTable.meanings`: all are prepared."""
        wanted = wanted_of(vocabulary.wanted, self.known, self._find)
        return tuple(
            Meaning(place, text) for place, word in enumerate(wanted) for text in word.meanings
        )

    def forget(self, name: str) -> None:
        """See `WordTable.forget`: there are none."""
        raise nothing_shown(name)

    def _columns_of(self, meaning: str) -> list[int]:
        if meaning not in self._columns:
            raise unknown(meaning, self.known)
        return self._columns[meaning]

    def _find(self, text: str) -> str | None:
        return find_known(self._spelling, text)


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
        self.embedding_size = embedding_size
        levels, channels = slots.levels, slots.channels
        self._slots = slots
        self._embeddings = checked_array(arrays, "embeddings", (len(self.known), embedding_size))
        self._fold_w = checked_array(arrays, "fold_w", (levels, embedding_size, channels))
        self._fold_b = checked_array(arrays, "fold_b", (levels, embedding_size))
        self._gain = checked_array(arrays, "gain", (levels,))
        self._bias = checked_array(arrays, "bias", (levels,))
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
        self._spelling = finder(self.known)
        self._learnt: dict[str, NDArray[np.float32]] = {}
        self._shown: dict[str, Examples] = {}
        folded = self._fold_w, self._fold_b, self._gain, self._bias
        digest = hashlib.sha256(b"".join(one.tobytes() for one in folded)).hexdigest()[:16]
        self.space = f"{arrays.get('model', '')} {digest}".strip()

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`."""
        wanted, dropped = self._fitting(words)
        groups = [self._class_embeddings(word) for word in wanted]
        embeddings = [one for group in groups for one in group]
        count, capacity = len(embeddings), self._slots.capacity
        cls_w = np.zeros((self._slots.levels, capacity, self._slots.channels), np.float32)
        cls_b = np.full((self._slots.levels, capacity), _EMPTY_ROW_BIAS, np.float32)
        if embeddings:
            cls_w[:, :count], cls_b[:, :count] = self.fold(np.stack(embeddings))
        ends = np.cumsum([len(group) for group in groups], dtype=np.intp)
        vocabulary = labelled(wanted, np.split(np.arange(count), ends[:-1]))
        dtype = self._slots.dtype
        inputs = {"cls_w": cls_w.astype(dtype), "cls_b": cls_b.astype(dtype)}
        return dataclasses.replace(vocabulary, inputs=inputs, dropped=dropped, wanted=tuple(words))

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:
        """See `WordTable.missing`; not of words that there is no room for."""
        wanted, _ = self._fitting(words)
        prompts = (
            as_prompt(meaning)
            for word in wanted
            if not self._class_examples(word).positives
            for meaning in word.meanings
            if meaning not in self._rows
        )
        shown = {prompt for prompt, one in self._shown.items() if one.positives}
        return tuple(
            dict.fromkeys(one for one in prompts if one not in self._learnt.keys() | shown)
        )

    def learn(self, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """See `WordTable.learn`."""
        for prompt, vector in embeddings.items():
            self._check_embedding(prompt, vector)
        self._learnt = {**self._learnt, **embeddings}

    def show(
        self,
        name: str,
        embedding: NDArray[np.float32],
        *,
        is_negative: bool,
        needs_class: bool = False,
    ) -> None:
        """See `WordTable.show`."""
        (word,) = wanted_of([name], self.known, self._find)
        if len(word.meanings) > 1 or word.name != word.meanings[0]:
            raise ConfigurationError(f"example: {name!r} is not one plain name")
        self._check_embedding(name, embedding)
        count = sum(len(one.positives) + len(one.negatives) for one in self._shown.values())
        if count >= MOST_EXAMPLES:
            raise ConfigurationError(
                f"example of {word.name!r}: {count} are known, no more are taken: forget some"
            )
        prompt = as_prompt(word.name)
        examples = self._shown.get(prompt, Examples()).plus(embedding, is_negative=is_negative)
        if needs_class and not examples.positives and self._word(word.name) is None:
            raise ConfigurationError(
                f"example: {word.name!r} is no class yet: something that it is comes first"
            )
        self._shown = {**self._shown, prompt: examples}

    def forget(self, name: str) -> None:
        """See `WordTable.forget`."""
        prompt = as_prompt(name)
        if name and prompt not in self._shown:
            raise nothing_shown(name)
        self._shown = {one: shown for one, shown in self._shown.items() if name and one != prompt}

    def class_of(self, name: str, words: Sequence[str]) -> str:
        """See `WordTable.class_of`."""
        return class_of(name, wanted_of(words, self.known, self._find))

    def meanings(self, vocabulary: Vocabulary) -> tuple[Meaning, ...]:
        """See `WordTable.meanings`."""
        wanted, _ = self._fitting(vocabulary.wanted)
        return tuple(
            one for place, word in enumerate(wanted) for one in self._meanings(place, word)
        )

    def _meanings(self, place: int, word: WantedWord) -> list[Meaning]:
        shown = self._class_examples(word)
        counts = len(shown.positives), len(shown.negatives)
        if shown.positives:
            return [Meaning(place, word.name, WordOrigin.EXAMPLES, *counts)]
        first, *others = (self._meaning(place, text) for text in word.meanings)
        negatives = first.negatives + len(shown.negatives)
        return [dataclasses.replace(first, negatives=negatives), *others]

    def _meaning(self, place: int, text: str) -> Meaning:
        prompt = as_prompt(text)
        shown = self._shown.get(prompt, Examples())
        counts = len(shown.positives), len(shown.negatives)
        typed = None if text in self._rows else self._learnt.get(prompt)
        if shown.positives:
            return Meaning(place, text, WordOrigin.EXAMPLES, *counts, typed)
        origin = WordOrigin.PREPARED if typed is None else WordOrigin.ENCODED
        return Meaning(place, text, origin, *counts, typed)

    def _check_embedding(self, name: str, vector: NDArray[np.float32]) -> None:
        size, length = self._embeddings.shape[1], float(np.linalg.norm(vector))
        if vector.shape != (size,) or not np.isclose(length, 1.0, atol=1e-3):
            raise ConfigurationError(
                f"embedding of {name!r}: {vector.shape} of length {length:.4g}; ({size},) of "
                "length 1 is needed"
            )

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
        wanted = wanted_of(words, self.known, self._find)
        room = self._slots.capacity
        for count, word in enumerate(wanted):
            things = 1 if self._class_examples(word).positives else len(word.meanings)
            room -= things
            if room < 0 and count == 0:
                raise ConfigurationError(
                    f"vocabulary: {word.name!r} looks for {things} things, the model "
                    f"takes at most {self._slots.capacity}"
                )
            if room < 0:
                return wanted[:count], tuple(one.name for one in wanted[count:])
        return wanted, ()

    def _class_examples(self, word: WantedWord) -> Examples:
        """Return what was shown of a class by a name of its own (coat=raincoat|rain jacket).

        Where that replaces all that the class looks for, what was shown of those counts with it.
        """
        prompt, meanings = as_prompt(word.name), [as_prompt(one) for one in word.meanings]
        own = Examples() if prompt in meanings else self._shown.get(prompt, Examples())
        if not own.positives:
            return own
        return own.joined(self._shown[one] for one in meanings if one in self._shown)

    def _class_embeddings(self, word: WantedWord) -> list[NDArray[np.float32]]:
        """Return one for each thing that a class looks for; examples of it replace its words."""
        shown = self._class_examples(word)
        words = [None] if shown.positives else [self._embedding(one) for one in word.meanings]
        if not shown.negatives and not shown.positives:
            return [one for one in words if one is not None]
        return [one for each in words if (one := shown.embedding(each)) is not None]

    def _embedding(self, meaning: str) -> NDArray[np.float32]:
        examples = self._shown.get(as_prompt(meaning), Examples())
        found = examples.embedding(self._word(meaning))
        return self._known_or_refused(meaning) if found is None else found

    def _known_or_refused(self, meaning: str) -> NDArray[np.float32]:
        found = self._word(meaning)
        if found is None:
            raise unknown(meaning, self.known, "; any other needs the model's text encoder")
        return found

    def _word(self, meaning: str) -> NDArray[np.float32] | None:
        """Return a word's embedding as it was given; None where it has none."""
        if meaning in self._rows:
            return self._embeddings[self._rows[meaning]]
        return self._learnt.get(as_prompt(meaning))

    def _find(self, text: str) -> str | None:
        return find_known(self._spelling, text)

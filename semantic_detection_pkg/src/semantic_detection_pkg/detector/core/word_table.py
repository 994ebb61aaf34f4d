"""Words in force, and what can be asked for: what tables of words of all models share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.detector.core.class_names import NAMES_HINT, are_odd
from semantic_detection_pkg.detector.core.prompts import WantedWord, as_prompt, wanted_words
from semantic_detection_pkg.detector.core.second_look import ExampleClasses
from semantic_detection_pkg.errors import ConfigurationError


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words in force.

    Attributes:
        names: (n) words, different from each other; class ids of detections index them.
        columns: (k,) classes of the model that are looked for.
        inputs: further inputs of the model that make it so, by name; often empty.
        labels: (k,) index of the name of each column; None: there is one for each name, in order.
        dropped: wanted words that the model had no room for.
        wanted: the words as they were asked for; empty: all that is known.
        shown: classes that a second look tells apart; None: of none.
    """

    names: tuple[str, ...]
    columns: NDArray[np.intp]
    inputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: NDArray[np.intp] | None = None
    dropped: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    shown: ExampleClasses | None = None


@dataclass(frozen=True, eq=False)
class Meaning:
    """One thing that a word in force looks for.

    Attributes:
        word: index into the vocabulary's names.
        text: in the known spelling, or as typed.
        origin: where the table has it from; of typed words ENCODED, as it knows no cache.
        positives, negatives: examples of it, and of what it is not.
        embedding: (D) of a typed word, without its examples; None: of any other.
    """

    word: int
    text: str
    origin: WordOrigin = WordOrigin.PREPARED
    positives: int = 0
    negatives: int = 0
    embedding: NDArray[np.float32] | None = None


class WordTable(Protocol):
    """All words that a model can be asked for."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every word, in the model's or the file's order."""

    @property
    def space(self) -> str:
        """What its embeddings are of: those of another mean nothing to it; "": it has none."""

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

    def class_of(self, name: str, words: Sequence[str]) -> str:
        """Return which of the classes that words ask for is called, or looks for, this; "": none.

        Args:
            words: as typed; none: all that is known.
        """

    def meanings(self, vocabulary: Vocabulary) -> tuple[Meaning, ...]:
        """Return what the words of a vocabulary that `choose` made look for, in their order."""

    def forget(self, name: str) -> None:
        """Forget what was shown of a class; "": of all; from any thread.

        Raises:
            ConfigurationError: nothing was shown of it.
        """

    def show(
        self,
        name: str,
        embedding: NDArray[np.float32],
        *,
        is_negative: bool,
        needs_class: bool = False,
    ) -> None:
        """Take an example of a class, see `core.examples`; from any thread.

        Args:
            name: of the class, new or known.
            embedding: (D) of length 1.
            is_negative: it is not of this class.
            needs_class: refuse what lowers a class that is not known; else it lowers the word when
                somebody types that again, as after a restart.

        Raises:
            ConfigurationError: the name is no word, the embedding of another kind; the class is
                needed and not there; there are too many; or the model takes no examples.
        """


def wanted_of(
    words: Sequence[str], known: Sequence[str], find: Callable[[str], str | None]
) -> tuple[WantedWord, ...]:
    """Return what is wanted; for no words all that is known."""
    if not words:
        return tuple(WantedWord(name, (name,)) for name in known)
    return wanted_words(words, find)


def class_of(name: str, wanted: Sequence[WantedWord]) -> str:
    """Return the class that is called so, else the first that looks for it; "": none."""
    prompt = as_prompt(name)
    called = (word.name for word in wanted if as_prompt(word.name) == prompt)
    meant = (word.name for word in wanted if prompt in map(as_prompt, word.meanings))
    return next(called, next(meant, ""))


def labelled(wanted: Sequence[WantedWord], groups: Sequence[NDArray[np.intp]]) -> Vocabulary:
    """Return the vocabulary of baked classes, or of the rows of inputs, in groups of one name."""
    columns = np.concatenate([*groups, np.zeros(0, np.intp)])
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    names = tuple(word.name for word in wanted)
    is_plain = all(len(group) == 1 for group in groups)
    return Vocabulary(names, columns, {}, None if is_plain else labels)


def finder(known: Sequence[str]) -> dict[str, str]:
    """Return the known spelling of words, by what they may be typed like; see `_find`."""
    spelling = {bare(name): name for name in reversed(known)}
    return spelling | {name: name for name in known}


def find_known(spelling: Mapping[str, str], text: str) -> str | None:
    return spelling.get(text, spelling.get(bare(text)))


def unknown(word: str, known: Sequence[str], hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"vocabulary: {word!r} is unknown; known: {', '.join(known)}"
        + (f"; these are odd: {NAMES_HINT}" if are_odd(known) else "")
        + hint
    )


def nothing_shown(name: str) -> ConfigurationError:
    return ConfigurationError(f"examples: nothing was shown of {name!r}")


def bare(name: str) -> str:
    """Return a word without what does not tell words apart: case, blanks about commas."""
    return ",".join(part.strip() for part in name.casefold().split(","))

"""The words that a classifier's classes stand for: one made for other words has opinions on few."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.labels import NO_WORD
from semantic_detection_pkg.detector.core.class_names import is_text
from semantic_detection_pkg.errors import ModelError

_KEYS = ("words", "min_crop_px")
_WORDS_SHOWN = 8


def in_short(words: Sequence[str]) -> str:
    """Return the first words in a line, and how many more there are."""
    more = len(words) - _WORDS_SHOWN
    return ", ".join(words[:_WORDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class ClassifierWords:
    """What a table beside a model says.

    Attributes:
        classes: of each word, at least one.
        min_crop_px: smallest crop that the model is asked about [px]; None: the model says it.
        source: of the table, for messages.
    """

    classes: Mapping[str, tuple[str, ...]]
    min_crop_px: float | None = None
    source: str = "words"

    @classmethod
    def from_json(cls, document: Any, source: str) -> ClassifierWords:
        """Read `{"words": {WORD: [CLASS, ...]}, "min_crop_px": 96}`; the latter may be left out.

        Raises:
            ModelError: it is none of this.
        """
        table = document.get("words") if isinstance(document, dict) else None
        if not isinstance(table, dict) or not table:
            raise ModelError(
                f'{source}: {{"words": {{WORD: [CLASS, ...]}}}} is needed, with at least one word'
            )
        unknown = sorted(set(document) - set(_KEYS))
        if unknown:
            raise ModelError(
                f"{source}: key '{unknown[0]}' is unknown, known are {', '.join(_KEYS)}"
            )
        classes = {}
        for word, names in table.items():
            is_list = isinstance(names, list) and names
            if not is_list or not all(isinstance(name, str) for name in names):
                raise ModelError(f"{source}: word '{word}' needs a list of one class or more")
            if not word.strip() or not all(map(is_text, (word, *names))):
                raise ModelError(f"{source}: word {word[:40]!r} and its classes must be texts")
            if word == NO_WORD:
                raise ModelError(f"{source}: '{NO_WORD}' is what no word stands for")
            classes[word] = tuple(names)
        least_px = document.get("min_crop_px")
        is_number = isinstance(least_px, int | float) and not isinstance(least_px, bool)
        if least_px is not None and not (is_number and 0.0 <= least_px <= 4096.0):
            raise ModelError(
                f"{source}: min_crop_px {repr(least_px)[:40]} must be a number from 0 to 4096"
            )
        return cls(classes, None if least_px is None else float(least_px), source)


class WordSums:
    """From a probability of each class to one of each word, and of what has no word.

    Attributes:
        names: the words, then `NO_WORD`.
    """

    def __init__(self, words: ClassifierWords, classes: tuple[str, ...], model: str) -> None:
        """Find the words' classes.

        Args:
            classes: of the model's outputs.
            model: for messages.

        Raises:
            ModelError: the model has no such class, or a class stands for two words.
        """
        # ImageNet writes "sports car, sport car": the first name is enough.
        index = {name.split(",")[0].strip(): at for at, name in reversed(list(enumerate(classes)))}
        index |= {name: at for at, name in enumerate(classes)}
        self.names = (*words.classes, NO_WORD)
        self._word_of = np.full(len(classes), len(words.classes), np.intp)
        for number, (word, names) in enumerate(words.classes.items()):
            for name in names:
                if name not in index:
                    near = difflib.get_close_matches(name, index, n=1)
                    hint = f"; is '{near[0]}' meant?" if near else ""
                    raise ModelError(f"{words.source}: model {model} has no class '{name}'{hint}")
                at = index[name]
                if self._word_of[at] not in (number, len(words.classes)):
                    other = self.names[self._word_of[at]]
                    raise ModelError(
                        f"{words.source}: class '{name}' stands for '{other}' and for '{word}'"
                    )
                self._word_of[at] = number

    def of(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each of `names`, from (n,) those of the classes."""
        sums = np.bincount(self._word_of, weights=shares, minlength=len(self.names))
        assert math.isclose(float(sums.sum()), float(shares.sum()), abs_tol=1e-6)
        return np.asarray(sums)

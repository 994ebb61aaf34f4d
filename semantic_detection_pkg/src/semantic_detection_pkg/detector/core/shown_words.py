"""Words of a model whose examples are compared by a second look; see `core.second_look`.

Its side file holds, beside the arrays of `core.vocabulary`:

    thing     float32  (D,)   finds things, whatever they are, as a word would; of any length
    likeness  float32  (2,)   gain, > 0, and offset of `second_look.Likeness`

Its examples are of the length of words, but not of their kind: they never enter the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.examples import Examples
from semantic_detection_pkg.detector.core.model_layout import PromptInputs
from semantic_detection_pkg.detector.core.prompts import WantedWord, as_prompt
from semantic_detection_pkg.detector.core.second_look import ExampleClasses, Likeness
from semantic_detection_pkg.detector.core.side_file import checked_array
from semantic_detection_pkg.detector.core.vocabulary import WordEmbeddings
from semantic_detection_pkg.detector.core.word_table import Meaning, Vocabulary
from semantic_detection_pkg.errors import ConfigurationError

THING, LIKENESS = "thing", "likeness"


class ShownWords(WordEmbeddings):
    """Words with embeddings, and classes by example that a second look tells apart."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], slots: PromptInputs) -> None:
        """Take the arrays of a side file, see `WordEmbeddings`.

        Raises:
            ConfigurationError: see there; of its own arrays, too.
        """
        super().__init__(arrays, slots)
        self._thing = checked_array(arrays, THING, (self.embedding_size,))
        self._likeness = Likeness(*checked_array(arrays, LIKENESS, (2,)).tolist())
        if self._likeness.gain <= 0.0:  # what is unlike would be found, or everything
            raise ConfigurationError(
                f"vocabulary file: the gain of likeness is {self._likeness.gain:g}; it must be > 0"
            )
        self.space = f"{self.space} {str(arrays.get('example_encoder', ''))[:16]}".strip()

    def choose(self, words: Sequence[str]) -> Vocabulary:
        """See `WordTable.choose`; what was shown is found by one row for all of it."""
        vocabulary = super().choose(words)
        wanted, _ = self._fitting(words)
        alike, unlike = {}, {}
        for label, word in enumerate(wanted):
            shown = self._class_examples(word)
            if shown.positives:
                found = shown.embedding(None)
                assert found is not None  # it has one where something was shown
                alike[label] = found
            elif shown.negatives:
                unlike[label] = np.stack(shown.negatives)
        if not alike and not unlike:
            return vocabulary
        row = len(vocabulary.columns) if alike else None
        if row is not None:  # each class that was shown left its place empty
            weights, biases = self.fold(self._thing[None])
            vocabulary.inputs["cls_w"][:, row] = weights[:, 0]
            vocabulary.inputs["cls_b"][:, row] = biases[:, 0]
        shown_classes = ExampleClasses(row, alike, unlike, self._likeness)
        return dataclasses.replace(vocabulary, shown=shown_classes)

    def _class_examples(self, word: WantedWord) -> Examples:
        """Return what was shown of a class by its own name and by what it looks for."""
        prompts = dict.fromkeys(map(as_prompt, (word.name, *word.meanings)))
        shown = [self._shown[one] for one in prompts if one in self._shown]
        return shown[0] if len(shown) == 1 else Examples().joined(shown)

    def _class_embeddings(self, word: WantedWord) -> list[NDArray[np.float32]]:
        """Return the words' own; none of a class that was shown."""
        if self._class_examples(word).positives:
            return []
        return [self._known_or_refused(one) for one in word.meanings]

    def _meanings(self, place: int, word: WantedWord) -> list[Meaning]:
        """Return them; what the class is not is told with the first."""
        negatives = len(self._class_examples(word).negatives)
        first, *others = super()._meanings(place, word)
        return [
            dataclasses.replace(first, negatives=negatives),
            *(dataclasses.replace(one, negatives=0) for one in others),
        ]

"""Classes by example: "more like this" and "not this".

An example is an embedding, of the kind that words have. Examples of a name are averaged and replace
the word's own embedding. What it is not lowers it: with t the class's embedding and u the direction
in which a negative n differs from t, u = (n - (n . t) t) / |n - (n . t) t|, the class becomes

    t - min(n . t / (n . u), 2) u

whose similarity to t is as before, to n none, or less by 2 (n . u) where n is almost t. Several
negatives are taken one after the other, each by what it has beyond those before. No place of the
model is used up, and other classes stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import ConfigurationError

#: That a detector knows at once; more are refused.
MOST_EXAMPLES = 1000
_LOWERED_MOST = 2.0
_ALIKE = 1e-3  # length of what a negative has beyond the others: less is nothing


@dataclass(frozen=True, eq=False)
class ShownExample:
    """An example, and how it was shown.

    Attributes:
        name: of the class, new or known.
        embedding: (D) float32 of length 1.
        is_negative: it is not of this class.
        shown_ns: when [ns since the epoch].
        frame_ns: capture stamp of the frame that shows it; 0: a picture that came along.
        box_xyxy: where in that [px].
    """

    name: str
    embedding: NDArray[np.float32]
    is_negative: bool = False
    shown_ns: int = 0
    frame_ns: int = 0
    box_xyxy: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Examples:
    """Embeddings (D) of length 1 of a class.

    Attributes:
        positives: what it looks like; none: as its word says.
        negatives: what it is not.
    """

    positives: tuple[NDArray[np.float32], ...] = ()
    negatives: tuple[NDArray[np.float32], ...] = ()

    def plus(self, embedding: NDArray[np.float32], *, is_negative: bool) -> Examples:
        """Return these with one more.

        Raises:
            ConfigurationError: it is a class's first positive and the opposite of the others.
        """
        if is_negative:
            return Examples(self.positives, (*self.negatives, embedding))
        positives = (*self.positives, embedding)
        if np.linalg.norm(np.mean(positives, axis=0)) < _ALIKE:
            raise ConfigurationError("example: is the opposite of those before: no mean of them")
        return Examples(positives, self.negatives)

    def joined(self, others: Iterable[Examples]) -> Examples:
        """Return these with those of synonyms; what would leave no mean is left out."""
        found = self
        for other in others:
            for one in other.positives:
                with contextlib.suppress(ConfigurationError):
                    found = found.plus(one, is_negative=False)
            found = Examples(found.positives, (*found.negatives, *other.negatives))
        return found

    def embedding(self, word: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Return the class's embedding (D); longer than 1 where there are negatives.

        Args:
            word: that of the word; None: it has none.
        """
        mean = np.mean(self.positives, axis=0) if self.positives else word
        if mean is None:
            return None
        base = mean / np.linalg.norm(mean)
        found = base.copy()
        taken = [base]
        for negative in self.negatives:
            rest = negative - sum((negative @ one) * one for one in taken)
            length = float(np.linalg.norm(rest))
            if length < _ALIKE:
                continue
            unit = rest / length
            share = float(negative @ found) / length
            found -= min(max(share, 0.0), _LOWERED_MOST) * unit
            taken.append(unit)
        return np.asarray(found, np.float32)

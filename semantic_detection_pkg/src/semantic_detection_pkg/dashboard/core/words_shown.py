"""What the page is told of words: where each came from, and how much of it was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from ros_support_pkg.core.words import WordOrigin, read


def words_shown(message: Any) -> dict[str, Any]:
    """Return a message of `detector/words` as the page has it.

    Raises:
        ValueError: a meaning is of no word.
    """
    words: list[dict[str, Any]] = [
        {"word": word, "texts": [], "origins": [], "positives": 0, "negatives": 0}
        for word in message.words
    ]
    for one in message.meanings:
        if one.word >= len(words):
            raise ValueError(f"meaning {one.text!r} is of word {one.word}, there are {len(words)}")
        row = words[one.word]
        origin = read(one, "origin", WordOrigin.PREPARED).word
        if one.text != row["word"]:
            row["texts"].append(one.text)
        if origin not in row["origins"]:
            row["origins"].append(origin)
        row["positives"] += int(one.positives)
        row["negatives"] += int(one.negatives)
    return {
        "model": message.model,
        "words": words,
        "known": _known(message.examples),
        "asked": list(message.asked),
        "dropped": list(message.dropped),
    }


def _known(examples: Sequence[Any]) -> list[dict[str, Any]]:
    """Return all that is known by example, in force or not, by the names as they were given."""
    counts: dict[str, list[int]] = {}
    for one in examples:
        counts.setdefault(one.name, [0, 0])[bool(one.is_negative)] += 1
    return [
        {"name": name, "positives": positives, "negatives": negatives}
        for name, (positives, negatives) in counts.items()
    ]


class FramesWith:
    """In how many frames each class was seen since the words in force are."""

    def __init__(self) -> None:
        """Begin with none."""
        self._key: Hashable = None
        self._counts: Counter[str] = Counter()

    def add(self, key: Hashable, names: Sequence[str]) -> dict[str, int]:
        """Take the classes of a frame's detections; return the counts.

        Args:
            key: what tells the words in force from others.
        """
        if key != self._key:
            self._key = key
            self._counts.clear()
        self._counts.update(set(names))
        return dict(self._counts)

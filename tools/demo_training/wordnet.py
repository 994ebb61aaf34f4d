"""Reads the nouns of WordNet 3.1 (`dict/` of its distribution): senses, and what each is a kind of.

Formats: wndb(5WN) and senseidx(5WN) of WordNet's manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Lexicographer files of what a camera can see: animal, artifact, body, food, object, person,
#: phenomenon, plant, substance; lexnames(5WN).
_SEEN_FILES = {5, 6, 8, 13, 17, 18, 19, 20, 27}
_NOUN = "1"
_ATTRIBUTE_FILE = 7  # what colours are in: nobody sees a colour without a thing
_COLOUR = "color"


class Sense(NamedTuple):
    """One meaning of a word.

    Attributes:
        synset: its number.
        share: 0..1, of the word's uses that have it, among those that a camera can see.
    """

    synset: int
    share: float


class WordNet:
    """The nouns."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: with data.noun and index.sense."""
        self._parents: dict[int, list[int]] = {}
        self._file: dict[int, int] = {}
        self._kinds: dict[int, frozenset[int]] = {}
        for line in _lines(folder / "data.noun"):
            self._read_synset(line)
        self._senses: dict[str, list[tuple[int, int, int]]] = {}
        attributes: dict[str, set[int]] = {}
        for line in _lines(folder / "index.sense"):
            key, offset, number, count = line.split()
            lemma, _, rest = key.partition("%")
            if rest[0] != _NOUN or not self._parents[int(offset)]:
                continue
            if self._file[int(offset)] in _SEEN_FILES:
                self._senses.setdefault(lemma, []).append((int(number), int(offset), int(count)))
            elif self._file[int(offset)] == _ATTRIBUTE_FILE:
                attributes.setdefault(lemma, set()).add(int(offset))
        self._colours = {
            lemma
            for lemma, synsets in attributes.items()
            if any(attributes[_COLOUR] & self.kinds(synset) for synset in synsets)
        }

    def _read_synset(self, line: str) -> None:
        fields = line.split()
        synset, words = int(fields[0]), int(fields[3], 16)
        self._file[synset] = int(fields[1])
        pointers = fields[5 + 2 * words : 5 + 2 * words + 4 * int(fields[4 + 2 * words])]
        # "@": is a kind of. "@i", which a proper name has, is left out, and so are names.
        self._parents[synset] = [
            int(pointers[at + 1]) for at in range(0, len(pointers), 4) if pointers[at] == "@"
        ]

    def words(self) -> Iterator[str]:
        """All nouns that a camera can see; blanks are underscores."""
        return iter(sorted(self._senses))

    def is_colour(self, word: str) -> bool:
        """Whether a noun is a colour's name, whatever else it means: who says "red" means that."""
        return word in self._colours

    def senses(self, word: str) -> list[Sense]:
        """Of a noun, underscores for blanks; none where it is unknown."""
        known = sorted(self._senses.get(word, []))
        weights = [count + 1.0 / (1 + place) for place, (_, _, count) in enumerate(known)]
        total = sum(weights)
        return [Sense(s[1], w / total) for s, w in zip(known, weights, strict=True)]

    def kinds(self, synset: int) -> frozenset[int]:
        """What a meaning is a kind of, itself included."""
        if synset not in self._kinds:
            above = (self.kinds(parent) for parent in self._parents[synset])
            self._kinds[synset] = frozenset({synset}).union(*above)
        return self._kinds[synset]

    def features(self, word: str) -> dict[int, float]:
        """What a word is a kind of, and in which share of its uses."""
        found: dict[int, float] = {}
        for synset, share in self.senses(word):
            for kind in self.kinds(synset):
                found[kind] = found.get(kind, 0.0) + share
        return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        return iter([line for line in file if not line.startswith("  ")])  # the licence is indented

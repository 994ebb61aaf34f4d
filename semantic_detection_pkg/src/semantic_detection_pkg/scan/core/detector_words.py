"""What the detector looks for and where each word came from, as the scan journals it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WordMeaning:
    """One thing that a word of the detector looks for.

    Attributes:
        class_name: of the word.
        origin: "prepared", "encoded", "cached" or "examples".
        positives, negatives: examples of it, and of what it is not.
    """

    class_name: str
    text: str
    origin: str
    positives: int = 0
    negatives: int = 0


@dataclass(frozen=True)
class WordsInForce:
    """What the detector looks for, and where each word came from; a `detector/words` message.

    For who reads the journal: decisions go by the detections.
    """

    since_ns: int
    model: str
    meanings: tuple[WordMeaning, ...]

    @property
    def by_example(self) -> tuple[str, ...]:
        """Return the classes that came from examples, or are lowered by some."""
        shown = (one.class_name for one in self.meanings if one.positives or one.negatives)
        return tuple(dict.fromkeys(shown))

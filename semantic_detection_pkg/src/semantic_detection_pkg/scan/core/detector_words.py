"""What the detector looks for and where each word came from, as the scan journals it."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.word_acts import WordAct


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

    Attributes:
        since_ns: stamp, which names it; it rises as long as the detector's process runs.
        meanings: for who reads the journal.
        cause: "configured", "set", "shown" or "forgotten"; empty: not told, as in recordings from
            before it was published. A mission goes by what was asked of the detector.
        words: class names, in order.
        asked: how each of them was asked for.
        shown: class of the example that was shown; empty: none was.
        dropped: classes that were asked for with them, and for which there is no room.
        began_ns: stamp since when `acts` are all that was asked of the detector, but for what a
            later one has made void; 0: not told, as in recordings from before it was published.
        mission: the newest that has told its words since then; empty: none has.
        mission_ns: stamp of what was in force when it told them first: later acts are meant for it.
    """

    since_ns: int
    model: str
    meanings: tuple[WordMeaning, ...]
    cause: str = constant("", before="")
    words: tuple[str, ...] = constant((), before=())
    asked: tuple[str, ...] = constant((), before=())
    shown: str = constant("", before="")
    dropped: tuple[str, ...] = constant((), before=())
    began_ns: int = constant(0, before=0)
    acts: tuple[WordAct, ...] = constant((), before=())
    mission: str = constant("", before="")
    mission_ns: int = constant(0, before=0)

    @property
    def by_example(self) -> tuple[str, ...]:
        """Return the classes that came from examples, or are lowered by some."""
        shown = (one.class_name for one in self.meanings if one.positives or one.negatives)
        return tuple(dict.fromkeys(shown))

"""What people ask of the detector's words, and what is looked for after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WordAct:
    """One thing that was asked of the detector's words by somebody, not by a mission.

    Attributes:
        stamp_ns: names it, as that of the `detector/words` that told of it first.
        kind: "set", "shown" or "forgotten".
        words: as asked for: those that were set; the class that was shown; those that mean nothing
            any more.
    """

    stamp_ns: int
    kind: str
    words: tuple[str, ...]


def spelled(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the class of each word as it was asked for: coat of `coat=raincoat|rain jacket`."""
    return tuple(one.partition("=")[0].strip() for one in asked)


def bare(name: str) -> str:
    """Return a class name by which two spellings of it are the same."""
    return " ".join(name.split()).casefold()


def after_acts(
    asked: Sequence[str], acts: Iterable[WordAct], names: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return what is to be looked for after some acts.

    It is the same for any acts more that later ones have made void: those before the last "set",
    and those of a class before the last of that class. So who knows the rest knows all.

    Args:
        asked: what was looked for before.
        acts: by rising stamps.
        names: of the class of a word as asked for, where it is spelled otherwise.
    """
    known = names or {}

    def class_of(word: str) -> str:
        return bare(known.get(word) or spelled([word])[0])

    words = {class_of(one): one for one in asked}
    for act in acts:
        if act.kind == "set":
            words = {class_of(one): one for one in act.words}
        elif act.kind == "shown":
            for one in act.words:
                words.setdefault(class_of(one), one)
        else:
            for one in act.words:
                words.pop(class_of(one), None)
    return tuple(words.values())

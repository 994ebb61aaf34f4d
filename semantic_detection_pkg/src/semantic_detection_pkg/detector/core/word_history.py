"""What was asked of a detector's words since it began, so that each message tells all of it."""

from __future__ import annotations

from semantic_detection_pkg.common.core.word_acts import WordAct, bare, spelled

#: Acts that are kept; a longer row of classes that were shown or forgotten loses its oldest.
_MOST_ACTS = 200


class WordHistory:
    """The acts of people, and since when which mission tells its words.

    What a mission tells is no act: it holds on to what it looks for, and somebody who reads the
    acts must be able to tell what it was asked for from what it says again.

    Attributes:
        began_ns: stamp since when `acts` are all that there were; 0: it has not begun.
        acts: by rising stamps, without those that a later one has made void.
        mission: the newest that has told its words; empty: none has.
        mission_ns: stamp of what was in force when that one told them first.
    """

    def __init__(self) -> None:
        """Know of nothing."""
        self.began_ns = 0
        self.acts: tuple[WordAct, ...] = ()
        self.mission = ""
        self.mission_ns = 0

    def begin(self, stamp_ns: int) -> None:
        """Begin anew with words that nobody asked for, those of the configuration."""
        self.began_ns, self.acts, self.mission, self.mission_ns = stamp_ns, (), "", 0

    def add(self, act: WordAct) -> None:
        """Take what somebody asked for; what it makes void is forgotten."""
        if act.kind == "set":
            self.acts = (act,)
            return
        classes = set(map(bare, spelled(act.words)))
        kept = [one if one.kind == "set" else _without(one, classes) for one in self.acts]
        self.acts = (*(one for one in kept if one.words or one.kind == "set"), act)
        if len(self.acts) > _MOST_ACTS:
            oldest = int(self.acts[0].kind == "set")
            self.acts = self.acts[:oldest] + self.acts[oldest + 1 :]

    def heed(self, mission: str, stamp_ns: int) -> None:
        """Note that a mission tells its words; acts that come later are meant for it.

        Args:
            stamp_ns: of what is in force now.
        """
        if mission and mission != self.mission:
            self.mission, self.mission_ns = mission, stamp_ns


def _without(act: WordAct, classes: set[str]) -> WordAct:
    words = tuple(one for one in act.words if bare(*spelled([one])) not in classes)
    return WordAct(act.stamp_ns, act.kind, words)

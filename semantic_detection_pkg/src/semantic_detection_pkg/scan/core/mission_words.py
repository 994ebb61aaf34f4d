"""What a mission looks for: the words of its goal, until an operator asks the detector for others.

A mission holds on to its words: a detector that was started or configured anew is told them again.
What a person asks of the detector while the mission runs is another thing, and holds: words that
were set, the class of an example that was shown, or of examples that were forgotten. The detector
says which it was (`WordsInForce`), and names each state by a stamp, which the detections and its
answers name, too, so whatever comes in another order than it was done is known to be late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.goals import class_labels
from semantic_detection_pkg.scan.core.inputs import FrameDetections, VocabularyReply

_LISTED_MAX = 5
_OLD_WORDS_NS = 2_000_000_000  # frames, and what tells of their words, may be on their way so long


@dataclass(frozen=True)
class WordsChange:
    """Other words than before, as an operator asked for them.

    Attributes:
        words: as asked for; empty: nothing is left to look for.
        joined, left: as asked for, those that were not looked for, and those that are no more; none
            of a class that is the same by another spelling, or in another place.
    """

    words: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return what changes, in words; empty: nothing that anybody sees."""
        joined = f"looked for from now on: {_listed(self.joined)}" if self.joined else ""
        left = f"not looked for any more: {_listed(self.left)}" if self.left else ""
        anew = "the area is searched anew" if self.joined else ""
        return "; ".join(filter(None, (joined, left, anew)))


class MissionWords:
    """The words of one mission.

    Attributes:
        asked: as they were asked for, of the goal at first.
        names: of the class of each, as the detector last spelled it, else as it was asked for.
        vocabulary: class names that the detector answered; empty: it has not yet.
        request_id: of the newest request for them; 0: none.
        sent_ns: when that was sent.
        told_ns: stamp of what the detector was last known to tell; 0: it tells none.
    """

    def __init__(
        self, asked: tuple[str, ...], names: tuple[str, ...] = (), told_ns: int = 0
    ) -> None:
        """Begin with the words of the goal, or go on with those of a mission that is resumed.

        Args:
            names, told_ns: of the latter: what was told since then was asked while nobody listened.
        """
        self.asked = asked
        self.names = names or _spelled(asked)
        self.vocabulary: tuple[str, ...] = ()
        self.request_id = 0
        self.sent_ns = 0
        self._answered_ns = 0  # of the scan's clock
        self.told_ns = told_ns
        self._ahead: list[WordsInForce] = []  # told before the first answer came
        self._began_otherwise = False  # the detector, with words that nobody has asked for
        self._strange_ns = 0  # stamp of the first frame that knows other words

    def request(self, request_id: int, now_ns: int) -> None:
        """Note that the detector is told the words."""
        self.request_id, self.sent_ns = request_id, now_ns

    def answer(self, reply: VocabularyReply, now_ns: int) -> WordsChange | None:
        """Take the detector's answer; returns what an operator asked of it since then."""
        self.vocabulary, self._answered_ns, self._strange_ns = reply.vocabulary, now_ns, 0
        self._began_otherwise = False
        if reply.since_ns:
            self.told_ns = reply.since_ns
            self.asked = self.asked[: len(reply.vocabulary)]  # the others have no room
        count = len(self.asked)
        self.names = (*reply.vocabulary[:count], *_spelled(self.asked)[len(reply.vocabulary) :])
        return self._follow_ahead(now_ns)

    def give_way(self, reply: VocabularyReply, now_ns: int) -> WordsChange | None:
        """Take a refusal because of newer words, that of an operator; returns what he asked for.

        What tells of these may come later than the refusal.
        """
        self.told_ns = self.told_ns or reply.since_ns - 1
        return self._follow_ahead(now_ns)

    def follow(self, told: WordsInForce, now_ns: int) -> WordsChange | None:
        """Go by what was asked of the detector; None: that changes nothing.

        What was told up to the first answer is of before the mission, however late it comes; where
        the mission is resumed, what was told up to its interruption.
        """
        return self._follow([told], now_ns)

    def counts(self, frame: FrameDetections) -> bool:
        """Return whether a frame was looked at for the words: what was not is not searched."""
        return not self.told_ns or frame.words == self.vocabulary

    def compare(self, frame: FrameDetections) -> None:
        """Have the words told again where frames know others, and nobody has asked for these."""
        if not self.vocabulary or frame.words == self.vocabulary:
            self._strange_ns = 0
            return
        if self.told_ns and frame.words_since_ns > self.told_ns:
            # The message that says whose words these are may be on its way.
            self._strange_ns = self._strange_ns or frame.stamp_ns
            if frame.stamp_ns - self._strange_ns <= _OLD_WORDS_NS:
                return
        if frame.stamp_ns - self._answered_ns > _OLD_WORDS_NS:
            self.vocabulary, self.request_id = (), 0

    def _follow_ahead(self, now_ns: int) -> WordsChange | None:
        ahead, self._ahead = self._ahead, []
        return self._follow(ahead, now_ns)

    def _follow(self, acts: Sequence[WordsInForce], now_ns: int) -> WordsChange | None:
        asked, before = self.asked, _classes(self.asked, self.names)
        for told in acts:
            self._take(told, now_ns)
        if self.asked == asked:
            return None
        after = _classes(self.asked, self.names)
        joined = tuple(word for one, word in after.items() if one not in before)
        left = tuple(word for one, word in before.items() if one not in after)
        return WordsChange(self.asked, joined, left)

    def _take(self, told: WordsInForce, now_ns: int) -> None:
        if not told.cause or told.since_ns <= self.told_ns:
            return
        if not self.told_ns and not self.vocabulary:
            self._ahead.append(told)
            return
        self.told_ns = told.since_ns
        if told.cause == "configured":
            # Its frames show whether it knows other words; by the same ones it may mean others.
            self._began_otherwise = told.words != self.vocabulary
            if not self._began_otherwise and told.asked != self.asked:
                self.vocabulary, self.request_id = (), 0
            return
        wanted = self._wanted(told)
        words = tuple(wanted.values())
        is_known = told.words == self.vocabulary
        self._began_otherwise &= not is_known
        if words == self.asked and (is_known or not self.vocabulary):
            return
        if self.vocabulary and told.asked == words != self.asked:
            self.vocabulary, self._answered_ns, self._began_otherwise = told.words, now_ns, False
        else:  # it is of another list of words, as that of its configuration
            self.vocabulary, self.request_id = (), 0
        self.asked, self.names, self._strange_ns = words, tuple(wanted), 0

    def _wanted(self, told: WordsInForce) -> dict[str, str]:
        """Return what is to be looked for by what was asked of the detector.

        Returns:
            How each word is asked for, by the name of its class.
        """
        own = dict(zip(self.names, self.asked, strict=True))
        named = dict(zip(told.words, told.asked, strict=True))
        is_shown = told.cause == "shown"
        if told.cause == "set":
            is_own = not self.vocabulary and told.asked == self.asked[: len(told.asked)]
            return own if is_own else named
        is_others = not self.vocabulary or self._began_otherwise
        if is_others or (is_shown and own.keys() - named.keys()):
            if is_shown and _bare(told.shown) not in map(_bare, own):
                own |= {
                    name: one for name, one in named.items() if _bare(name) == _bare(told.shown)
                }
            return own
        if told.cause == "forgotten" and not own.keys() & named.keys():
            return {}  # nothing is left: then it looks for all that it was prepared with
        besides = set(self.vocabulary) - own.keys()  # of detectors that look for more than is asked
        return {name: own.get(name, one) for name, one in named.items() if name not in besides}


def _spelled(asked: Sequence[str]) -> tuple[str, ...]:
    return tuple(one.partition("=")[0].strip() for one in asked)


def _classes(asked: tuple[str, ...], names: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return how each class is asked for, by its name and what models call it."""
    labels = class_labels(asked, names) if asked else {}
    return dict(zip(labels.items(), asked, strict=False))


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED_MAX
    return ", ".join(words[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")


def _bare(name: str) -> str:
    return " ".join(name.split()).casefold()

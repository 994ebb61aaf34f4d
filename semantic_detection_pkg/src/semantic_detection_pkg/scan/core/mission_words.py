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
from semantic_detection_pkg.scan.core.inputs import FrameDetections, VocabularyReply

_LISTED_MAX = 5
_OLD_WORDS_NS = 2_000_000_000  # frames, and what tells of their words, may be on their way so long


@dataclass(frozen=True)
class WordsChange:
    """Other words than before, as an operator asked for them.

    Attributes:
        words: as asked for; empty: nothing is left to look for.
        joined, left: as asked for, those that were not looked for, and those that are no more.
    """

    words: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return what changes, in words."""
        joined = f"looked for from now on: {_listed(self.joined)}" if self.joined else ""
        left = f"not looked for any more: {_listed(self.left)}" if self.left else ""
        anew = "the area is searched anew" if self.joined else ""
        return "; ".join(filter(None, (joined, left, anew))) or "the words are told again"


class MissionWords:
    """The words of one mission.

    Attributes:
        asked: as they were asked for, of the goal at first.
        vocabulary: class names that the detector answered; empty: it has not yet.
        request_id: of the newest request for them; 0: none.
        sent_ns: when that was sent.
    """

    def __init__(self, asked: tuple[str, ...]) -> None:
        """Begin with the words of the goal."""
        self.asked = asked
        self.vocabulary: tuple[str, ...] = ()
        self.request_id = 0
        self.sent_ns = 0
        self._answered_ns = 0  # of the scan's clock
        self._told_ns = 0  # stamp of what the detector was last known to tell; 0: it tells none
        self._ahead: WordsInForce | None = None  # told before the first answer came
        self._strange_ns = 0  # stamp of the first frame that knows other words

    def request(self, request_id: int, now_ns: int) -> None:
        """Note that the detector is told the words."""
        self.request_id, self.sent_ns = request_id, now_ns

    def answer(self, reply: VocabularyReply, now_ns: int) -> WordsChange | None:
        """Take the detector's answer; returns what an operator asked of it since then."""
        self.vocabulary, self._answered_ns, self._strange_ns = reply.vocabulary, now_ns, 0
        ahead, self._ahead = self._ahead, None
        if reply.since_ns:
            self._told_ns = reply.since_ns
            self.asked = self.asked[: len(reply.vocabulary)]  # the others have no room
        return None if ahead is None else self.follow(ahead, now_ns)

    def follow(self, told: WordsInForce, now_ns: int) -> WordsChange | None:
        """Go by what was asked of the detector; None: that changes nothing.

        What was told up to the first answer is of before the mission, however late it comes.
        """
        if not told.cause or told.since_ns <= self._told_ns:
            return None
        if not self._told_ns and not self.vocabulary:
            self._ahead = told
            return None
        self._told_ns = told.since_ns
        wanted = self._wanted(told)
        if wanted == self.asked and (not self.vocabulary or told.words == self.vocabulary):
            return None
        if told.cause == "configured":
            return None  # its frames show whether it knows the words
        before, self.asked, self._strange_ns = self.asked, wanted, 0
        is_known = bool(self.vocabulary) and told.asked == wanted
        if is_known:
            self.vocabulary, self._answered_ns = told.words, now_ns
        else:  # it is of another list of words, as that of its configuration
            self.vocabulary, self.request_id = (), 0
        joined = tuple(one for one in wanted if one not in before)
        return WordsChange(wanted, joined, tuple(one for one in before if one not in wanted))

    def counts(self, frame: FrameDetections) -> bool:
        """Return whether a frame was looked at for the words: what was not is not searched."""
        return not self._told_ns or frame.words == self.vocabulary

    def compare(self, frame: FrameDetections) -> None:
        """Have the words told again where frames know others, and nobody has asked for these."""
        if not self.vocabulary or frame.words == self.vocabulary:
            self._strange_ns = 0
            return
        if self._told_ns and frame.words_since_ns > self._told_ns:
            # The message that says whose words these are may be on its way.
            self._strange_ns = self._strange_ns or frame.stamp_ns
            if frame.stamp_ns - self._strange_ns <= _OLD_WORDS_NS:
                return
        if frame.stamp_ns - self._answered_ns > _OLD_WORDS_NS:
            self.vocabulary, self.request_id = (), 0

    def _wanted(self, told: WordsInForce) -> tuple[str, ...]:
        """Return what is to be looked for by what was asked of the detector."""
        if told.cause == "set":
            is_own = not self.vocabulary and told.asked == self.asked[: len(told.asked)]
            return self.asked if is_own else told.asked
        if told.cause == "forgotten":
            if not self.vocabulary:
                return self.asked
            kept = zip(self._names, self.asked, strict=True)
            return tuple(one for name, one in kept if name in told.words)
        if told.cause != "shown":
            return self.asked
        count = len(self.vocabulary)
        if count and told.words[:count] == self.vocabulary:
            return (*self.asked, *told.asked[count:])  # none where the model has no room for it
        if _bare(told.shown) in map(_bare, self._names):
            return self.asked
        pairs = zip(told.words, told.asked, strict=True)
        return (*self.asked, *(one for name, one in pairs if _bare(name) == _bare(told.shown)))

    @property
    def _names(self) -> Sequence[str]:
        """Return the class name of each word: as the detector has it, else as it was asked for."""
        spelled = [one.partition("=")[0].strip() for one in self.asked]
        return [*self.vocabulary[: len(spelled)], *spelled[len(self.vocabulary) :]]


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED_MAX
    return ", ".join(words[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")


def _bare(name: str) -> str:
    return " ".join(name.split()).casefold()

"""What a mission looks for: the words of its goal, until an operator asks the detector for others.

A mission holds on to its words: a detector that was started or configured anew is told them again.
What a person asks of the detector while the mission runs is another thing, and holds: words that
were set, the class of an example that was shown, or of examples that were forgotten. Each message
of the detector (`WordsInForce`) tells all such acts since it began, each by a stamp. So a mission
looks for its first words after all acts that it has heard of, in the order of their stamps, in
whatever order the messages came and whichever were lost; what the detector looks for at that moment
says only whether it has to be told. Detections and answers name the state by its stamp, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from semantic_detection_pkg.common.core.word_acts import WordAct, after_acts, bare, spelled
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.goals import class_labels
from semantic_detection_pkg.scan.core.inputs import FrameDetections, VocabularyReply
from semantic_detection_pkg.scan.core.words_of_before import wanted_by

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
        mission: names it for the detector; empty: nothing does.
        asked: as they were asked for, of the goal at first.
        names: of the class of each, as the detector last spelled it, else as it was asked for.
        vocabulary: class names that the detector answered; empty: it has not yet.
        request_id: of the newest request for them; 0: none.
        sent_ns: when that was sent.
        told_ns: stamp of what the detector was last known to tell; 0: it tells none.
        heard_ns: of the newest message; all that was asked until then is known. 0: none was heard.
    """

    def __init__(
        self,
        asked: tuple[str, ...],
        names: tuple[str, ...] = (),
        told_ns: int = 0,
        mission: str = "",
    ) -> None:
        """Begin with the words of the goal, or go on with those of a mission that is resumed.

        Args:
            names, told_ns: of the latter: what was told since it heard last (`heard_ns`) was asked
                while nobody listened.
        """
        self.mission = mission
        self.asked = asked
        self.names = names or spelled(asked)
        self.vocabulary: tuple[str, ...] = ()
        self.request_id = 0
        self.sent_ns = 0
        self._answered_ns = 0  # of the scan's clock
        self.told_ns = self.heard_ns = told_ns
        self._first = asked  # before all acts
        self._acts: dict[int, WordAct] = {}  # by their stamps
        self._since_ns = told_ns  # later acts are meant for the mission; 0: not known yet
        self._spelling = dict(zip(asked, self.names, strict=True))
        self._newest: WordsInForce | None = None  # of those that tell all acts
        self._ahead: list[WordsInForce] = []  # of before: told before the first answer came
        self._began_otherwise = False  # of before: with words that nobody has asked for
        self._strange_ns = 0  # stamp of the first frame that knows other words

    def request(self, request_id: int, now_ns: int) -> None:
        """Note that the detector is told the words."""
        self.request_id, self.sent_ns = request_id, now_ns

    def answer(self, reply: VocabularyReply, now_ns: int) -> WordsChange | None:
        """Take the detector's answer; returns what an operator asked of it since then."""
        cut = self.asked[: len(reply.vocabulary)] if reply.since_ns else self.asked
        self._spelling |= zip(self.asked, reply.vocabulary, strict=False)
        self._since_ns = self._since_ns or reply.since_ns
        self.heard_ns = self.heard_ns or reply.since_ns
        newest = self._newest
        if newest is not None and reply.since_ns < newest.since_ns:
            return self._changed(lambda: self._answered_late(newest, now_ns))
        self.vocabulary, self._answered_ns, self._strange_ns = reply.vocabulary, now_ns, 0
        self._began_otherwise = False
        self.told_ns = reply.since_ns or self.told_ns
        if cut != self.asked:  # the others have no room
            self._acts[reply.since_ns] = WordAct(reply.since_ns, "set", cut)
        self._look_for(cut)
        ahead, self._ahead = self._ahead, []
        return self._changed(lambda: self._hear_all([*ahead, *filter(None, [newest])], now_ns))

    def give_way(self, reply: VocabularyReply, now_ns: int) -> WordsChange | None:
        """Take a refusal because of newer words, that of an operator; returns what he asked for.

        What tells of these may come later than the refusal.
        """
        self.told_ns = self.told_ns or reply.since_ns - 1
        ahead, self._ahead = self._ahead, []
        return self._changed(lambda: self._hear_all(ahead, now_ns))

    def follow(self, told: WordsInForce, now_ns: int) -> WordsChange | None:
        """Go by what was asked of the detector; None: that changes nothing.

        What was asked before it heard of the mission is none of its, however late it is told; where
        the mission is resumed, what was told up to its interruption.
        """
        return self._changed(lambda: self._hear_all([told], now_ns))

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
            self._tell_again()

    def _changed(self, hear: Callable[[], None]) -> WordsChange | None:
        asked, before = self.asked, _classes(self.asked, self.names)
        hear()
        if self.asked == asked:
            return None
        after = _classes(self.asked, self.names)
        joined = tuple(word for one, word in after.items() if one not in before)
        left = tuple(word for one, word in before.items() if one not in after)
        return WordsChange(self.asked, joined, left)

    def _hear_all(self, messages: Iterable[WordsInForce], now_ns: int) -> None:
        for told in messages:
            if told.began_ns:
                self._hear(told, now_ns)
            elif told.cause:
                self._hear_of_before(told, now_ns)

    def _hear(self, told: WordsInForce, now_ns: int) -> None:
        """Take what tells all acts since the detector began."""
        self._spelling |= zip(told.asked, told.words, strict=True)
        if self._newest is None or told.since_ns > self._newest.since_ns:
            self._newest = told
        if self.mission and told.mission == self.mission:
            # It heard of the mission then, or a detector that is gone did before.
            self._since_ns = min(self._since_ns or told.mission_ns, told.mission_ns)
        if not self._since_ns:
            return
        self.heard_ns = max(self.heard_ns, told.since_ns)
        for act in told.acts:
            if act.stamp_ns > self._since_ns:
                self._acts.setdefault(act.stamp_ns, act)
        acts = [act for _, act in sorted(self._acts.items())]
        wanted = after_acts(self._first, acts, self._spelling)
        is_other = _meanings(wanted) != _meanings(self.asked)
        is_news = told.since_ns > self.told_ns
        if is_news:
            self.told_ns = told.since_ns
        if is_news and self.sent_ns and _meanings(told.asked) == _meanings(wanted):
            self._look_for(told.asked)
            self.vocabulary, self._answered_ns, self._strange_ns = told.words, now_ns, 0
            self.request_id = 0  # an answer that is on its way says nothing more
            return
        if is_other:
            self._look_for(wanted)
        if is_other or (is_news and self.vocabulary):
            self._tell_again()

    def _answered_late(self, newest: WordsInForce, now_ns: int) -> None:
        """Go by what was told of later than an answer, that it has overtaken."""
        self._hear(newest, now_ns)
        if not self.vocabulary:
            self._tell_again()

    def _hear_of_before(self, told: WordsInForce, now_ns: int) -> None:
        """Take what tells no acts, of a detector or a recording of before."""
        if told.since_ns <= self.told_ns:
            return
        if not self.told_ns and not self.vocabulary:
            self._ahead.append(told)
            return
        self.told_ns = self.heard_ns = told.since_ns
        if told.cause == "configured":
            # Its frames show whether it knows other words; by the same ones it may mean others.
            self._began_otherwise = told.words != self.vocabulary
            if not self._began_otherwise and told.asked != self.asked:
                self._tell_again()
            return
        own = dict(zip(self.names, self.asked, strict=True))
        began_otherwise = self._began_otherwise
        wanted = wanted_by(told, own, self.vocabulary, began_otherwise=began_otherwise)
        words = tuple(wanted.values())
        is_known = told.words == self.vocabulary
        self._began_otherwise &= not is_known
        if words == self.asked and (is_known or not self.vocabulary):
            return
        if self.vocabulary and told.asked == words != self.asked:
            self.vocabulary, self._answered_ns, self._began_otherwise = told.words, now_ns, False
        else:  # it is of another list of words, as that of its configuration
            self._tell_again()
        self._strange_ns = 0
        self._acts[told.since_ns] = WordAct(told.since_ns, "set", words)
        self._spelling |= zip(words, wanted, strict=True)
        self._look_for(words)

    def _look_for(self, asked: tuple[str, ...]) -> None:
        own = zip(asked, spelled(asked), strict=True)
        self.asked, self.names = asked, tuple(self._spelling.get(one, name) for one, name in own)

    def _tell_again(self) -> None:
        self.vocabulary, self.request_id, self._strange_ns = (), 0, 0


def _meanings(asked: Iterable[str]) -> set[tuple[str, ...]]:
    """Return what words ask for, whatever their order and letters."""
    return {tuple(map(bare, one.replace("|", "=").split("="))) for one in asked}


def _classes(asked: tuple[str, ...], names: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return how each class is asked for, by its name and what models call it."""
    labels = class_labels(asked, names) if asked else {}
    return dict(zip(labels.items(), asked, strict=False))


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED_MAX
    return ", ".join(words[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")

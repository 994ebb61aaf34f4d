"""What the detector looks for and where each word came from, told to all, recordings among them."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from rclpy.node import Node
from std_msgs.msg import Header

from interfaces_pkg.msg import WordAct as WordActMessage
from interfaces_pkg.msg import WordExample, WordMeaning, WordsInForce
from ros_support_pkg.core.words import WordActKind, WordsCause
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import STATE
from ros_support_pkg.stamps import from_time, to_time
from ros_support_pkg.timers import every
from semantic_detection_pkg.common.core.word_acts import WordAct
from semantic_detection_pkg.common.ros.conversions import to_array
from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.detector.core.examples import ShownExample
from semantic_detection_pkg.detector.core.word_history import WordHistory
from semantic_detection_pkg.detector.core.word_table import Meaning

#: [s] after which it is told again: a ring lets go of its beginning, an event has none.
_AGAIN_S = 5.0


class WordsPublisher:
    """Publishes `detector/words` when they change, and again and again."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = advertise(node, WordsInForce, "detector/words", STATE)
        self._told = WordsInForce()
        self._history = WordHistory()
        every(node, _AGAIN_S, self._tell_again)

    @property
    def since(self) -> Time:
        """Stamp of what is in force; 0: nothing is yet."""
        return self._told.header.stamp

    def tell(
        self,
        loaded: LoadedDetector,
        examples: Sequence[ShownExample],
        cause: WordsCause,
        asked: Sequence[str] | None = None,
        *,
        begins: bool = False,
    ) -> Time:
        """Publish what is in force from now on; returns the stamp that names it.

        Stamps rise, whatever the clock does: a later one is of a later change.

        Args:
            asked: the words that somebody set, showed or had forgotten; None: nobody did.
            begins: words of the configuration are in force, and nothing that was asked for before.
        """
        now_ns = max(self._node.get_clock().now().nanoseconds, from_time(self.since) + 1)
        if begins:
            self._history.begin(now_ns)
        if asked is not None:
            self._history.add(WordAct(now_ns, cause.word, tuple(asked)))
        header = Header(stamp=to_time(now_ns))
        self._told = to_words_in_force(loaded, examples, header, cause, self._history)
        self._publisher.publish(self._told)
        return self.since

    def heed(self, mission: str) -> None:
        """Note that a mission tells its words; empty: somebody asks, who is none."""
        self._history.heed(mission, from_time(self.since))

    def _tell_again(self) -> None:
        if self.since != Time():
            self._publisher.publish(self._told)


def to_words_in_force(
    loaded: LoadedDetector,
    examples: Sequence[ShownExample],
    header: Header,
    cause: WordsCause = WordsCause.CONFIGURED,
    history: WordHistory | None = None,
) -> WordsInForce:
    """Return what a detector looks for as a message.

    Args:
        examples: that it was shown, of words that are not in force, too.
        cause: why it looks for it now.
        history: what was asked of it; None: it is not told.
    """
    names = loaded.pipeline.vocabulary
    known = history or WordHistory()
    return WordsInForce(
        header=header,
        model=loaded.backend.name,
        embedding_space=loaded.pipeline.embedding_space,
        words=list(names),
        cause=cause.value,
        asked=list(loaded.pipeline.wanted_words[: len(names)]),
        dropped=list(loaded.pipeline.dropped_words),
        meanings=[_to_meaning(one) for one in loaded.meanings],
        examples=[_to_example(one) for one in examples],
        began=to_time(known.began_ns),
        acts=[_to_act(one) for one in known.acts],
        mission=known.mission,
        mission_since=to_time(known.mission_ns),
    )


def _to_act(act: WordAct) -> WordActMessage:
    kind = WordActKind[act.kind.upper()].value
    return WordActMessage(stamp=to_time(act.stamp_ns), kind=kind, words=list(act.words))


def _to_meaning(meaning: Meaning) -> WordMeaning:
    embedding = meaning.embedding
    return WordMeaning(
        word=meaning.word,
        text=meaning.text,
        origin=meaning.origin.value,
        positives=meaning.positives,
        negatives=meaning.negatives,
        embedding=[] if embedding is None else to_array("f", embedding),
    )


def _to_example(example: ShownExample) -> WordExample:
    return WordExample(
        name=example.name,
        is_negative=example.is_negative,
        shown=to_time(example.shown_ns),
        frame=to_time(example.frame_ns),
        box_xyxy=list(example.box_xyxy),
        embedding=to_array("f", example.embedding),
    )

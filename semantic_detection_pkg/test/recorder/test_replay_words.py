"""A scan for a class by example: named in the journal, kept in the bag, decided the same again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import text_encoders
from tiny_models import patches

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.cli.replay_frames import _Detect
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.word_acts import WordAct
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.replay.player import replay
from semantic_detection_pkg.recorder.core.replay.recorded_words import RecordedWords, from_words
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_messages import scan_recording, words_by_stamp
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.detector_words import WordMeaning, WordsInForce
from semantic_detection_pkg.scan.core.from_messages import from_words as standing_words
from semantic_detection_pkg.scan.core.inputs import (
    FrameDetections,
    Input,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.journal import inputs_from_json
from simulation_pkg.harness.exact_scan import Thing
from simulation_pkg.harness.recorded_messages import STATE, header_of, message, time_of, typestore
from simulation_pkg.harness.scan_recording import JOURNAL_TYPE, WireScan, messages_of, write_bag

TYPE = "interfaces_pkg/msg/WordsInForce"
SINCE_NS = 1_699_999_999_000_000_000
MAGENTA, RED = (255, 0, 255), (0, 0, 255)
WORDS = WordsInForce(
    SINCE_NS,
    "net",
    (
        WordMeaning("person", "person", "prepared", negatives=1),
        WordMeaning("boot", "boot", "examples", 2, 1),
    ),
    "shown",
    ("person", "boot"),
    ("person", "boot"),
    "Boot",
    began_ns=SINCE_NS - 2,
    acts=(WordAct(SINCE_NS, "shown", ("boot",)),),
    mission="g 1",
    mission_ns=SINCE_NS - 1,
)


class TaughtScan(WireScan):
    """Its detector knows boots by example, and says so once."""

    has_told = False

    def sense(self) -> list[Input]:
        """See `ScanHarness`."""
        items = [
            replace(one, words_since_ns=SINCE_NS) if isinstance(one, FrameDetections) else one
            for one in super().sense()
        ]
        told, self.has_told = self.has_told, True
        return items if told else [*items, WORDS]


def of_force(words: WordsInForce) -> Message:
    """The detector's message."""
    types = typestore().types
    names = list(dict.fromkeys(one.class_name for one in words.meanings))
    origins = {"prepared": 0, "encoded": 1, "cached": 2, "examples": 3}
    meanings = [
        types["interfaces_pkg/msg/WordMeaning"](
            word=names.index(one.class_name),
            text=one.text,
            origin=origins[one.origin],
            positives=one.positives,
            negatives=one.negatives,
            embedding=np.zeros(0, np.float32),
        )
        for one in words.meanings
    ]
    content = types[TYPE](
        header=header_of(words.since_ns),
        model=words.model,
        embedding_space="net 0",
        words=names,
        meanings=meanings,
        examples=[] if not words.shown else [example_of(name) for name in ("glove", words.shown)],
        cause=("configured", "set", "shown", "forgotten").index(words.cause),
        asked=list(words.asked),
        dropped=[],
        began=time_of(words.began_ns),
        acts=[
            types["interfaces_pkg/msg/WordAct"](
                stamp=time_of(one.stamp_ns),
                kind=("set", "shown", "forgotten").index(one.kind),
                words=list(one.words),
            )
            for one in words.acts
        ],
        mission=words.mission,
        mission_since=time_of(words.mission_ns),
    )
    return message("/detector/words", TYPE, words.since_ns, STATE, content=content)


def example_of(name: str) -> Any:
    time = typestore().types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    return typestore().types["interfaces_pkg/msg/WordExample"](
        name=name,
        is_negative=False,
        shown=time,
        frame=time,
        box_xyxy=np.zeros(4, np.float32),
        embedding=np.zeros(0, np.float32),
    )


@pytest.fixture(scope="module")
def scan() -> TaughtScan:
    things = [Thing(-0.2, 0.3, "boot", truth="boot"), Thing(0.3, 0.25, "person")]
    made = TaughtScan(things, known_words=("person", "boot"))
    made.start(words=("person", "boot"))
    made.run(30.0)
    return made


def test_a_class_by_example_is_found_and_the_replay_decides_the_same(
    scan: TaughtScan, tmp_path: Path
) -> None:
    found = {one.class_name: one.state for step in scan.decisions for one in step.findings}
    assert found["person"] is FindingState.CONFIRMED
    assert "boot" in found
    path = write_bag(tmp_path, [of_force(WORDS), *messages_of(scan)])

    with BagReader(path) as reader:
        words = words_by_stamp(reader, "/")
        frames = [one for one in scan_recording(reader, "/") if isinstance(one, FrameDetections)]
    with BagReader(path) as reader:
        summary = Summary.of(replay(scan_recording(reader, "/"), lambda same: same))

    assert summary.exact == summary.steps == len(scan.decisions)
    assert {one.words_since_ns for one in frames} == words.keys() == {SINCE_NS}
    assert words[SINCE_NS].wanted == ("person", "boot")


def test_the_journal_names_the_classes_that_came_from_examples(scan: TaughtScan) -> None:
    sent = [one for one in messages_of(scan) if one.topic.name == "/scan/journal"]
    journal = next(
        step
        for one in sent
        if '"WordsInForce"' in (step := typestore().deserialize_cdr(one.data, JOURNAL_TYPE)).inputs
    )
    told = [one for one in inputs_from_json(journal.inputs).others if isinstance(one, WordsInForce)]
    assert told == [WORDS]
    assert told[0].by_example == ("person", "boot")
    assert json.loads(journal.inputs)[-1]["meanings"][1]["class_name"] == "boot"


def test_the_message_is_what_the_scan_journals() -> None:
    sent = typestore().deserialize_cdr(of_force(WORDS).data, TYPE)
    assert standing_words(sent) == WORDS
    sent.meanings[1].word = 2
    with pytest.raises(ValueError, match="meaning 'boot' is of word 2, there are 2"):
        standing_words(sent)
    sent.asked = ["person"]
    with pytest.raises(ValueError, match="1 words were asked for, and 2 are looked for"):
        standing_words(sent)


def test_a_message_of_before_says_of_no_act() -> None:
    sent = typestore().deserialize_cdr(of_force(WORDS).data, TYPE)
    named = ("header", "model", "words", "meanings", "examples")
    before = SimpleNamespace(**{name: getattr(sent, name) for name in named})
    assert standing_words(before) == WordsInForce(SINCE_NS, "net", WORDS.meanings)
    sent_before = {name: getattr(sent, name) for name in (*named, "cause", "asked", "dropped")}
    before_acts = replace(WORDS, began_ns=0, acts=(), mission="", mission_ns=0)
    assert standing_words(message_like(sent, sent_before)) == before_acts
    plain = input_to_plain(WORDS)
    for name in ("dropped", "began_ns", "acts", "mission", "mission_ns"):
        del plain[name]
    assert input_from_plain(plain) == before_acts
    for name in ("cause", "words", "asked", "shown"):
        del plain[name]
    assert input_from_plain(plain) == WordsInForce(SINCE_NS, "net", WORDS.meanings)


def message_like(sent: Any, fields: dict[str, Any]) -> Any:
    """Return a message with these fields and no others, with the constants of its type."""
    return type("WordsInForce", (), {**constants_of(type(sent)), **fields})()


def constants_of(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if name.startswith("CAUSE_")}


# ------------------------------------------------------------------------------ from pictures


SEEN = patches((MAGENTA, (40, 8)), (RED, (0, 40)))


def recorded(detector, since_ns: int) -> RecordedWords:
    """What a recording of this detector holds, through the message."""
    from std_msgs.msg import Header

    from ros_support_pkg.stamps import to_time
    from semantic_detection_pkg.detector.core.examples import ShownExample
    from semantic_detection_pkg.detector.ros.words_in_force import to_words_in_force

    box = (16.0, 32.0, 32.0, 48.0)
    examples = []
    for colour, is_negative in ((MAGENTA, False), ((0, 128, 255), True)):
        embedding = detector.embed_example("boot", patches((colour, (16, 32))), box)
        detector.pipeline.add_example("boot", embedding, is_negative=is_negative)
        examples.append(ShownExample("boot", embedding, is_negative, 1, 2, box))
    return from_words(to_words_in_force(detector, examples, Header(stamp=to_time(since_ns))))


def frame(words: tuple[str, ...], since_ns: int) -> FrameDetections:
    return FrameDetections(1, Detections.none(64, 64), words, words_since_ns=since_ns)


def test_pictures_are_detected_in_again_by_the_examples_and_words_of_then(tmp_path: Path) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    with load_detector(model, words=["coat=rope|boat", "red"], threads=1) as live:
        told = recorded(live, SINCE_NS)
        live_names, expected = live.pipeline.vocabulary, live.pipeline.process(SEEN)
    assert live_names == ("coat", "red", "boot")
    assert len(expected.detections) > 0
    # On another machine: without the text encoder.
    for file in (*tmp_path.glob("prompts.text*"), *tmp_path.glob("prompts.words/*/*")):
        file.unlink()
    _, file = cv2.imencode(".png", SEEN)
    shot = RecordedPicture(1, file.tobytes())
    with load_detector(model, threads=1) as detector:
        detect = _Detect(detector, (), {SINCE_NS: told})
        before = detect(shot, frame(("red", "green", "blue"), 0))
        again = detect(shot, frame(live_names, SINCE_NS))
        assert again.vocabulary == live_names
        np.testing.assert_array_equal(again.detections.scores, expected.detections.scores)
        np.testing.assert_array_equal(again.detections.boxes_xyxy, expected.detections.boxes_xyxy)
        np.testing.assert_array_equal(again.detections.class_ids, expected.detections.class_ids)
        assert before.vocabulary == ("red", "green", "blue")
        # Another class by the same name, later: its examples count and no others.
        other = replace(told, since_ns=5, examples=told.examples[:1])
        later = _Detect(detector, (), {SINCE_NS: told, 5: other})
        assert later(shot, frame(live_names, SINCE_NS)).vocabulary == live_names
        weights = detector.pipeline._vocabulary.inputs["cls_w"].copy()
        later(shot, frame(live_names, 5))
        assert np.abs(detector.pipeline._vocabulary.inputs["cls_w"] - weights).max() > 0.01


def test_examples_of_another_model_are_one_line(tmp_path: Path) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    _, file = cv2.imencode(".png", SEEN)
    shot = RecordedPicture(1, file.tobytes())
    with load_detector(model, threads=1) as detector:
        told = replace(recorded(detector, SINCE_NS), space="yoloe-26s 1")
        with pytest.raises(ConfigurationError, match="recorded by example, boot: the embedd") as no:
            _Detect(detector, (), {SINCE_NS: told})(shot, frame(("red", "boot"), SINCE_NS))
        assert "\n" not in str(no.value)
        named = _Detect(detector, ("red",), {SINCE_NS: told})
        assert named(shot, frame(("red", "boot"), SINCE_NS)).vocabulary == ("red",)

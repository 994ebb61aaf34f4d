"""A word that nobody prepared, typed while frames go on: found from the next frame on."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
import text_encoders
from builtin_interfaces.msg import Time
from launch_runner import LaunchSession
from rcl_interfaces.msg import Log
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections
from interfaces_pkg.srv import AddExample, ForgetExamples, SetVocabulary
from ros_support_pkg.qos import SENSOR_DATA
from ros_support_pkg.timers import every
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.word_memory import WordMemory
from semantic_detection_pkg.detector.ros.new_words import WordsService
from semantic_detection_pkg.errors import FrameError

pytestmark = pytest.mark.graph
ROBOT = ("semantic_detection_pkg", "robot.launch.yaml")
NAME = "detector/set_vocabulary"


@pytest.mark.long
def test_words_are_learnt_between_two_frames(tmp_path: Path, probe: GraphProbe) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    with load_detector(model) as detector:
        embedding = detector.source.find(["rope"])["rope"]
    for file in model.with_name("prompts.words").rglob("*.npz"):
        file.unlink()  # the node is to encode it itself
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "rope.png"), text_encoders.picture_of(embedding))
    arguments = {
        "source": f"images:{pictures}?loop=1&rate=20",
        "model": str(model),
        "engine": "onnxruntime",
        "shared_dir": str(tmp_path),
        **dict.fromkeys(("gimbal", "vlm", "record", "dashboard"), "false"),
    }
    found = probe.listen(Detections, "detections", SENSOR_DATA)
    with LaunchSession(ROBOT, arguments):
        probe.wait_for(lambda: len(found) > 5, "detections")

        taken = set_words(probe, ["red", "Rope"])

        assert (taken.success, taken.message, taken.vocabulary) == (True, "", ["red", "Rope"])
        seen = probe.wait_for(
            lambda: [one for one in found if list(one.vocabulary) == ["red", "Rope"]], "new words"
        )
        assert 1 in seen[0].class_ids
        assert list(model.with_name("prompts.words").rglob("*.npz"))
        check_refusals(probe)


def set_words(probe: GraphProbe, words: list[str]) -> SetVocabulary.Response:
    return probe.call(SetVocabulary, NAME, SetVocabulary.Request(words=words))


def check_refusals(probe: GraphProbe) -> None:
    """One line each; what was in force stays."""
    for words, message in (
        ([""], "vocabulary: '' is not a word"),
        (["red", " , "], "vocabulary: ' , ' is not a word"),
        (["boot", "Boot"], "vocabulary: 'Boot' is given twice"),
        (["xy" * 15], "tokens, at most 18 are allowed"),
    ):
        refused = set_words(probe, words)
        assert not refused.success
        assert message in refused.message
        assert "\n" not in refused.message
        assert refused.vocabulary == ["red", "Rope"]
    words = [f"word {number}" for number in range(300)]
    taken = set_words(probe, words)
    assert (taken.success, taken.vocabulary) == (True, words[:8])
    assert taken.message.startswith("vocabulary: the first 8 of 300 words are looked for")
    assert taken.message.endswith("word 8, word 9, word 10, word 11, word 12 and 287 more")


def picture_with_a_patch() -> np.ndarray:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:32, 32:48] = (255, 0, 255)
    return picture


class SlowSource:
    """Words whose encoding takes until it is told to end."""

    refusal = ""

    def __init__(self) -> None:
        self.is_asked, self.may_end = threading.Event(), threading.Event()

    def find(self, prompts: Any) -> dict[str, np.ndarray]:
        self.is_asked.set()
        assert self.may_end.wait(60.0)
        return {prompt: np.array([0, 1, 0], np.float32) for prompt in prompts}


@pytest.fixture
def slow(tmp_path: Path, probe: GraphProbe, ros_domain: dict[str, str]) -> Iterator[Any]:
    """The service on an executor of one thread, which also has a timer in frames' place."""
    context = Context()
    rclpy.init(context=context, domain_id=int(ros_domain["ROS_DOMAIN_ID"]))
    node = Node("slow", context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    frames: list[int] = []
    every(node, 0.01, lambda: frames.append(0))
    source = SlowSource()
    with load_detector(text_encoders.prompt_model_with_text(tmp_path), words=["red"]) as loaded:
        object.__setattr__(loaded, "source", source)
        held = SimpleNamespace(detector=loaded)
        held.frames = {7: picture_with_a_patch()}

        def frame(stamp_ns: int) -> np.ndarray:
            if stamp_ns not in held.frames:
                raise FrameError(f"frame {stamp_ns} ns is not held")
            return held.frames[stamp_ns]

        told = itertools.count(1)

        def tell(*_: Any) -> Time:
            return Time(nanosec=next(told))

        held.missions = []
        heed = held.missions.append
        WordsService(node, lambda: held.detector, frame, WordMemory(), tell, heed)
        spinning = threading.Thread(target=executor.spin, daemon=True)
        spinning.start()
        yield SimpleNamespace(held=held, source=source, frames=frames, loaded=loaded)
        source.may_end.set()
        executor.shutdown()
        spinning.join(10.0)
        node.destroy_node()
        context.try_shutdown()


def test_frames_and_known_words_do_not_wait_for_an_encoder(slow: Any, probe: GraphProbe) -> None:
    client = probe.node.create_client(SetVocabulary, NAME)
    probe.wait_for(client.service_is_ready, "the service")
    older = client.call_async(SetVocabulary.Request(words=["red", "rope"]))
    probe.wait_for(slow.source.is_asked.is_set, "the encoder's turn")
    before = len(slow.frames)
    probe.wait_for(lambda: len(slow.frames) > before + 50, "frames while it encodes")
    newer = set_words(probe, ["blue"])
    assert newer.vocabulary == ["blue"]

    slow.source.may_end.set()

    late = probe.result_of(older, "the answer to who asked first")
    assert (late.success, late.vocabulary) == (False, ["blue"])
    assert late.message == "vocabulary: a newer request came, and holds"
    assert late.words_since == newer.words_since == Time(nanosec=1), "who asked can tell which"
    # What was encoded is known now.
    slow.source.may_end.clear()
    assert set_words(probe, ["rope"]).vocabulary == ["rope"]


def test_what_a_mission_says_again_comes_in_no_ones_way(slow: Any, probe: GraphProbe) -> None:
    client = probe.node.create_client(SetVocabulary, NAME)
    probe.wait_for(client.service_is_ready, "the service")
    older = client.call_async(SetVocabulary.Request(words=["red", "rope"]))
    probe.wait_for(slow.source.is_asked.is_set, "the encoder's turn")
    again = client.call_async(SetVocabulary.Request(words=["blue"], mission="g 1"))
    assert probe.result_of(again, "the mission's answer").vocabulary == ["blue"]
    assert slow.held.missions == ["", "g 1"]
    slow.source.may_end.set()
    asked = probe.result_of(older, "the answer to who asked")
    assert (asked.success, list(asked.vocabulary)) == (True, ["red", "rope"]), asked.message


def test_words_of_a_model_that_is_gone_are_not_taken(slow: Any, probe: GraphProbe) -> None:
    client = probe.node.create_client(SetVocabulary, NAME)
    probe.wait_for(client.service_is_ready, "the service")
    answer = client.call_async(SetVocabulary.Request(words=["rope"]))
    probe.wait_for(slow.source.is_asked.is_set, "the encoder's turn")
    slow.held.detector = None
    slow.source.may_end.set()
    gone = probe.result_of(answer, "an answer")
    assert (gone.success, list(gone.vocabulary)) == (False, [])
    assert gone.message == "vocabulary: the model was changed meanwhile; ask again"
    assert set_words(probe, ["red"]).message == ("no model is loaded: configure the detector first")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (MemoryError(), "MemoryError (see the log)"),
        (RuntimeError("bad allocation\nof 250 MB"), "RuntimeError: bad allocation (see the log)"),
    ],
)
def test_who_asks_is_answered_whatever_the_thread_fails_of(
    slow: Any, probe: GraphProbe, monkeypatch: pytest.MonkeyPatch, failure: Exception, message: str
) -> None:
    """The next request has a thread of its own; the log has where it failed."""
    ended: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    kept = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # as it is told
    logged = probe.listen(Log, "/rosout", kept)

    def fail(*_: Any) -> dict[str, np.ndarray]:
        raise failure

    slow.source.find = fail
    refused = set_words(probe, ["rope"])
    assert (refused.success, list(refused.vocabulary)) == (False, ["red"])
    assert refused.message == f"vocabulary: stays as it was, this failed: {message}"
    probe.wait_for(
        lambda: any("Traceback" in one.msg and "in fail" in one.msg for one in logged), "the log"
    )

    object.__setattr__(slow.loaded, "examples", SimpleNamespace(embed=fail))
    shown = show(probe, "boot", (32.0, 16.0, 48.0, 32.0), frame=Time(nanosec=7))
    assert (shown.success, shown.message) == (False, refused.message)
    del slow.source.find
    slow.source.may_end.set()
    assert set_words(probe, ["rope"]).success
    assert ended == []


def test_who_asks_is_answered_where_there_is_no_thread_left(
    slow: Any, probe: GraphProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "words":
            raise RuntimeError("can't start new thread")
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    refused = set_words(probe, ["rope"])
    assert not refused.success
    assert "RuntimeError: can't start new thread" in refused.message


def show(probe: GraphProbe, name: str, box: tuple[float, ...], **more: Any) -> Any:
    request = AddExample.Request(name=name, box_xyxy=list(box), **more)
    return probe.call(AddExample, "detector/add_example", request)


def test_examples_on_frames_and_pictures(slow: Any, probe: GraphProbe) -> None:
    patch = (32.0, 16.0, 48.0, 32.0)
    first = show(probe, "boot", patch, frame=Time(nanosec=7))
    assert (first.success, first.message, list(first.vocabulary)) == (True, "", ["red", "boot"])
    _, content = cv2.imencode(".png", picture_with_a_patch()[:, ::-1].copy())
    sent = content.ravel().tolist()
    second = show(probe, "boot", (16, 16, 32, 32), picture=sent)
    assert (second.success, list(second.vocabulary)) == (True, ["red", "boot"])
    found = slow.loaded.pipeline.process(picture_with_a_patch())
    assert set(found.detections.class_ids) == {1}
    assert show(probe, "boot", (16, 16, 32, 32), picture=sent, is_negative=True).success
    idle = show(probe, "blue", (16, 16, 32, 32), picture=sent, is_negative=True)
    assert idle.message == "'blue' is not looked for, what was shown of it is known"
    assert (idle.success, list(idle.vocabulary)) == (True, ["red", "boot"])

    assert set_words(probe, ["red", "coat=blue|green"]).success
    synonym = show(probe, "Green", (16, 16, 32, 32), picture=sent)
    assert synonym.message == "'Green' is what 'coat' looks for, and counts for that"
    assert (synonym.success, list(synonym.vocabulary)) == (True, ["red", "coat"])
    assert set_words(probe, ["red", "boot"]).success

    refusals = (
        (show(probe, "boot", patch, frame=Time(nanosec=8)), "frame 8 ns is not held"),
        (show(probe, "boot", (5, 5, 5, 9), frame=Time(nanosec=7)), "a box of some area"),
        (show(probe, "boot", (70, 5, 80, 9), frame=Time(nanosec=7)), "of the picture of 64x64"),
        (show(probe, "boot", patch, picture=[1, 2, 3]), "picture of 'boot': cannot be decoded"),
        (show(probe, "", patch, frame=Time(nanosec=7)), "'' is not a word"),
        (show(probe, "yeti", patch, frame=Time(nanosec=7), is_negative=True), "is no class yet"),
    )
    for refused, message in refusals:
        assert not refused.success
        assert message in refused.message
        assert "\n" not in refused.message
        assert list(refused.vocabulary) == ["red", "boot"]


def test_who_forgets_all_that_is_looked_for_is_told_what_is_then(
    slow: Any, probe: GraphProbe
) -> None:
    assert show(probe, "boot", (32.0, 16.0, 48.0, 32.0), frame=Time(nanosec=7)).success
    assert set_words(probe, ["boot"]).success
    forgotten = probe.call(
        ForgetExamples, "detector/forget_examples", ForgetExamples.Request(name="boot")
    )
    assert forgotten.success
    assert forgotten.message == (
        "not looked for any more: boot; nothing else was, so all that the model was prepared with "
        "is looked for"
    )
    assert list(forgotten.vocabulary) == list(slow.loaded.pipeline.known_words)


def test_networks_of_another_checkpoint_are_one_line_each(
    slow: Any, probe: GraphProbe, tmp_path: Path
) -> None:
    """Words that are prepared go on."""
    folder = tmp_path / "other"
    folder.mkdir()
    model = text_encoders.prompt_model_with_text(folder)
    for kind in ("text.onnx", "example.onnx"):
        path = model.with_name(f"prompts.{kind}")
        path.write_bytes(path.read_bytes() + b"\n")
    with load_detector(model, words=["red"]) as loaded:
        slow.held.detector = loaded
        refused = (
            (set_words(probe, ["red", "rope"]), "text encoder prompts.text.onnx: its SHA-256 is "),
            (
                show(probe, "boot", (32, 16, 48, 32), frame=Time(nanosec=7)),
                "example network prompts.example.onnx: its SHA-256 is ",
            ),
        )
        for answer, message in refused:
            assert not answer.success
            assert answer.message.startswith(message)
            assert "it is of another checkpoint or export; copy all files" in answer.message
            assert "\n" not in answer.message
            assert list(answer.vocabulary) == ["red"]
        assert set_words(probe, ["blue"]).success

"""Words and examples in the running graph: told with their origin, kept, recorded, replayed."""

from __future__ import annotations

import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import text_encoders
from dashboard_client import Served
from free_port import free_port
from launch_runner import LaunchSession
from lifecycle_msgs.msg import State, Transition
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections, WordMeaning, WordsInForce
from interfaces_pkg.srv import AddExample, ForgetExamples, SetVocabulary
from ros_support_pkg.qos import SENSOR_DATA, STATE
from semantic_detection_pkg.cli.replay import main as replay
from semantic_detection_pkg.recorder.storage.bag_messages import words_by_stamp
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
ROBOT = ("semantic_detection_pkg", "robot.launch.yaml")
WORDS = ["red", "coat=rope|yellow coat"]
BOX = (16.0, 16.0, 48.0, 48.0)
RESTART = (
    (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
    (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED),
    (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
    (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
)


@pytest.mark.long
def test_words_and_examples_outlive_a_configuration_a_crash_and_the_flight(
    tmp_path: Path, probe: GraphProbe, capsys: pytest.CaptureFixture[str]
) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = (255, 0, 255)
    cv2.imwrite(str(pictures / "boot.png"), picture)
    arguments = {
        "source": f"images:{pictures}?loop=1&rate=10",
        "model": str(model),
        "engine": "onnxruntime",
        "classes": "[red]",
        "shared_dir": str(tmp_path),
        "output_dir": str(tmp_path / "recordings"),
        **dict.fromkeys(("gimbal", "vlm", "dashboard"), "false"),
    }
    told = probe.listen(WordsInForce, "detector/words", STATE)
    found = probe.listen(Detections, "detections", SENSOR_DATA)
    with LaunchSession(ROBOT, arguments) as session:
        probe.wait_for(lambda: len(found) > 2, "detections")
        probe.wait_for(
            lambda: "recorder" in listeners(probe), "the recorder, which keeps the words"
        )
        ask(probe, SetVocabulary, "set_vocabulary", words=WORDS)
        for is_negative in (False, True):
            box = (0.0, 0.0, 40.0, 40.0) if is_negative else BOX
            newest = found[-1].header.stamp
            ask(
                probe, AddExample, "add_example",
                name="boot", is_negative=is_negative, frame=newest, box_xyxy=box,
            )  # fmt: skip
        first = probe.wait_for(lambda: in_force(told, ["red", "coat", "boot"], 2), "words")[-1]
        check_origins(first)
        check_frames_name_them(probe, found, first)

        for transition, goal in RESTART:
            probe.change_state("detector", transition, goal)
        again = told[-1]
        assert again.header.stamp != first.header.stamp
        assert list(again.words) == list(first.words)
        assert again.examples == first.examples
        check_frames_name_them(probe, found, again)

        told.clear()
        session.send("detector", signal.SIGKILL)
        known = probe.wait_for(lambda: in_force(told, ["red"], 2), "a new detector")[-1]
        assert known.examples == first.examples
        ask(probe, SetVocabulary, "set_vocabulary", words=["red", "boot"])
        last = probe.wait_for(lambda: in_force(told, ["red", "boot"], 2), "words said again")[-1]
        check_frames_name_them(probe, found, last)

        told.clear()
        answer = ask(probe, ForgetExamples, "forget_examples", name="Boot")
        assert (answer.message, list(answer.vocabulary)) == (
            "not looked for any more: boot", ["red"],
        )  # fmt: skip
        probe.wait_for(lambda: in_force(told, ["red"], 0), "nothing known by example")
    check_recorded(tmp_path / "recordings", first)
    options = ["--from", "frames", "--model", str(model)]
    assert replay([str(tmp_path / "recordings"), *options]) == 0
    said = capsys.readouterr().out
    assert " 0 not, 0 new" in said, said


def listeners(probe: GraphProbe) -> set[str]:
    infos = probe.node.get_subscriptions_info_by_topic("/detector/words")
    return {one.node_name for one in infos}


def test_a_box_on_a_photograph_goes_from_the_page_to_the_detector(
    tmp_path: Path, probe: GraphProbe
) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = (255, 0, 255)
    cv2.imwrite(str(pictures / "boot.png"), picture)
    port = free_port()
    arguments = {
        "source": f"images:{pictures}?loop=1&rate=10",
        "model": str(model),
        "engine": "onnxruntime",
        "classes": "[red]",
        "dashboard_port": str(port),
        "shared_dir": str(tmp_path),
        "output_dir": str(tmp_path / "recordings"),
        **dict.fromkeys(("gimbal", "vlm", "record"), "false"),
    }
    told = probe.listen(WordsInForce, "detector/words", STATE)
    found = probe.listen(Detections, "detections", SENSOR_DATA)
    with LaunchSession(ROBOT, arguments) as session:
        session.wait_for_line("the page is at")
        probe.wait_for(lambda: len(found) > 2, "detections")
        page = Served(None, None, f"http://127.0.0.1:{port}")
        with page.page() as live:
            own = {"X-Viewer": live.news()["me"]["id"]}
            assert page.post("/api/operator", {"is_taken": True}, **own).status == 200
            live.until(
                lambda news, _: (
                    news.get("sections", {}).get("presence", {}).get("detector/add_example", False)
                )
            )
            _, photograph = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])
            query = "name=boot&x_min=16&y_min=16&x_max=48&y_max=48"
            reply = page.post(f"/api/examples?{query}", photograph.tobytes(), **own)
            assert (reply.status, reply.json) == (200, {"message": ""})
            last = probe.wait_for(lambda: in_force(told, ["red", "boot"], 1), "the example")[-1]
            check_frames_name_them(probe, found, last)
            reply = page.post(f"/api/examples?{query}", b"no picture", **own)
            assert reply.status == 409
            assert reply.json["detail"].startswith("picture of 'boot': ")
            shown = live.until(
                lambda news, _: any(
                    row["origins"] == ["examples"]
                    for row in news.get("sections", {}).get("words", {}).get("words", ())
                )
            )[0]["sections"]["words"]
        assert shown["known"] == [{"name": "boot", "positives": 1, "negatives": 0}]


def ask(probe: GraphProbe, kind: type, service: str, /, **request: object) -> object:
    answer = probe.call(kind, f"detector/{service}", kind.Request(**request))
    assert answer.success, answer.message
    return answer


def in_force(told: list[WordsInForce], words: list[str], examples: int) -> list[WordsInForce]:
    return [one for one in list(told) if list(one.words) == words and len(one.examples) == examples]


def check_origins(told: WordsInForce) -> None:
    rows = [(one.word, one.text, one.origin, one.positives, one.negatives) for one in told.meanings]
    kind = WordMeaning
    assert rows == [
        (0, "red", kind.ORIGIN_PREPARED, 0, 0),
        (1, "rope", kind.ORIGIN_ENCODED, 0, 0),
        (1, "yellow coat", kind.ORIGIN_ENCODED, 0, 0),
        (2, "boot", kind.ORIGIN_EXAMPLES, 1, 1),
    ]
    assert [one.is_negative for one in told.examples] == [False, True]
    assert tuple(told.examples[0].box_xyxy) == BOX
    assert told.embedding_space.startswith("tiny-1 ")


def check_frames_name_them(probe: GraphProbe, found: list[Detections], told: WordsInForce) -> None:
    """The next frames say which words they are by, and hold the boot where it is wanted."""
    found.clear()
    frames = probe.wait_for(
        lambda: [one for one in list(found) if one.words_since == told.header.stamp], "frames"
    )
    names = list(frames[0].vocabulary)
    assert names == list(told.words)
    assert names.index("boot") in frames[0].class_ids


def check_recorded(recordings: Path, told: WordsInForce) -> None:
    with BagReader(recordings) as reader:
        words = words_by_stamp(reader, "/")
    since_ns = told.header.stamp.sec * 1_000_000_000 + told.header.stamp.nanosec
    kept = words[since_ns]
    assert kept.wanted == ("red", "coat=rope|yellow coat", "boot")
    assert kept.typed.keys() == {"rope", "yellow coat"}
    np.testing.assert_array_equal(kept.examples[0].embedding, told.examples[0].embedding)

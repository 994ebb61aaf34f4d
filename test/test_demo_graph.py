"""The demo as people see it: the simulated world through the mock gimbal, judged by the truth."""

import json
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from free_port import free_port
from launch_runner import LaunchSession
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections, GimbalAngle, GimbalState, GroundTruth
from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.qos import COMMAND, EVENT, SENSOR_DATA
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.cli.bringup import arguments_of, read_file
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.common.core.from_messages import from_detections
from simulation_pkg.core.scoring import confirmed

pytestmark = [pytest.mark.graph, pytest.mark.timeout(180)]
CONFIG = Path(__file__).resolve().parent.parent / "config" / "config.dev.yaml"
DEV = ("semantic_detection_pkg", "dev.launch.yaml")
START_TIMEOUT_S = 60.0


@pytest.fixture
def arguments(tmp_path) -> dict[str, str]:
    """A small picture, so that a slow machine keeps up, and a port of the test's own."""
    port = free_port()
    return {
        **arguments_of(plan_launch(read_file(CONFIG), {})),
        "source": "sim:7?width=640&height=360&rate=10",
        "mock_port": str(port),
        "save_dir": str(tmp_path),
        "shared_dir": str(tmp_path),
        "record": "false",
        "dashboard": "false",
    }


@pytest.fixture
def demo(arguments: dict[str, str], probe: GraphProbe) -> Iterator[LaunchSession]:
    with LaunchSession(DEV, arguments) as session:
        session.wait_for_start("demo_judge")
        yield session


def test_demo_detects_what_is_there_and_ends_by_itself(
    arguments: dict[str, str], ros_domain: dict[str, str]
) -> None:
    seconds = round(patience(2.0))
    with LaunchSession(DEV, {**arguments, "duration_s": str(seconds)}) as session:
        assert session.wait(START_TIMEOUT_S) == 0
        summary = json.loads(session.lines_of("demo_judge")[-1])
    assert summary["confirmed"] > 0
    assert summary["seconds"] >= seconds
    assert not [line for line in session.lines if "Traceback" in line], "\n".join(session.lines)


@pytest.mark.long
def test_picture_follows_the_gimbal(demo: LaunchSession, probe: GraphProbe) -> None:
    """Frames are rendered with the pose that the gimbal had when they were captured.

    Or a moment before, where the newest state that the camera knew then was older.
    """
    truths = probe.listen(GroundTruth, "world/ground_truth", EVENT)
    states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)

    def turns() -> bool:
        yaws = [truth.yaw_rad for truth in list(truths)[5:]]
        return len(yaws) > 5 and max(yaws) - min(yaws) > 0.5

    probe.wait_for(turns, "half a radian of turning, in frames", START_TIMEOUT_S)
    pictures, newest_ns = list(truths)[5:], from_time(truths[-1].header.stamp)
    probe.wait_for(
        lambda: bool(states) and from_time(states[-1].header.stamp) > newest_ns,
        "a later state",
        START_TIMEOUT_S,
    )
    poses = sorted((from_time(state.header.stamp), state.yaw_rad) for state in list(states))
    stamps = [stamp_ns for stamp_ns, _ in poses]
    late_ns = round(1e9 * patience(0.1))
    checked = 0
    for truth in pictures:
        stamp_ns = from_time(truth.header.stamp)
        first, last = bisect_left(stamps, stamp_ns - late_ns), bisect_left(stamps, stamp_ns)
        yaws = [yaw for _, yaw in poses[max(0, first - 1) : last + 1]]
        if first > 0 and last < len(poses):
            checked += 1
            assert min(yaws) - 0.05 < truth.yaw_rad < max(yaws) + 0.05
    assert checked


@pytest.mark.long
def test_words_change_what_is_found(arguments: dict[str, str], probe: GraphProbe) -> None:
    # A scan would hold on to its own words.
    with LaunchSession(DEV, {**arguments, "autostart_scan": "false"}) as session:
        session.wait_for_start("demo_judge")
        states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
        angle = probe.node.create_publisher(GimbalAngle, "gimbal/cmd_angle", COMMAND)

        def looks_down() -> bool:
            angle.publish(GimbalAngle(yaw_rad=0.4, pitch_rad=0.45))
            return bool(states) and abs(states[-1].pitch_rad - 0.45) < 0.02

        probe.wait_for(looks_down, "the gimbal to look down", START_TIMEOUT_S)
        check_words(probe)


def check_words(probe: GraphProbe) -> None:
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    truths = probe.listen(GroundTruth, "world/ground_truth", EVENT)
    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)

    name = "detector/set_vocabulary"
    refused = probe.call(SetVocabulary, name, SetVocabulary.Request(words=["unicorn"]))
    assert not refused.success
    assert "'unicorn' is unknown; known: person, tent, vehicle, boat, smoke" in refused.message

    # Nobody prepared these: the demo's text side knows what they are near to.
    words = ["shelter=canvas tent", "campfire smoke"]
    taken = probe.call(SetVocabulary, name, SetVocabulary.Request(words=words))
    assert list(taken.vocabulary) == ["shelter", "campfire smoke"], taken.message
    detections.clear()

    def shelters_there() -> bool:
        """A tent that is there was found under its new name."""
        for message in [m for m in detections if list(m.vocabulary) == list(taken.vocabulary)]:
            truth = next((t for t in truths if t.header.stamp == message.header.stamp), None)
            if truth is None:
                continue
            found = from_detections(message)
            names = ["tent" if i == 0 else "smoke" for i in message.class_ids]
            boxes = [thing.box_xyxy for thing in truth.objects]
            there = [thing.class_name for thing in truth.objects]
            is_there = confirmed(names, found.boxes_xyxy, there, _array(boxes))
            if any(ok and seen == "tent" for ok, seen in zip(is_there, names, strict=True)):
                return True
        return False

    probe.wait_for(shelters_there, "a tent called shelter", START_TIMEOUT_S)
    too_many = [f"word{i}=tent" for i in range(100)]
    some = probe.call(SetVocabulary, name, SetVocabulary.Request(words=too_many))
    room = len(some.vocabulary)
    assert list(some.vocabulary) == [f"word{i}" for i in range(room)]
    assert f"the first {room} of 100 words are looked for" in some.message
    dropped = f"dropped: word{room}, word{room + 1}, "
    assert dropped in some.message
    assert some.message.endswith(f" and {100 - room - 5} more")


def _array(boxes: list) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 4)

"""The result of a goal that a controller died with: whoever asks its successors for it gets it.

The controller is a real process, the robot around it is this one: a gimbal that stands still, a
detector that sees nothing more. What was reached when it was killed is made beforehand, so that all
was seen, whatever the machine.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from launch_runner import LaunchSession
from ros_actions import GoalProbe
from ros_graph import GraphProbe
from scan_graph import write_controller_launch

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Detections, Finding, GimbalState, ScanArea
from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.qos import RECORD, SENSOR_DATA
from ros_support_pkg.timers import every
from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER, NAME
from semantic_detection_pkg.scan.adapters.machine_clock import moment
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointEncoder, Head, encode
from simulation_pkg.harness.exact_scan import AREA, WORDS, ExactScan, Thing

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
PERIOD_S = 0.05
GOAL = Scan.Goal(
    area=ScanArea(
        yaw_min_rad=AREA.yaw_min_rad,
        yaw_max_rad=AREA.yaw_max_rad,
        pitch_min_rad=AREA.pitch_min_rad,
        pitch_max_rad=AREA.pitch_max_rad,
    ),
    words=WORDS[:2],
)


class Robot:
    """What a scan controller needs around it, in the probe's node."""

    def __init__(self, probe: GraphProbe) -> None:
        node, world = probe.node, ExactScan([])
        self._clock, self._world = node.get_clock(), world
        self._vocabulary: list[str] = []
        self._gimbal = node.create_publisher(GimbalState, "gimbal/state", SENSOR_DATA)
        self._detections = node.create_publisher(Detections, "detections", SENSOR_DATA)
        node.create_service(SetVocabulary, "detector/set_vocabulary", self._take_words)
        every(node, PERIOD_S, self._tell)

    def _take_words(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        self._vocabulary = list(request.words)
        response.success, response.vocabulary = True, self._vocabulary
        return response

    def _tell(self) -> None:
        stamp, world = self._clock.now().to_msg(), self._world
        gimbal = GimbalState(zoom=world.zoom, zoom_max=world.zoom_max, link=GimbalState.LINK_UP)
        gimbal.hfov_rad = world.view().hfov_rad
        gimbal.yaw_min_rad, gimbal.yaw_max_rad = world.limits[:2]
        gimbal.pitch_min_rad, gimbal.pitch_max_rad = world.limits[2:]
        seen = Detections(image_width=world.width, image_height=world.height, model="exact")
        seen.vocabulary = self._vocabulary
        for publisher, message in ((self._gimbal, gimbal), (self._detections, seen)):
            message.header.stamp = stamp
            publisher.publish(message)


def all_seen(goal_id: str) -> bytes:
    """Return what the file holds when all was seen and decided, a moment before the end."""
    made = ExactScan([Thing(0.3, 0.3), Thing(-0.4, 0.2, "tent", 0.03)])
    made.start(goal_id=goal_id)
    made.run(30.0, until=lambda decision: decision.status.findings == 1)
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    search = checkpoint.mission.search
    assert search is not None
    assert search.is_swept
    decided = replace(checkpoint.mission, search=replace(search, candidates=()))
    body = CheckpointEncoder().body(replace(checkpoint, mission=decided))
    return encode(Head(moment(), made.settings), body)


@pytest.fixture
def launch(tmp_path: Path) -> Path:
    path = tmp_path / "alone.launch.yaml"
    write_controller_launch(path, tmp_path)
    return path


def kill(session: LaunchSession) -> None:
    """End the controller as a crash does."""
    session.send("scan_controller", signal.SIGKILL)
    session.wait_for_end("scan_controller")


def killed(launch: Path, probe: GraphProbe) -> GoalProbe:
    """Return a goal whose controller was killed when all was seen; its file is there."""
    path = launch.parent / FOLDER / NAME
    with LaunchSession(launch) as session:
        sent = probe.action(Scan, "scan").send_goal(GOAL)
        assert sent.accepted
        probe.wait_for(path.exists, "a checkpoint")
        kill(session)
    path.write_bytes(all_seen(sent.goal_id))
    return sent


def check(outcome: Any) -> None:
    """It is how the goal of `all_seen` ends."""
    assert outcome.status == GoalStatus.STATUS_SUCCEEDED
    assert outcome.result.message == "the area is covered"
    assert outcome.result.findings == 1
    assert outcome.result.coverage == pytest.approx(1.0)


@pytest.mark.long
def test_whoever_asks_again_has_the_result_before_and_after_the_end_and_of_any_successor(
    launch: Path, probe: GraphProbe
) -> None:
    Robot(probe)
    sent = killed(launch, probe)
    findings = probe.listen(Finding, "findings", RECORD)
    with LaunchSession(launch) as session:
        check(sent.result_again())  # from before it is there
        probe.wait_for(lambda: list(findings), "the findings of before")
        session.wait_for_line("goal succeeded: the area is covered")
        check(sent.result())  # long after the end
        kill(session)
        assert not [line for line in session.lines if "Traceback" in line]
    with LaunchSession(launch) as session:
        check(sent.result_again())  # of a controller that never had the goal
        assert not [line for line in session.lines if "Traceback" in line]


@pytest.mark.long
def test_a_goal_that_was_cancelled_is_cancelled_to_whoever_asks_the_next_controller(
    launch: Path, probe: GraphProbe
) -> None:
    Robot(probe)
    with LaunchSession(launch) as session:
        sent = probe.action(Scan, "scan").send_goal(GOAL)
        sent.cancel()
        session.wait_for_line("goal cancelled")
        kill(session)
    with LaunchSession(launch) as session:
        outcome = sent.result_again()
        assert outcome.status == GoalStatus.STATUS_CANCELED
        assert outcome.result.message == "cancelled"
        assert not [line for line in session.lines if "Traceback" in line]

"""A scan in real processes: the simulated world through a mock gimbal, found, cancelled, replayed.

One launch for all of it; every wait is for a condition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from launch_runner import LaunchSession
from patience import patience
from rclpy.qos import QoSProfile, ReliabilityPolicy
from replay_checks import check_heard_replay
from ros_actions import ActionProbe
from ros_graph import GraphProbe
from scan_checks import AREA, WORDS, check_evidence, check_refusals
from scan_graph import write_scan_launch
from std_srvs.srv import SetBool

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import (
    Coverage,
    Detections,
    Finding,
    GimbalAngle,
    GimbalState,
    ScanArea,
    ScanJournal,
    ScanState,
    Tracks,
)
from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.qos import COMMAND, EVENT, RECORD, STATE
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.journal import inputs_from_json

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
START_TIMEOUT_S = 90.0
STEPS = 60
#: Deep, so that the replay misses nothing that the controller may have heard.
DEEP = QoSProfile(depth=2000, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def graph(tmp_path: Path, probe: GraphProbe) -> Iterator[LaunchSession]:
    path = tmp_path / "scan.launch.yaml"
    controller = {
        "frame_rate_hz": 5.0,
        "operator_hold_s": patience(3.0),
        "rest_yaw_deg": 20.0,
        "rest_timeout_s": 60.0,
    }
    write_scan_launch(path, controller)
    with LaunchSession(path) as session:
        session.wait_for_start("scan_controller")
        yield session


def test_a_scan_finds_is_steered_cancelled_and_replayed(
    graph: LaunchSession, probe: GraphProbe
) -> None:
    gimbal = probe.listen(GimbalState, "gimbal/state", DEEP)
    detections = probe.listen(Detections, "detections", DEEP)
    journals = probe.listen(ScanJournal, "scan/journal", QoSProfile(depth=2000))
    states = probe.listen(ScanState, "scan/state", STATE)
    findings = probe.listen(Finding, "findings", RECORD)
    maps = probe.listen(Coverage, "scan/coverage", STATE)
    tracks = probe.listen(Tracks, "scan/tracks", EVENT)
    points = probe.node.create_publisher(GimbalAngle, "scan/point_here", COMMAND)
    client = probe.action(Scan, "scan")
    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
    probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")

    check_refusals(client)
    check_large_goal(client, probe, states)
    goal = Scan.Goal(area=AREA, words=WORDS, repeat=True)
    sent = client.send_goal(goal)
    assert sent.accepted
    check_evidence(
        probe.wait_for(
            lambda: next((f for f in list(findings) if f.tiers and f.best_frame.sec), None),
            "a finding",
            START_TIMEOUT_S,
        )
    )
    seen = probe.wait_for(
        lambda: next((m for m in list(maps) if set(m.results) != {Coverage.RESULT_UNSEEN}), None),
        "a map on which something was seen",
    )
    assert seen.columns * seen.rows == len(seen.results)
    probe.wait_for(lambda: any(message.tracks for message in list(tracks)), "tracks")

    check_pause_and_operator(probe, points, states, gimbal)
    sent.cancel()
    outcome = sent.result()
    assert outcome.status == GoalStatus.STATUS_CANCELED
    assert outcome.result.message.startswith("cancelled")
    assert not outcome.result.success
    ended = probe.wait_for(
        lambda: next((s for s in list(states) if s.outcome and s.goal_id == sent.goal_id), None),
        "the outcome",
    )
    assert ended.outcome == f"cancelled: {outcome.result.message}"
    assert findings[-1].id.startswith(f"{from_time(ended.goal_begun)}-")
    rest_rad = math.radians(20.0)
    probe.wait_for(
        lambda: abs(gimbal[-1].yaw_rad - rest_rad) < 0.03 and gimbal[-1].zoom < 1.1,
        "the gimbal at rest",
    )
    probe.wait_for(lambda: states[-1].reason == "no goal", "the controller at rest")
    probe.wait_for(lambda: len(journals) >= STEPS, "steps to replay", START_TIMEOUT_S)
    check_poses(list(detections))
    check_heard_replay(list(journals), list(gimbal), list(detections))
    check_words_are_journalled(list(journals))
    assert not [line for line in graph.lines if "Traceback" in line]


def check_large_goal(client: ActionProbe, probe: GraphProbe, states: list) -> None:
    """A goal that takes long to plan is planned beside the control loop, then swept."""
    area = ScanArea(yaw_min_rad=-2.0, yaw_max_rad=2.0, pitch_min_rad=0.0, pitch_max_rad=1.4)
    sent = client.send_goal(Scan.Goal(area=area, words=WORDS, zoom=6.0))
    probe.wait_for(lambda: any(s.reason == "planning the sweep" for s in list(states)), "planning")
    probe.wait_for(lambda: states[-1].reason == "sweeping the area", "the sweep")
    sent.cancel()
    assert sent.result().status == GoalStatus.STATUS_CANCELED


def check_pause_and_operator(probe: GraphProbe, points, states: list, gimbal: list) -> None:
    """A pause stands still; an operator looks elsewhere; the scan goes on after that."""
    assert probe.call(SetBool, "scan/pause", SetBool.Request(data=True)).success
    probe.wait_for(lambda: states[-1].is_paused, "the pause")
    assert states[-1].reason == "paused"
    assert probe.call(SetBool, "scan/pause", SetBool.Request(data=False)).success
    points.publish(GimbalAngle(yaw_rad=-1.2, pitch_rad=0.2))
    probe.wait_for(lambda: states[-1].leaf == "point for operator", "the operator")
    probe.wait_for(lambda: abs(gimbal[-1].yaw_rad + 1.2) < 0.05, "the operator's direction")
    probe.wait_for(
        lambda: states[-1].level in (ScanState.LEVEL_SWEEP, ScanState.LEVEL_CLOSE), "the scan again"
    )


def check_words_are_journalled(journals: list[ScanJournal]) -> None:
    """What the detector looks for, and where each word came from, is an input of the scan."""
    told = [
        one
        for journal in journals
        for one in inputs_from_json(journal.inputs).others
        if isinstance(one, WordsInForce)
    ]
    assert told
    assert {one.class_name for one in told[-1].meanings} >= {"person", "tent"}
    assert {one.origin for one in told[-1].meanings} == {"prepared"}
    assert told[-1].by_example == ()


def check_poses(detections: list) -> None:
    """Each frame tells where the camera looked, between two readings rather than beyond them."""
    known = [message for message in detections[-50:] if message.pose.is_known]
    assert len(known) > 0.9 * len(detections[-50:])
    late = [
        one for one in known if from_time(one.pose.newest_reading) < from_time(one.header.stamp)
    ]
    assert len(late) < 0.1 * len(known)

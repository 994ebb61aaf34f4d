"""The scan controller is killed in the middle of a scan: it comes back, goes on, and ends.

In real processes, over the simulated world and a mock gimbal; every wait is for a condition.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from launch_runner import LaunchSession
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import GraphProbe
from scan_graph import write_controller_launch, write_scan_launch

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Detections, Finding, GimbalState, ScanArea, ScanJournal, ScanState
from ros_support_pkg.qos import RECORD, STATE
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.ros.robot import RosRobot
from semantic_detection_pkg.recorder.core.replay.player import replay
from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER, NAME
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    CheckpointEncoder,
    Head,
    Moment,
    encode,
)
from semantic_detection_pkg.scan.core.from_messages import (
    from_detections,
    from_gimbal_state,
    from_journal,
)
from simulation_pkg.harness.exact_scan import ExactScan, Thing

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]
START_TIMEOUT_S = 90.0
SCAN_TIMEOUT_S = 150.0
#: Deep, so that the replay misses nothing that the controller may have heard.
DEEP = QoSProfile(depth=4000, reliability=ReliabilityPolicy.BEST_EFFORT)
#: As the recorder listens: a controller that comes has taken steps before it is found.
JOURNAL = QoSProfile(depth=4000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
#: A slice of the world of seed 7 in which things and decoys stand.
#: So wide that the first finding comes long before the end, on any machine.
AREA = ScanArea(yaw_min_rad=-0.9, yaw_max_rad=0.7, pitch_min_rad=0.1, pitch_max_rad=0.5)
WORDS = ["person", "tent", "vehicle", "boat"]


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "at_once_after_crash"))


@pytest.fixture
def graph(tmp_path: Path, probe: GraphProbe, policy: str) -> Iterator[LaunchSession]:
    path = tmp_path / "resume.launch.yaml"
    controller = {"output_dir": str(tmp_path), "resume_policy": policy, "frame_rate_hz": 5.0}
    write_scan_launch(path, controller, respawns=True)
    with LaunchSession(path) as session:
        session.wait_for_start("scan_controller")
        yield session


def kill(graph: LaunchSession, probe: GraphProbe) -> None:
    """Kill the controller and wait for the next one."""
    pid = graph.wait_for_start("scan_controller").pid
    graph.send("scan_controller", signal.SIGKILL)
    probe.wait_for(
        lambda: graph.wait_for_start("scan_controller").pid != pid, "another scan controller"
    )


def states_of(probe: GraphProbe) -> list[ScanState]:
    return probe.listen(ScanState, "scan/state", STATE)


@pytest.mark.long
def test_a_killed_controller_goes_on_and_ends_its_scan(
    graph: LaunchSession, probe: GraphProbe, tmp_path: Path
) -> None:
    gimbal = probe.listen(GimbalState, "gimbal/state", DEEP)
    detections = probe.listen(Detections, "detections", DEEP)
    journals = probe.listen(ScanJournal, "scan/journal", JOURNAL)
    findings = probe.listen(Finding, "findings", RECORD)
    states = states_of(probe)
    client = probe.action(Scan, "scan")
    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
    probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
    sent = client.send_goal(Scan.Goal(area=AREA, words=WORDS))
    assert sent.accepted
    probe.wait_for(lambda: list(findings), "a finding", SCAN_TIMEOUT_S)
    found = {finding.id: finding.revision for finding in list(findings)}
    seen = states[-1].coverage
    assert (tmp_path / FOLDER / NAME).exists()

    start, states_before = len(findings), len(states)
    kill(graph, probe)
    resumed = probe.wait_for(
        lambda: next((s for s in list(states)[states_before:] if s.words), None),
        "a scan in hand after the kill",
    )
    assert list(resumed.words) == WORDS
    assert resumed.coverage >= seen - 0.25, "what was seen within the last second may be lost"
    probe.wait_for(
        lambda: set(found) <= {f.id for f in list(findings)[start:]}, "the findings of before"
    )
    again = {f.id: f.revision for f in list(findings)[start:]}
    assert all(again[name] >= revision for name, revision in found.items())

    # The client is still there: its goal goes on under its id, so it asks for the result anew.
    outcome = sent.result(timeout_s=SCAN_TIMEOUT_S)
    assert outcome.status == GoalStatus.STATUS_SUCCEEDED
    assert outcome.result.message.startswith("the area is covered")

    def confirmed() -> set[str]:
        return {f.id for f in list(findings) if f.state == Finding.STATE_CONFIRMED}

    # The result comes as a service's answer, the findings by a topic: it may be here before them.
    probe.wait_for(lambda: outcome.result.findings <= len(confirmed()), "every finding it counts")
    probe.wait_for(lambda: not (tmp_path / FOLDER / NAME).exists(), "the end of the checkpoint")
    check_journal(list(journals), list(gimbal), list(detections))
    assert any("the mission is resumed" in line for line in graph.lines)
    assert not [line for line in graph.lines if "Traceback" in line]


def check_journal(journals: list, gimbal: list, detections: list) -> None:
    """The journal says that the mission was resumed, and replays over it."""
    resumed = [
        item
        for journal in journals
        for item in json.loads(journal.inputs)
        if item["type"] == "Resume"
    ]
    assert len(resumed) == 1
    assert resumed[0]["reasons_to_ask"] == []
    recorded = [
        *map(from_gimbal_state, gimbal),
        *map(from_detections, detections),
        *map(from_journal, journals),
    ]
    recorded.sort(key=lambda item: getattr(item, "now_ns", 0) or item.stamp_ns)
    outcomes = list(replay(recorded))
    # Best effort may lose something on its way to this test, on a loaded machine it does; what is
    # before can be replayed.
    decided = [one for one in outcomes if one.decision is not None]
    assert [one.step.number for one in decided if not one.is_same] == []
    first = next(i for i, one in enumerate(outcomes) if '"Resume"' in one.step.inputs)
    assert outcomes[first].is_same, "the first step of the second life is replayed"


class PageProbe:
    """The page's own way into the graph."""

    def __init__(self, probe: GraphProbe) -> None:
        self._probe = probe
        self.robot = RosRobot(probe.node)
        self.ended: list[Scan.Result] = []
        self.robot.on_scan_end = self.ended.append

    def send(self, command: commands.Command) -> str:
        """Have a command carried out, again while nobody is there; return what is said."""
        outcomes: list[commands.Outcome] = []

        def is_done() -> bool:
            if not outcomes or outcomes[-1].status is not commands.CommandStatus.DONE:
                self.robot.send(command, outcomes.append)
            return outcomes and outcomes[-1].status is commands.CommandStatus.DONE

        self._probe.wait_for(is_done, str(command), poll_s=1.0)
        return outcomes[-1].message


@pytest.mark.long
@pytest.mark.parametrize("policy", ["ask"], indirect=True)
def test_a_mission_that_asks_is_agreed_to_and_ended_on_the_page(
    graph: LaunchSession, probe: GraphProbe, tmp_path: Path
) -> None:
    detections = probe.listen(Detections, "detections", DEEP)
    states = states_of(probe)
    page = PageProbe(probe)
    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
    begin = commands.StartScan(
        yaw_min_rad=-0.5,
        yaw_max_rad=0.3,
        pitch_min_rad=0.15,
        pitch_max_rad=0.45,
        words=tuple(WORDS),
        is_repeated=True,
    )
    page.send(begin)
    probe.wait_for(lambda: states and states[-1].coverage > 0.0, "a beginning", SCAN_TIMEOUT_S)
    probe.wait_for((tmp_path / FOLDER / NAME).exists, "a checkpoint")

    kill(graph, probe)
    asking = probe.wait_for(
        lambda: next((s for s in list(states) if "waits for an operator" in s.reason), None),
        "the question",
    )
    assert asking.is_paused
    assert "resume_policy is ask" in asking.reason
    assert asking.level == ScanState.LEVEL_IDLE
    assert list(asking.words) == WORDS
    page.send(commands.PauseScan(is_paused=False))
    probe.wait_for(lambda: states[-1].level == ScanState.LEVEL_SWEEP, "the sweep", START_TIMEOUT_S)

    assert page.ended == []
    assert page.send(commands.StopScan()) in ("the scan ends", "no scan runs")
    probe.wait_for(lambda: page.ended, "the result on the page")
    assert page.ended[0].message.startswith("cancelled")
    probe.wait_for(lambda: not (tmp_path / FOLDER / NAME).exists(), "the end of the checkpoint")
    kill(graph, probe)
    count = len(states)
    probe.wait_for(lambda: len(states) > count + 2, "states of the third controller")
    assert not states[-1].words, "what has ended is not resumed"


def test_a_robot_that_was_cut_off_shows_its_mission_and_asks(
    ros_domain: dict[str, str], probe: GraphProbe, tmp_path: Path
) -> None:
    """Nothing else runs yet: the mission is there all the same, and can be ended."""
    made = ExactScan([Thing(0.3, 0.3), Thing(-0.4, 0.2, "tent", 0.03), Thing(0.5, 0.15)])
    made.start(goal_id="0123456789abcdef0123456789abcdef")
    made.run(30.0, until=lambda decision: decision.status.findings == 2)
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    saved = Moment(time.time_ns() - 60_000_000_000, "an earlier boot", 1)
    path = tmp_path / FOLDER / NAME
    path.parent.mkdir()
    path.write_bytes(encode(Head(saved, made.settings), CheckpointEncoder().body(checkpoint)))
    launch = tmp_path / "cut_off.launch.yaml"
    write_controller_launch(launch, tmp_path)
    states = states_of(probe)
    findings = probe.listen(Finding, "findings", RECORD)
    page = PageProbe(probe)
    with LaunchSession(launch) as session:
        probe.wait_for(lambda: states and states[-1].words, "the mission")
        assert states[-1].is_paused
        assert states[-1].coverage == pytest.approx(1.0)
        assert states[-1].reason == "gimbal: nothing heard yet", "that comes first"
        session.wait_for_line("waits for an operator to go on or end it: the computer was started")
        known = {one.finding_id for one in checkpoint.findings}
        probe.wait_for(lambda: {one.id for one in list(findings)} == known, "the findings")
        assert page.send(commands.StopScan()) in ("the scan ends", "no scan runs")
        probe.wait_for(lambda: not states[-1].words, "the end of the mission")
        probe.wait_for(lambda: not path.exists(), "the end of the checkpoint")
        assert not [line for line in session.lines if "Traceback" in line]


def test_garbage_in_place_of_a_checkpoint_ends_no_node(
    ros_domain: dict[str, str], probe: GraphProbe, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / NAME).write_bytes(bytes(range(256)) * 9)
    path = tmp_path / "garbage.launch.yaml"
    write_controller_launch(path, tmp_path)
    states = states_of(probe)
    with LaunchSession(path) as session:
        probe.wait_for(lambda: states, "a scan controller")
        told = session.wait_for_line(r"it is no checkpoint of a scan; it is not resumed").string
        assert "mission.checkpoint.bad1" in told
        assert session.wait_for_start("scan_controller").status is None
        assert not [line for line in session.lines if "Traceback" in line]
    assert not states[-1].words

"""The page's commands over the graph: carried out, refused, or given up in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.action import ActionServer
from rclpy.context import Context
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from two_nodes import TwoNodes

from interfaces_pkg.action import Scan
from interfaces_pkg.srv import AddExample
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome
from semantic_detection_pkg.dashboard.ros import robot as dashboard_robot
from semantic_detection_pkg.dashboard.ros.robot import RosRobot


class RobotHarness(TwoNodes):
    """The robot's side of the dashboard, and another node that answers only while it is spun."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "page")
        self.robot = RosRobot(self.node)
        self.operators: list[str] = []
        self.other.create_subscription(
            String, "operator", lambda message: self.operators.append(message.data), STATE
        )
        self.other.create_service(Trigger, "gimbal/center", self._answer)
        self.other.create_service(SetBool, "scan/pause", self._answer)
        self.other.create_service(
            SetParametersAtomically, "detector/set_parameters_atomically", self._set
        )
        self.other.create_service(AddExample, "detector/add_example", self._show)
        self.shown: list[AddExample.Request] = []
        self.parameters: dict[str, Any] = {}
        self.action = ActionServer(
            self.other, Scan, "scan", execute_callback=lambda _: Scan.Result()
        )

    def _set(self, request: Any, response: Any) -> Any:
        given = [Parameter.from_parameter_msg(one) for one in request.parameters]
        self.parameters = {one.name: one.value for one in given}
        colours = self.parameters["propose_colours"]
        response.result.successful = "mauve" not in colours
        response.result.reason = "" if response.result.successful else "colour 'mauve': known are"
        return response

    def _show(self, request: Any, response: Any) -> Any:
        self.shown.append(request)
        return self._answer(request, response)

    def _answer(self, _: Any, response: Any) -> Any:
        response.success, response.message = True, "done so"
        return response

    def outcomes_of(self, *asked: Command, is_answered: bool) -> list[Outcome]:
        """What commands end with."""
        outcomes: list[Outcome] = []
        for command in asked:
            self.robot.send(command, outcomes.append)
        self.spin_until(lambda: len(outcomes) == len(asked), is_answered=is_answered)
        return outcomes


@pytest.fixture
def harness(ros_domain: dict[str, str]) -> Iterator[RobotHarness]:
    context = Context()
    rclpy.init(context=context)
    harness = RobotHarness(context)
    served = ("scan", "scan/pause", "gimbal/center")
    harness.spin_until(lambda: all(harness.robot.presence()[name] for name in served))
    yield harness
    harness.action.destroy()
    harness.destroy()
    context.try_shutdown()


def test_commands_end_with_what_the_graph_answers(harness: RobotHarness) -> None:
    asked = (commands.Center(), commands.StartScan(words=("tent",)), commands.StopScan())
    assert harness.outcomes_of(asked[0], is_answered=True) == [
        Outcome(CommandStatus.DONE, "done so")
    ]
    assert harness.outcomes_of(asked[1], is_answered=True) == [
        Outcome(CommandStatus.DONE, "the scan has begun")
    ]
    ends: list[Scan.Result] = []
    harness.robot.on_scan_end = ends.append
    harness.spin_until(lambda: ends)
    assert harness.outcomes_of(asked[2], is_answered=True) == [
        Outcome(CommandStatus.DONE, "no scan runs")
    ]
    (outcome,) = harness.outcomes_of(commands.Zoom(zoom=2.0), is_answered=True)
    assert outcome == Outcome(CommandStatus.ABSENT, "nobody serves gimbal/set_zoom")


def test_proposals_are_the_detectors_parameters(harness: RobotHarness) -> None:
    wanted = commands.SetProposals(is_anomaly=True, colours=("red", "x=#102030"))
    (done,) = harness.outcomes_of(wanted, is_answered=True)
    assert done == Outcome(CommandStatus.DONE)
    assert harness.parameters == {
        "propose_anomalies": True,
        "propose_colours": ["red", "x=#102030"],
    }
    (refused,) = harness.outcomes_of(commands.SetProposals(colours=("mauve",)), is_answered=True)
    assert refused == Outcome(CommandStatus.REFUSED, "colour 'mauve': known are")
    harness.outcomes_of(commands.SetProposals(), is_answered=True)
    assert harness.parameters == {"propose_anomalies": False, "propose_colours": [""]}


def test_an_example_comes_to_the_detector_as_it_is(harness: RobotHarness) -> None:
    picture = bytes(range(256)) * 20_000  # 5 MB
    harness.spin_until(lambda: harness.robot.presence()["detector/add_example"])
    wanted = commands.ShowExample(
        name="boot", is_negative=True, x_min=1.5, y_min=2, x_max=30, y_max=40, picture=picture
    )
    (done,) = harness.outcomes_of(wanted, is_answered=True)
    assert done == Outcome(CommandStatus.DONE, "done so")
    (request,) = harness.shown
    assert (request.name, request.is_negative) == ("boot", True)
    assert list(request.box_xyxy) == [1.5, 2.0, 30.0, 40.0]
    assert bytes(request.picture) == picture
    assert (request.frame.sec, request.frame.nanosec) == (0, 0)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (commands.Center(), "gimbal/center"),
        (commands.StartScan(words=("tent",)), "scan"),
        (commands.StopScan(), "scan/_action/cancel_goal"),
    ],
)
def test_commands_without_an_answer_end_and_name_what_is_missing(
    harness: RobotHarness, monkeypatch: pytest.MonkeyPatch, command: Command, name: str
) -> None:
    monkeypatch.setattr(dashboard_robot, "_ANSWER_TIMEOUT_S", 0.2)
    (outcome,) = harness.outcomes_of(command, is_answered=False)
    assert outcome == Outcome(CommandStatus.LATE, f"{name}: no answer within 0.2 s")


def test_who_holds_control_is_published_however_much_waits(harness: RobotHarness) -> None:
    outcomes: list[Outcome] = []
    for _ in range(dashboard_robot._WAITING_MAX + 1):
        harness.robot.send(commands.Stop(), outcomes.append)
    assert [outcome.status for outcome in outcomes] == [
        CommandStatus.ABSENT
    ]  # no room for the last
    told: list[str] = []
    harness.robot.announce_operator("somebody", lambda: told.append("somebody"))
    assert told == []
    harness.spin_until(lambda: told)
    assert len(outcomes) == dashboard_robot._WAITING_MAX + 1
    harness.spin_until(lambda: harness.operators)
    assert harness.operators == ["somebody"]

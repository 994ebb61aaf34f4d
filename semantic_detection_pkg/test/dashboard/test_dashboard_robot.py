"""The page's commands over the graph: carried out, refused, or given up in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from patience import wait_until
from rclpy.action import ActionServer
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from interfaces_pkg.action import Scan
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome
from semantic_detection_pkg.dashboard.ros import robot as dashboard_robot
from semantic_detection_pkg.dashboard.ros.robot import RosRobot


class Stage:
    """The robot's side of the dashboard, and another node that answers only while it is spun."""

    def __init__(self, context: Context) -> None:
        self.node, self.other = Node("page", context=context), Node("other", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.others = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.others.add_node(self.other)
        self.robot = RosRobot(self.node)
        self.operators: list[str] = []
        self.other.create_subscription(
            String, "operator", lambda message: self.operators.append(message.data), STATE
        )
        self.other.create_service(Trigger, "gimbal/center", self._answer)
        self.other.create_service(SetBool, "scan/pause", self._answer)
        self.action = ActionServer(
            self.other, Scan, "scan", execute_callback=lambda _: Scan.Result()
        )

    def _answer(self, _: Any, response: Any) -> Any:
        response.success, response.message = True, "done so"
        return response

    def spin_until(self, condition: Callable[[], Any], *, is_answered: bool = True) -> None:
        def look() -> Any:
            self.executor.spin_once(timeout_sec=0.01)
            if is_answered:
                self.others.spin_once(timeout_sec=0.01)
            return condition()

        wait_until(look, timeout_s=30.0)

    def outcomes_of(self, *asked: Command, is_answered: bool) -> list[Outcome]:
        """What commands end with."""
        outcomes: list[Outcome] = []
        for command in asked:
            self.robot.send(command, outcomes.append)
        self.spin_until(lambda: len(outcomes) == len(asked), is_answered=is_answered)
        return outcomes


@pytest.fixture
def stage(ros_domain: dict[str, str]) -> Iterator[Stage]:
    context = Context()
    rclpy.init(context=context)
    stage = Stage(context)
    served = ("scan", "scan/pause", "gimbal/center")
    stage.spin_until(lambda: all(stage.robot.presence()[name] for name in served))
    yield stage
    stage.action.destroy()
    stage.other.destroy_node()
    stage.node.destroy_node()
    context.try_shutdown()


def test_commands_end_with_what_the_graph_answers(stage: Stage) -> None:
    asked = (commands.Center(), commands.StartScan(words=("tent",)), commands.StopScan())
    assert stage.outcomes_of(asked[0], is_answered=True) == [Outcome(CommandStatus.DONE, "done so")]
    assert stage.outcomes_of(asked[1], is_answered=True) == [
        Outcome(CommandStatus.DONE, "the scan has begun")
    ]
    ends: list[Scan.Result] = []
    stage.robot.on_scan_end = ends.append
    stage.spin_until(lambda: ends)
    assert stage.outcomes_of(asked[2], is_answered=True) == [
        Outcome(CommandStatus.REFUSED, "no scan runs")
    ]
    (outcome,) = stage.outcomes_of(commands.Zoom(zoom=2.0), is_answered=True)
    assert outcome == Outcome(CommandStatus.ABSENT, "nobody serves gimbal/set_zoom")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (commands.Center(), "gimbal/center"),
        (commands.StartScan(words=("tent",)), "scan"),
        (commands.StopScan(), "scan/_action/cancel_goal"),
    ],
)
def test_commands_without_an_answer_end_and_name_what_is_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: Command, name: str
) -> None:
    monkeypatch.setattr(dashboard_robot, "_ANSWER_TIMEOUT_S", 0.2)
    (outcome,) = stage.outcomes_of(command, is_answered=False)
    assert outcome == Outcome(CommandStatus.LATE, f"{name}: no answer within 0.2 s")


def test_who_holds_control_is_published_however_much_waits(stage: Stage) -> None:
    outcomes: list[Outcome] = []
    for _ in range(dashboard_robot._WAITING_MAX + 1):
        stage.robot.send(commands.Stop(), outcomes.append)
    assert [outcome.status for outcome in outcomes] == [
        CommandStatus.ABSENT
    ]  # no room for the last
    told: list[str] = []
    stage.robot.announce_operator("somebody", lambda: told.append("somebody"))
    assert told == []
    stage.spin_until(lambda: told)
    assert len(outcomes) == dashboard_robot._WAITING_MAX + 1
    stage.spin_until(lambda: stage.operators)
    assert stage.operators == ["somebody"]

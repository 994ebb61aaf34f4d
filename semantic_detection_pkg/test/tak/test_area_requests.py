"""A team's shape, and a scan controller that is there and does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from rcl_interfaces.msg import Log
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile
from two_nodes import TwoNodes

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Bearing
from interfaces_pkg.srv import ToBearings
from semantic_detection_pkg.tak.ros import area_requests
from semantic_detection_pkg.tak.ros.area_requests import AreaRequests

pytestmark = pytest.mark.graph

SQUARE = ((47.0, 8.0), (47.001, 8.0), (47.001, 8.001), (47.0, 8.001))


class Team(TwoNodes):
    """The requests, and a scan controller that answers while it is spun."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "team", "scan")
        self.bearings: list[Bearing] = [
            Bearing(yaw_rad=yaw, pitch_rad=0.3) for yaw in (0.1, 0.2, 0.3)
        ]
        self.goals: list[ServerGoalHandle] = []
        self.said: list[str] = []
        self.other.create_service(ToBearings, "scan/to_bearings", self._answer)
        ActionServer(
            self.other,
            Scan,
            "scan",
            execute_callback=lambda _: Scan.Result(),
            handle_accepted_callback=self.goals.append,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        late = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(Log, "/rosout", lambda one: self.said.append(one.msg), late)
        self.requests = AreaRequests(self.node, ["tent"])

    def _answer(self, _: ToBearings.Request, answer: ToBearings.Response) -> ToBearings.Response:
        answer.success = True
        answer.bearings = self.bearings
        return answer

    def is_said(self, text: str) -> bool:
        return any(text in one for one in self.said)


@pytest.fixture
def team(ros_domain: dict[str, str]) -> Iterator[Team]:
    context = Context()
    rclpy.init(context=context)
    team = Team(context)
    team.spin_until(
        lambda: (
            team.requests._bearings.service_is_ready() and team.requests._scan.server_is_ready()
        ),
        is_answered=True,
    )
    yield team
    team.destroy()
    context.try_shutdown()


def test_bearings_that_never_come_are_said(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area_requests, "_ANSWER_TIMEOUT_S", 0.5)
    team.requests.search("field", SQUARE)
    said = "cannot search 'field': "
    team.spin_until(lambda: team.is_said(said), is_answered=False)
    assert team.is_said("scan/to_bearings: no answer within 0.5 s")
    assert team.goals == []


def test_a_goal_that_nobody_takes_in_time_is_said_and_cancelled(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(area_requests, "_ACCEPT_TIMEOUT_S", 0.5)
    team.requests._begin(
        "field", ["tent"], ToBearings.Response(success=True, bearings=team.bearings)
    )
    said = "cannot search 'field': scan: no answer within 0.5 s"
    team.spin_until(lambda: team.is_said(said), is_answered=False)
    team.spin_until(lambda: team.goals and team.goals[0].is_cancel_requested, is_answered=True)


def test_bearings_that_are_none_are_said(team: Team) -> None:
    team.bearings = [Bearing(yaw_rad=float("nan"))]
    team.requests.search("field", SQUARE)
    team.spin_until(lambda: team.is_said("cannot search 'field': "), is_answered=True)
    assert team.goals == []


def test_a_shape_becomes_a_goal(team: Team) -> None:
    team.requests.search("field", SQUARE)
    team.spin_until(lambda: team.goals or team.is_said("cannot search"), is_answered=True)
    assert [goal.request.words for goal in team.goals] == [["tent"]]

"""The action's server gives results of goals that it has never been given by a client."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from patience import wait_until
from rclpy._rclpy_pybind11 import RCLError
from rclpy.action import ActionClient, ActionServer
from rclpy.action.client import ClientGoalHandle
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from ros_graph import destroy

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Bearing, ScanArea, WeightedArea
from ros_support_pkg.edge import refused_by
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.decisions import GoalResult
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.ros.action import ScanAction

GOAL = Goal("0123456789abcdef0123456789abcdef", Area(-0.5, 0.5, 0.0, 0.5), ("person",))
OUTCOMES = {
    "succeeded": GoalStatus.STATUS_SUCCEEDED,
    "cancelled": GoalStatus.STATUS_CANCELED,
    "aborted": GoalStatus.STATUS_ABORTED,
}


class ActionHarness:
    """A scan controller's server and a client, both spun by the test."""

    def __init__(self, context: Context) -> None:
        self.node, self.other = Node("scanner", context=context), Node("other", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.other)
        self.inputs: list[Any] = []
        self.scan = ScanAction(self.node, self.inputs.append)
        self.client = ActionClient(self.other, Scan, "scan")
        self.spin_until(self.client.server_is_ready)

    def spin_until(self, condition: Callable[[], Any], *, is_polled: bool = True) -> None:
        def look() -> Any:
            self.executor.spin_once(timeout_sec=0.01)
            if is_polled:
                self.scan.poll()
            return condition()

        wait_until(look, timeout_s=30.0)

    def ask(self, goal_id: str) -> Future:
        """Ask for the result as a client does that has the goal's handle."""
        action_id = Scan.Impl.GetResultService.Request().goal_id
        action_id.uuid = list(bytes.fromhex(goal_id))
        accepted = Scan.Impl.SendGoalService.Response(accepted=True)
        return ClientGoalHandle(self.client, action_id, accepted).get_result_async()

    def answer_to(self, goal_id: str) -> Any:
        asked = self.ask(goal_id)
        self.spin_until(asked.done)
        return asked.result()


@pytest.fixture
def harness(ros_domain: dict[str, str]) -> Iterator[ActionHarness]:
    context = Context()
    rclpy.init(context=context)
    harness = ActionHarness(context)
    yield harness
    harness.executor.shutdown()
    harness.scan.destroy()
    destroy(harness.node)
    destroy(harness.other)
    context.try_shutdown()


def test_who_asks_before_a_resumed_goal_has_come_waits_for_its_end(harness: ActionHarness) -> None:
    harness.scan.adopt(GOAL)
    early = harness.ask(GOAL.goal_id)
    # The server answers in order: the answer to the second says that it has taken up the first.
    unknown = harness.ask("f" * 32)
    harness.spin_until(unknown.done, is_polled=False)
    assert unknown.result().status == GoalStatus.STATUS_UNKNOWN
    assert not early.done(), "its goal is on its way"
    harness.spin_until(lambda: GOAL.goal_id in harness.scan._open)
    assert not early.done()
    harness.scan.finish(GoalResult(GOAL.goal_id, "succeeded", "the area is covered", 1.0, 2))
    harness.spin_until(early.done)
    for answer in (early.result(), harness.answer_to(GOAL.goal_id)):
        assert answer.status == GoalStatus.STATUS_SUCCEEDED
        assert answer.result.message == "the area is covered"
        assert answer.result.findings == 2
    assert harness.inputs == [], "it was in hand already"


def test_a_goal_that_ends_before_it_has_come_has_its_result(harness: ActionHarness) -> None:
    harness.scan.adopt(GOAL)
    early = harness.ask(GOAL.goal_id)
    harness.scan.finish(GoalResult(GOAL.goal_id, "aborted", "no reason"))
    harness.spin_until(early.done)
    assert early.result().status == GoalStatus.STATUS_ABORTED
    assert harness.answer_to(GOAL.goal_id).result.message == "no reason"


def test_goals_that_a_controller_before_has_ended_have_their_results(
    harness: ActionHarness,
) -> None:
    ids = {outcome: f"{number}" * 32 for number, outcome in enumerate(OUTCOMES)}
    for outcome, goal_id in ids.items():
        harness.scan.adopt_ended(GoalResult(goal_id, outcome, f"it has {outcome}", 0.5, 1, 9.0))
    harness.scan.adopt_ended(GoalResult("autostart", "succeeded", "nobody's"))
    harness.scan.adopt(GOAL)
    asked = {outcome: harness.ask(goal_id) for outcome, goal_id in ids.items()}
    for outcome, status in OUTCOMES.items():
        harness.spin_until(asked[outcome].done)
        for answer in (asked[outcome].result(), harness.answer_to(ids[outcome])):
            assert answer.status == status
            assert answer.result.message == f"it has {outcome}"
            assert answer.result.elapsed_s == 9.0
    harness.spin_until(lambda: GOAL.goal_id in harness.scan._open)
    assert harness.inputs == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zoom": math.nan}, "zoom is nan: numbers must be finite"),
        ({"area": ScanArea(yaw_max_rad=math.inf)}, "area.yaw_max_rad is inf"),
        ({"weights": [WeightedArea(weight=math.nan, vertices=[Bearing()] * 3)]}, "weights.weight"),
        # Not looked at one by one: they would hold up the scan in hand.
        ({"area": ScanArea(bearings=[Bearing(yaw_rad=math.nan)] * 20_000)}, "area: 20000 bearings"),
    ],
)
def test_a_goal_that_cannot_be_used_is_aborted_with_the_reason_and_counted(
    harness: ActionHarness, wrong: dict[str, Any], said: str
) -> None:
    sent = harness.client.send_goal_async(Scan.Goal(words=["person"], **wrong))
    harness.spin_until(sent.done)
    asked = sent.result().get_result_async()
    harness.spin_until(asked.done)
    answer = asked.result()
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.message.startswith(said)
    assert harness.inputs == [], "the scan does not hear of it"
    refused = refused_by(harness.node)["scan"]
    assert (refused.count, refused.reason) == (1, answer.result.message)


def test_a_client_that_cannot_be_answered_does_not_end_the_node(
    harness: ActionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def refuse(self: ActionServer, taken: dict[str, Any]) -> None:
        asked.append(taken)
        raise RCLError("client will not receive response")

    with monkeypatch.context() as patched:
        patched.setattr(ActionServer, "execute", refuse)
        harness.ask("f" * 32)
        harness.spin_until(lambda: asked)
    assert harness.answer_to("f" * 32).status == GoalStatus.STATUS_UNKNOWN

"""A node's edge: what cannot be used is dropped, counted, named; requests get the reason."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.action import ActionServer
from rclpy.node import Node

from interfaces_pkg.action import AskVlm, PointGimbal
from interfaces_pkg.msg import GimbalState, VlmAnswer
from interfaces_pkg.srv import AcquireGpu, SetZoom
from ros_support_pkg.diagnostics import Health, _with_refused
from ros_support_pkg.edge import advertise, refused_by, serve, serve_goals, subscribe
from ros_support_pkg.qos import SENSOR_DATA

pytestmark = pytest.mark.graph


@pytest.fixture
def node(ros_domain: dict[str, str]) -> Iterator[Node]:
    rclpy.init(args=[])
    node = Node("example")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_a_message_that_cannot_be_used_is_dropped_and_named(node: Node) -> None:
    taken: list[GimbalState] = []

    def take(message: GimbalState) -> None:
        if message.model == "odd":
            raise ValueError("model 'odd' is unknown")
        taken.append(message)

    give = subscribe(node, GimbalState, "gimbal/state", take, SENSOR_DATA).callback
    give(GimbalState())
    assert (len(taken), refused_by(node)) == (1, {})
    assert _with_refused(node, Health.ok("well")).message == "well"
    give(GimbalState(model="odd"))
    give(GimbalState(yaw_max_rad=math.nan))
    assert len(taken) == 1
    health = _with_refused(node, Health.ok("well", frames=3))
    reason = "yaw_max_rad is nan: numbers must be finite and at most 1000 in size"
    assert health.level == DiagnosticStatus.WARN
    assert health.message == f"gimbal/state refused: {reason}"
    assert health.values == {"frames": 3, "refused gimbal/state": f"2: {reason}"}
    refused_by(node)["gimbal/state"].last_s -= 60.0
    assert _with_refused(node, Health.ok("well")).message == "well", "counted, and no news any more"
    assert _with_refused(node, Health.error("ill")).message == "ill"


def test_a_topic_is_nothing_more_to_ask_at_each_wake_up(node: Node) -> None:
    """By itself rclpy has the executor ask two listeners more for each; see `topic_events`."""
    before = len(list(node.waitables))
    subscribe(node, GimbalState, "gimbal/state", print, SENSOR_DATA)
    advertise(node, GimbalState, "gimbal/state", SENSOR_DATA)
    assert len(list(node.waitables)) == before
    node.create_publisher(GimbalState, "gimbal/state", SENSOR_DATA)
    assert len(list(node.waitables)) > before, "rclpy does this by itself now: drop `topic_events`"


def test_a_defect_of_ours_is_not_hidden(node: Node) -> None:
    def take(_: Any) -> None:
        raise KeyError("ours")

    give = subscribe(node, GimbalState, "gimbal/state", take, SENSOR_DATA).callback
    with pytest.raises(KeyError):
        give(GimbalState())


def test_a_request_that_cannot_be_used_gets_the_reason(node: Node) -> None:
    def answer(request: Any, response: Any) -> Any:
        response.success = True
        if request.zoom > 30.0:
            raise ValueError("zoom is 31, allowed is 30 at most")
        return response

    async def later(request: Any, response: Any) -> Any:
        return answer(request, response)

    at_once = serve(node, SetZoom, "zoom", answer).callback
    assert at_once(SetZoom.Request(zoom=2.0), SetZoom.Response()).success
    for zoom, reason in ((math.nan, "zoom is nan"), (31.0, "zoom is 31, allowed is 30")):
        refused = at_once(SetZoom.Request(zoom=zoom), SetZoom.Response())
        assert (refused.success, refused.message.startswith(reason)) == (False, True)
        slow = serve(node, SetZoom, f"zoom{zoom:.0f}", later).callback
        with pytest.raises(StopIteration) as ended:
            slow(SetZoom.Request(zoom=zoom), SetZoom.Response()).send(None)
        assert ended.value.value.message.startswith(reason)
    lease = serve(node, AcquireGpu, "acquire", lambda _, response: response).callback
    said = lease(AcquireGpu.Request(wait_s=-math.inf), AcquireGpu.Response()).reason
    assert said.startswith("wait_s is -inf")


class Goal(SimpleNamespace):
    """A handle of rclpy, as far as a server's `execute` is given one."""

    def __init__(self, request: Any) -> None:
        super().__init__(request=request, ended=[], is_cancel_requested=False)

    def abort(self) -> None:
        self.ended.append("aborted")

    def succeed(self) -> None:
        self.ended.append("succeeded")


def test_a_goal_that_cannot_be_used_is_aborted_with_the_reason(node: Node) -> None:
    def execute(handle: Any) -> Any:
        if handle.request.zoom > 30.0:
            raise ValueError("zoom is 31, allowed is 30 at most")
        handle.succeed()
        return PointGimbal.Result(success=True)

    async def later(handle: Any) -> Any:
        return execute(handle)

    def of(server: ActionServer, **fields: float) -> tuple[list[str], bool, str]:
        goal = Goal(PointGimbal.Goal(**fields))
        result = server._execute_callback(goal)
        if server is slow:
            with pytest.raises(StopIteration) as ended:
                result.send(None)
            result = ended.value.value
        return goal.ended, result.success, result.message

    at_once = serve_goals(ActionServer, node, PointGimbal, "gimbal/point", execute)
    slow = serve_goals(ActionServer, node, PointGimbal, "slow", later)
    try:
        for server in (at_once, slow):
            assert of(server, zoom=2.0) == (["succeeded"], True, "")
            reason = "yaw_rad is nan: numbers must be finite and at most 1000 in size"
            assert of(server, yaw_rad=math.nan) == (["aborted"], False, reason)
            reason = "zoom is 31, allowed is 30 at most"
            assert of(server, zoom=31.0) == (["aborted"], False, reason)
        health = _with_refused(node, Health.ok("well"))
        for name in ("gimbal/point", "slow"):
            assert health.values[f"refused {name}"] == f"2: {reason}"
    finally:
        at_once.destroy()
        slow.destroy()


def test_a_goal_is_refused_in_the_words_of_its_own_result(node: Node) -> None:
    def refusal(_: Any, reason: str) -> Any:
        return AskVlm.Result(answer=VlmAnswer(cause="bad_request", reason=reason))

    def limit(goal: Any) -> None:
        if len(goal.words) > 2:
            raise ValueError("3 words are too many")

    server = serve_goals(ActionServer, node, AskVlm, "vlm/ask", print, refusal=refusal, limit=limit)
    try:
        for fields, reason in (
            ({"timeout_s": math.inf}, "timeout_s is inf: numbers must be"),
            # Its parts are not looked at one by one.
            ({"words": ["a", "b", "c"], "timeout_s": math.inf}, "3 words are too many"),
        ):
            goal = Goal(AskVlm.Goal(**fields))
            answer = server._execute_callback(goal).answer
            assert (goal.ended, answer.cause) == (["aborted"], "bad_request")
            assert answer.reason.startswith(reason)
    finally:
        server.destroy()
    assert refused_by(node)["vlm/ask"].count == 2

"""A node's edge: what cannot be used is dropped, counted, named; requests get the reason."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from interfaces_pkg.msg import GimbalState
from interfaces_pkg.srv import AcquireGpu, SetZoom
from ros_support_pkg.diagnostics import Health, _with_refused
from ros_support_pkg.edge import advertise, refused_by, serve, subscribe
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

"""Whatever comes by any topic, service or action: no node ends, none raises.

500 messages over all nodes; as many as FUZZ_MESSAGES says in the long check (`make fuzz`).
"""

from __future__ import annotations

import inspect
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from generated.nodes import NODES, NodeEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message_strategies import damaged, messages
from patience import wait_until
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from interfaces_pkg import msg
from interfaces_pkg.action import AskVlm
from ros_support_pkg.core.message_rules import check_message
from ros_support_pkg.core.words import Verdict
from ros_support_pkg.edge import refused_by
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.ros import conversions
from semantic_detection_pkg.dashboard.node import DashboardNode
from semantic_detection_pkg.scan.core.decisions import AskRequest
from vlm_bridge_pkg.node import VlmBridgeNode
from vlm_bridge_pkg.session import Lease

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "500"))
#: What rclpy offers for each node by itself.
_OF_RCLPY = ("rcl_interfaces", "type_description_interfaces", "lifecycle_msgs")


@dataclass(frozen=True)
class Door:
    """One way into a node: give it a message."""

    name: str
    kind: Any
    give: Callable[[Any], object]

    def __repr__(self) -> str:
        return self.name


def doors_of(node: Node) -> list[Door]:
    """Return all subscriptions, services and actions of a node."""
    found = [Door(one.topic_name, one.msg_type, _taker(one)) for one in node.subscriptions]
    for service in node.services:
        if not service.srv_type.__module__.startswith(_OF_RCLPY):
            found.append(Door(service.srv_name, service.srv_type.Request, _asker(service)))
    for one in node.waitables:
        if isinstance(one, ActionServer):
            found.append(Door(one._action_type.__name__, one._action_type.Goal, _goal_setter(one)))
    return found


def _taker(subscription: Any) -> Callable[[Any], object]:
    times = {"source_timestamp": 1, "received_timestamp": 2}
    takes_times = len(inspect.signature(subscription.callback).parameters) > 1

    def give(message: Any) -> object:
        given = serialize_message(message) if subscription.raw else message
        return subscription.callback(*((given, times) if takes_times else (given,)))

    return give


def _asker(service: Any) -> Callable[[Any], object]:
    return lambda request: _begun(service.callback(request, service.srv_type.Response()))


def _goal_setter(server: Any) -> Callable[[Any], object]:
    def give(goal: Any) -> object:
        server._goal_callback(goal)
        handle = SimpleNamespace(
            goal_id=SimpleNamespace(uuid=os.urandom(16)),
            request=goal,
            is_cancel_requested=False,
            publish_feedback=lambda _: None,
            **dict.fromkeys(("succeed", "abort", "canceled"), lambda: None),
        )
        return _begun(server._execute_callback(handle))

    return give


_WAITING: list[Any] = []


def _begun(answer: Any) -> object:
    """Run an asynchronous answer up to where it waits, and let it wait."""
    if inspect.iscoroutine(answer):
        with suppress(StopIteration):
            answer.send(None)
            _WAITING.append(answer)
    return answer


@pytest.fixture
def failures() -> Iterator[list[str]]:
    """What threads end by."""
    seen: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda failed: seen.append(repr(failed.exc_value))
    yield seen
    threading.excepthook = before


@pytest.fixture
def node(
    request: pytest.FixtureRequest, ros_domain: dict[str, str], tmp_path: Path
) -> Iterator[Node]:
    """The node in this process, with what it needs to start anywhere."""
    entry: NodeEntry = request.param
    given = {**entry.arguments, **_OWN.get(entry.name, {})}
    words = [
        word
        for name, value in given.items()
        for word in ("-p", f"{name}:={value}".replace("{tmp}", str(tmp_path)))
    ]
    rclpy.init(args=["test", "--ros-args", *words])
    made: Node | None = None
    try:
        made = _class_of(entry)()
        yield made
    finally:
        if made is not None:
            made.destroy_node()
        _WAITING.clear()
        rclpy.try_shutdown()


def _class_of(entry: NodeEntry) -> Any:
    module = import_module(f"{_MODULES.get(entry.name, entry.package)}.node")
    return next(
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Node) and kind.__module__ == module.__name__
    )


def _pose() -> dict[str, float]:
    return {"yaw_rad": 0.1, "pitch_rad": 0.2, "zoom": 2.0, "hfov_rad": 0.7}


def _header() -> Header:
    return Header(stamp=to_time(time.time_ns()))


def _gimbal_state() -> msg.GimbalState:
    limits = {"yaw_min_rad": -2.0, "yaw_max_rad": 2.0, "pitch_min_rad": -0.5, "pitch_max_rad": 1.5}
    return msg.GimbalState(header=_header(), link=3, zoom_max=6.0, **_pose(), **limits)


def _detections() -> msg.Detections:
    return msg.Detections(
        header=_header(),
        image_width=640,
        image_height=360,
        vocabulary=["person", "tent"],
        class_ids=[0, 1],
        scores=[0.9, 0.8],
        boxes_xyxy=[10.0, 10.0, 50.0, 60.0, 300.0, 100.0, 320.0, 140.0],
        ring_counts=[1, 0],
        ring_sizes=[3],
        points_xy=[10.0, 10.0, 50.0, 10.0, 50.0, 60.0],
        looks_xyxy=[0, 0, 640, 360, 320, 0, 640, 320],
        look_gains=[1.0, 2.0],
        pose=msg.PoseAtCapture(is_known=True, **_pose()),
    )


def _coverage() -> msg.Coverage:
    return msg.Coverage(
        header=_header(), cell_rad=0.1, columns=2, rows=1, age_s=[1.0, math.inf], results=[0, 1]
    )


def _search_need() -> msg.SearchNeed:
    return msg.SearchNeed(header=_header(), cell_rad=0.1, columns=2, rows=1, needs=[255, 0])


def _tracks() -> msg.Tracks:
    track = msg.Track(id=1, class_name="person", bearing=msg.Bearing(yaw_rad=0.1, pitch_rad=0.2))
    return msg.Tracks(header=_header(), tracks=[track])


def _finding() -> msg.Finding:
    return msg.Finding(id="f1", revision=1, state=1, class_name="person", range_m=math.nan)


def _image() -> Image:
    return conversions.to_image(np.zeros((36, 64, 3), np.uint8), time.time_ns(), "optical")


def _question() -> AskVlm.Goal:
    is_made, jpeg = cv2.imencode(".jpg", np.full((8, 8, 3), 90, np.uint8))
    assert is_made
    crop = CompressedImage(header=_header(), format="jpeg", data=jpeg.tobytes())
    return AskVlm.Goal(crop=crop, class_name="person", words=["hiker"], timeout_s=30.0)


def _answer() -> AskVlm.Result:
    answer = msg.VlmAnswer(verdict=1, confidence=0.9, text="yes", frame=to_time(time.time_ns()))
    return AskVlm.Result(answer=answer)


#: Messages as they should be, of the types in which much must fit together.
SANE = (
    *(_gimbal_state, _detections, _coverage, _search_need, _tracks, _finding, _image),
    *(_question, _answer),
)
_SANE_OF = {type(sane()): sane for sane in SANE}


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Return messages of a type: random ones, and sane ones that are damaged."""
    sane = _SANE_OF.get(kind)
    return messages(kind) if sane is None else damaged(sane) | damaged(sane) | messages(kind)


@pytest.mark.parametrize("sane", SANE, ids=lambda sane: sane.__name__)
def test_what_is_sane_passes(sane: Callable[[], Any]) -> None:
    check_message(sane())


_MAIN = "semantic_detection_pkg"
_MODULES = {
    "camera": f"{_MAIN}.camera",
    "detector": f"{_MAIN}.detector",
    "gpu_arbiter": f"{_MAIN}.gpu",
    "health_monitor": f"{_MAIN}.health",
    "scan_controller": f"{_MAIN}.scan",
    "recorder": f"{_MAIN}.recorder",
    "dashboard": f"{_MAIN}.dashboard",
    "tak": f"{_MAIN}.tak",
}
#: Parameters of this test: everything in a folder of its own.
_OWN = {
    "detector": {"autostart": "activate", "frame_transport": "image"},
    "gpu_arbiter": {"gpu_lock_file": "{tmp}/gpu.lock", "epoch_file": "{tmp}/epoch"},
    "recorder": {"output_dir": "{tmp}/recordings"},
    "scan_controller": {"autostart": True},
    "dashboard": {"port": 0, "output_dir": "{tmp}", "frame_transport": "image"},
    "vlm_bridge": {"socket": "{tmp}/vlm.sock", "gpu_lock_file": "{tmp}/gpu.lock"},
    "health_monitor": {"output_dir": "{tmp}"},
}
#: Other nodes say nothing to `vehicle`; what comes on its line is another test's.
TESTED = [entry for entry in NODES if entry.name not in ("demo_judge", "vehicle")]


FUZZ = settings(
    max_examples=-(-MESSAGES // len(TESTED)),
    deadline=None,
    database=None,
    derandomize=MESSAGES <= 1000,
    suppress_health_check=list(HealthCheck),
)


class FreeGpu:
    """A GPU that nobody else wants, as `session.Gpu`."""

    def acquire(self, duration_s: float, _wait_s: float, _is_over: threading.Event) -> Lease:
        return Lease(1, duration_s)

    def release(self, epoch: int) -> None:
        """Nothing is to be given back."""


@pytest.mark.parametrize("node", TESTED, ids=lambda entry: entry.name, indirect=True)
def test_nothing_that_comes_ends_a_node(node: Node, failures: list[str]) -> None:
    if isinstance(node, DashboardNode):
        node._feed.watch(True)  # as while somebody looks at the page
    if isinstance(node, VlmBridgeNode):  # else no question comes as far as the service
        node._gpus[:] = [FreeGpu(), FreeGpu()]
    doors = doors_of(node)
    doors += 2 * [door for door in doors if door.kind in _SANE_OF]  # those that go deep
    normally = [(door.kind, door.give) for door in doors if door.kind in _SANE_OF]

    @FUZZ
    @given(st.data())
    def send(data: st.DataObject) -> None:
        for kind, give in normally:
            give(_SANE_OF[kind]())
        door = data.draw(st.sampled_from(doors), label="door")
        door.give(data.draw(anything(door.kind), label="message"))
        for timer in node.timers:
            timer.callback()

    send()
    counts = {name: one.count for name, one in refused_by(node).items()}
    node.get_logger().info(f"refused: {counts}")
    assert failures == []
    if isinstance(node, VlmBridgeNode):
        assert node._answered > 0, "questions were put"
        # A question that has but milliseconds ends by its own time.
        assert node._last_cause in ("no_service", "timeout"), "to a socket where nobody listens"


class OddBridge:
    """Answers questions as it is told."""

    def __init__(self) -> None:
        self.node = Node("odd_bridge", use_global_arguments=False)
        self.end, self.feedback, self.result = "succeed", AskVlm.Feedback(), AskVlm.Result()
        self.server = ActionServer(self.node, AskVlm, "vlm/ask", self._answer)

    def _answer(self, handle: Any) -> AskVlm.Result:
        handle.publish_feedback(self.feedback)
        getattr(handle, self.end)()
        return self.result


_SCAN_CONTROLLER = [entry for entry in TESTED if entry.name == "scan_controller"]


@pytest.mark.parametrize("node", _SCAN_CONTROLLER, ids=lambda entry: entry.name, indirect=True)
def test_no_answer_of_the_bridge_ends_the_scan(node: Any, failures: list[str]) -> None:
    requests, executor = node._requests, SingleThreadedExecutor()
    bridge, replies = OddBridge(), []
    requests._tell = lambda reply: replies.append(reply) or node._inbox.append(reply)
    requests._crops[1] = _question().crop
    for one in (node, bridge.node):
        executor.add_node(one)

    def spin_until(condition: Callable[[], object]) -> None:
        wait_until(lambda: executor.spin_once(timeout_sec=0.05) or condition(), "the answer")

    @FUZZ
    @given(
        st.sampled_from(("succeed", "abort")), messages(AskVlm.Feedback), anything(AskVlm.Result)
    )
    def ask(end: str, feedback: AskVlm.Feedback, result: AskVlm.Result) -> None:
        bridge.end, bridge.feedback, bridge.result = end, feedback, result
        replies.clear()
        requests._ask(AskRequest(request_id=7, inspection_id=1, class_name="tent", timeout_s=60.0))
        spin_until(lambda: replies)
        (reply,) = replies
        assert isinstance(reply.verdict, Verdict), reply
        assert math.isfinite(reply.confidence), reply

    try:
        spin_until(requests._vlm.server_is_ready)
        ask()
    finally:
        executor.shutdown()
        bridge.server.destroy()
        bridge.node.destroy_node()
    assert failures == []
    assert refused_by(node)["vlm/ask"].count > 0

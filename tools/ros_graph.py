"""A test's own corner of ROS 2: a free domain, discovery on this machine only, and a probe node.

Nothing here waits for time: `GraphProbe.wait_for` waits for a condition, woken by every message.
Limits are those of the reference machine; `patience` stretches them to this one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import domain_coordinator
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from ros_actions import TIMEOUT_S, ActionProbe
from spinning import Spinning

#: Discovery and messages by the loopback device alone, whatever the distribution.
ON_THIS_MACHINE = {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
    "FASTRTPS_DEFAULT_PROFILES_FILE": str(
        Path(__file__).resolve().parents[1] / "config" / "fastdds_loopback.xml"
    ),
}
#: Inference may keep a node from answering for a while.
RESEND_S = 5.0

T = TypeVar("T")


@contextlib.contextmanager
def isolated_domain() -> Iterator[dict[str, str]]:
    """A domain that no other test uses, as environment variables for child processes."""
    with domain_coordinator.domain_id() as domain_id:
        yield {"ROS_DOMAIN_ID": str(domain_id), **ON_THIS_MACHINE}


class GraphProbe:
    """A node in the test's process that listens, calls and waits."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node("probe", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._happened = threading.Condition()
        self._messages: dict[str, list[Any]] = defaultdict(list)
        self._spinning = Spinning(self._executor)

    def close(self) -> None:
        self._spinning.close()
        self.node.destroy_node()
        self._context.try_shutdown()

    def listen(self, message_type: type[T], topic: str, qos: QoSProfile) -> list[T]:
        """Subscribe; the returned list grows with every message."""
        received = self._messages[topic]

        def take(message: T) -> None:
            with self._happened:
                received.append(message)
                self._happened.notify_all()

        self.node.create_subscription(message_type, topic, take, qos)
        return received

    def wait_for(
        self,
        condition: Callable[[], T],
        what: str,
        timeout_s: float = TIMEOUT_S,
        poll_s: float = 0.1,
    ) -> T:
        """Wait until `condition()` is true and return it; it is looked at after every message.

        Raises:
            AssertionError: it never was; the message says what was waited for.
        """
        limit_s = patience(timeout_s)
        with self._happened:
            result = condition()
            end_s = time.monotonic() + limit_s
            while not result and time.monotonic() < end_s:
                self._happened.wait(poll_s)  # graph changes wake nobody: look now and then
                result = condition()
        assert result, f"waited {limit_s:.0f} s for {what}"
        return result

    def call(self, service_type: Any, name: str, request: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Call a service, waiting for it to appear, and return its answer.

        The request may run twice: a server drops its answer when it has not discovered the client's
        reader within 100 ms (rmw_fastrtps), so it is sent again after a while. Whichever answer
        comes first counts.
        """
        limit_s = patience(timeout_s)
        answers: SimpleQueue[Any] = SimpleQueue()
        client = self.node.create_client(service_type, name)
        try:
            assert client.wait_for_service(limit_s), f"no service {name} within {limit_s:.0f} s"
            for _ in range(int(timeout_s / RESEND_S)):
                client.call_async(request).add_done_callback(answers.put)
                with contextlib.suppress(Empty):
                    return answers.get(timeout=patience(RESEND_S)).result()
            raise AssertionError(f"no answer of {name} within {limit_s:.0f} s")
        finally:
            self.node.destroy_client(client)

    def change_state(self, node: str, transition: int, goal: int) -> None:
        """Ask a lifecycle node for a transition and check that it reached the goal state."""
        request = ChangeState.Request(transition=Transition(id=transition))
        self.call(ChangeState, f"{node}/change_state", request)
        # Not the answer but the state counts: the request may have run twice.
        state = self.call(GetState, f"{node}/get_state", GetState.Request()).current_state
        assert state.id == goal, f"{node} is {state.label} after transition {transition}"

    def action(self, action_type: Any, name: str) -> ActionProbe:
        """A client of an action that is there."""
        return ActionProbe(self.node, self._executor, action_type, name)

    def result_of(self, future: Any, what: str, timeout_s: float = TIMEOUT_S) -> Any:
        """Wait for the future of a service call."""
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        limit_s = patience(timeout_s)
        assert done.wait(limit_s), f"waited {limit_s:.0f} s for {what}"
        return future.result()

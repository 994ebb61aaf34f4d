"""A test's own corner of ROS 2: a free domain, discovery on this machine only, and a probe node.

Nothing here waits for time: `GraphProbe.wait_for` waits for a condition, woken by every message.
Limits are those of the reference machine; `patience` stretches them to this one.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import domain_coordinator
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from patience import Deadline, patience
from rclpy.action import ActionClient, ActionServer
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
    """A domain that nobody else uses, as environment variables for child processes."""
    with domain_coordinator.domain_id(_empty_domains()) as domain_id:
        yield {"ROS_DOMAIN_ID": str(domain_id), **ON_THIS_MACHINE}


def _empty_domains() -> Callable[[], int]:
    """Return a selector of domains for domain_coordinator.

    That one knows only of who asks it. A participant may be left by a test before (rclpy ends some
    only when their garbage is collected: a lifecycle node's, one with a goal's handle): whoever
    comes there meets a node that nobody spins, and was not found by it in 5 of 150 tries.
    """
    numbers = itertools.cycle(range(1, 101))
    return lambda: next(
        (number for number in itertools.islice(numbers, 100) if not _is_in_use(number)), 1
    )


def _is_in_use(domain_id: int) -> bool:
    """Whether somebody on this machine listens at a UDP port of a domain; Linux alone tells.

    Ports by DDSI-RTPS 2.5, 9.6.2.3: base 7400, 250 for each domain.
    """
    first = 7400 + 250 * domain_id
    try:
        lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    ports = (int(line.split()[1].rpartition(":")[2], 16) for line in lines)
    return any(0 <= port - first < 250 for port in ports)


def destroy(node: Node) -> None:
    """Destroy a node with its actions, which `destroy_node` forgets: they keep its participant."""
    for waitable in list(node.waitables):
        if isinstance(waitable, (ActionClient, ActionServer)):
            waitable.destroy()
    node.destroy_node()


class GraphProbe:
    """A node in the test's process that listens, calls and waits."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node("probe", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._happened = threading.Condition()
        self._spinning = Spinning(self._executor)

    def close(self) -> None:
        self._spinning.close()
        destroy(self.node)
        self._context.try_shutdown()

    def listen(self, message_type: type[T], topic: str, qos: QoSProfile) -> list[T]:
        """Subscribe; the returned list, the caller's own, grows with every message."""
        received: list[T] = []

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
        deadline = Deadline(timeout_s)
        with self._happened:
            result = condition()
            while not result and not deadline.is_over():
                self._happened.wait(poll_s)  # graph changes wake nobody: look now and then
                result = condition()
        assert result, f"waited {deadline.limit_s:.0f} s for {what}"
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

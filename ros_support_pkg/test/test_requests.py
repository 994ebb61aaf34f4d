"""Requests end in any case: with an answer or, where none comes, given up in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import rclpy
from patience import patience
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_graph import destroy
from std_srvs.srv import Trigger

from interfaces_pkg.action import Scan
from ros_support_pkg.requests import Requests

SOON_S = 0.2
NEVER_S = 600.0
PATIENCE_S = patience(30.0)


class Other:
    """A node that serves a service and an action; it answers only while it is spun."""

    def __init__(self, context: Context) -> None:
        self.node = Node("other", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.calls = 0
        self.cancelled = 0
        self.goals: list[ServerGoalHandle] = []
        self.service = self.node.create_service(Trigger, "pull", self._pull)
        self.action = ActionServer(
            self.node,
            Scan,
            "scan",
            execute_callback=lambda _: Scan.Result(),
            handle_accepted_callback=self.goals.append,  # none of them ever ends
            cancel_callback=self._cancel,
        )

    def _pull(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.calls += 1
        response.success, response.message = True, "pulled"
        return response

    def _cancel(self, _: Any) -> CancelResponse:
        self.cancelled += 1
        return CancelResponse.ACCEPT


@dataclass
class Asking:
    """A node with requests, and what became of them."""

    node: Node
    executor: SingleThreadedExecutor
    requests: Requests
    other: Other
    client: Client
    action: ActionClient
    taken: list[Any] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def call(self, timeout_s: float, *, is_repeatable: bool = False) -> None:
        self.requests.call(
            self.client,
            Trigger.Request(),
            timeout_s,
            self.taken.append,
            self.given_up.append,
            is_repeatable=is_repeatable,
        )

    def send_goal(self, timeout_s: float) -> None:
        goal = Scan.Goal()
        self.requests.send_goal(
            self.action, "scan", goal, timeout_s, self.taken.append, self.given_up.append
        )

    def spin_until(self, condition: Callable[[], Any], *, is_answered: bool) -> None:
        """Let both nodes work, or only the one that asks."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s
            self.executor.spin_once(timeout_sec=0.01)
            if is_answered:
                self.other.executor.spin_once(timeout_sec=0.01)


@pytest.fixture
def asking(ros_domain: dict[str, str]) -> Iterator[Asking]:
    context = Context()
    rclpy.init(context=context)
    node, other = Node("asking", context=context), Other(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    client = node.create_client(Trigger, "pull")
    action = ActionClient(node, Scan, "scan")
    asking = Asking(node, executor, Requests(node), other, client, action)
    assert client.wait_for_service(PATIENCE_S)
    assert action.wait_for_server(PATIENCE_S)
    yield asking
    destroy(other.node)
    destroy(node)
    context.try_shutdown()


def test_an_answer_is_taken_once(asking: Asking) -> None:
    asking.call(NEVER_S)
    asking.send_goal(NEVER_S)
    asking.spin_until(lambda: len(asking.taken) == 2, is_answered=True)
    kinds = {type(answer).__name__ for answer in asking.taken}
    assert kinds == {"Trigger_Response", "ClientGoalHandle"}
    assert asking.given_up == []
    assert asking.requests.count == 0


def test_a_call_without_an_answer_is_given_up_and_forgotten(asking: Asking) -> None:
    asking.call(SOON_S)
    asking.call(NEVER_S)  # goes on waiting
    asking.spin_until(lambda: asking.given_up, is_answered=False)
    assert asking.given_up == ["pull: no answer within 0.2 s"]
    assert asking.requests.count == 1
    assert len(asking.client._pending_requests) == 1  # rclpy's own would be kept for ever
    asking.spin_until(lambda: asking.taken and asking.other.calls == 2, is_answered=True)
    assert len(asking.taken) == 1
    assert len(asking.given_up) == 1


def drop_the_first_answer(asking: Asking) -> None:
    """As the middleware does to a client whose reader it has not discovered yet."""
    service = asking.other.service

    def drop(*_: Any) -> None:
        del service.send_response

    service.send_response = drop


def test_a_call_that_may_be_repeated_is_where_its_answer_was_dropped(asking: Asking) -> None:
    drop_the_first_answer(asking)
    asking.call(PATIENCE_S, is_repeatable=True)
    asking.requests._open.copy().pop().again_s = 0.0  # not after half of so long a time
    asking.spin_until(lambda: asking.taken, is_answered=True)
    assert asking.other.calls == 2
    assert len(asking.taken) == 1
    assert asking.given_up == []
    assert asking.requests.count == 0
    # The first would be kept for ever.
    asking.spin_until(lambda: not asking.client._pending_requests, is_answered=True)


def test_a_call_that_may_not_be_repeated_is_made_once(asking: Asking) -> None:
    drop_the_first_answer(asking)
    asking.call(SOON_S)
    asking.spin_until(lambda: asking.given_up and asking.other.calls, is_answered=True)
    assert asking.other.calls == 1
    assert asking.taken == []


def test_two_answers_to_a_repeated_call_count_once(asking: Asking) -> None:
    asking.call(PATIENCE_S, is_repeatable=True)
    asking.requests._open.copy().pop().again_s = 0.0
    asking.spin_until(lambda: len(asking.client._pending_requests) == 2, is_answered=False)
    asking.spin_until(lambda: asking.other.calls == 2 and asking.taken, is_answered=True)
    asking.spin_until(lambda: not asking.client._pending_requests, is_answered=True)
    assert len(asking.taken) == 1


def test_a_goal_that_is_accepted_too_late_is_cancelled(asking: Asking) -> None:
    asking.send_goal(SOON_S)
    asking.spin_until(lambda: asking.given_up, is_answered=False)
    assert asking.given_up == ["scan: no answer within 0.2 s"]
    asking.spin_until(lambda: asking.other.cancelled, is_answered=True)
    assert asking.taken == []
    assert [goal.is_cancel_requested for goal in asking.other.goals] == [True]

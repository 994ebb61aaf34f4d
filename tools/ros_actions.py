"""Goals of a test, sent so that their answers arrive on any machine. For `ros_graph.GraphProbe`.

An answer can get lost in two ways, and then never comes:

- rclpy's action client sends a request and only then notes that it did. Where another thread spins
  the node and handles the answer in between, it says "Ignoring unexpected goal response" and throws
  it away (ros2/rclpy#1123). So all requests are made in the executor's thread.
- rmw_fastrtps drops an answer to a client whose reader the server has not discovered within 100 ms;
  that the client sees the server says nothing of it. So the first request is one that may be made
  any number of times, until it is answered.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

from patience import patience
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.task import Future

#: Discovery takes 0.2 s mostly and 3 s at worst.
TIMEOUT_S = 30.0
_RESEND_S = 0.5


class ActionProbe:
    """A client of an action that is there."""

    def __init__(self, node: Node, executor: Executor, action_type: Any, name: str) -> None:
        """Wait until server and client have discovered each other.

        Args:
            executor: of the node; another thread spins it.
        """
        self.client = ActionClient(node, action_type, name)
        self._executor = executor
        self._name = name
        limit_s = patience(TIMEOUT_S)
        assert self.client.wait_for_server(limit_s), f"no action {name} within {limit_s:.0f} s"
        self._meet_the_server(action_type)

    def send_goal(
        self,
        goal: Any,
        feedback: Callable[[Any], None] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> GoalProbe:
        """Send a goal and return it as the server answered: accepted or not."""
        handle = self.ask(
            lambda: self.client.send_goal_async(goal, feedback_callback=feedback),
            "the answer to a goal",
            timeout_s,
        )
        return GoalProbe(self, handle)

    def ask(self, request: Callable[[], Future], what: str, timeout_s: float) -> Any:
        """Make a request in the executor's thread and return its answer.

        Raises:
            AssertionError: none came; the message says what was waited for.
        """
        answer = self.begin(request)
        limit_s = patience(timeout_s)
        assert answer.wait(limit_s), f"waited {limit_s:.0f} s for {what} of {self._name}"
        return answer.value()

    def begin(self, request: Callable[[], Future]) -> _Answer:
        """Make a request in the executor's thread."""
        answer = _Answer()
        self._executor.create_task(answer.begin, request)
        return answer

    def _meet_the_server(self, action_type: Any) -> None:
        """Ask for the result of a goal that never was, which changes nothing, until it answers.

        The reader of results is the last that the client made and participants hear of readers in
        their order: the server that answers here has discovered the readers of goals, too.
        """
        goal_id = action_type.Impl.GetResultService.Request().goal_id
        goal_id.uuid = list(uuid.uuid4().bytes)
        accepted = action_type.Impl.SendGoalService.Response(accepted=True)
        nobody = ClientGoalHandle(self.client, goal_id, accepted)
        limit_s = patience(TIMEOUT_S)
        for _ in range(int(limit_s / _RESEND_S)):
            if self.begin(nobody.get_result_async).wait(_RESEND_S):
                return
        raise AssertionError(f"{self._name} did not discover its client within {limit_s:.0f} s")


class GoalProbe:
    """A goal that was answered."""

    def __init__(self, action: ActionProbe, handle: ClientGoalHandle) -> None:
        self._action = action
        self._handle = handle

    @property
    def goal_id(self) -> str:
        """Its id as 32 hexadecimal digits."""
        return bytes(self._handle.goal_id.uuid).hex()

    @property
    def accepted(self) -> bool:
        """Whether the server has taken it on."""
        return bool(self._handle.accepted)

    def result(self, what: str = "the result", timeout_s: float = TIMEOUT_S) -> Any:
        """Wait for the end; `status` and `result` of it."""
        return self._action.ask(self._handle.get_result_async, what, timeout_s)

    def result_again(self, what: str = "the result", timeout_s: float = TIMEOUT_S) -> Any:
        """Wait for the end, where the server may have been followed by another one.

        No request reaches a server that is not discovered yet, nor is it sent again: so it is made
        again until one is answered, which changes nothing.
        """
        limit_s = patience(timeout_s)
        answers: list[_Answer] = []
        for _ in range(int(limit_s / _RESEND_S)):
            answers.append(self._action.begin(self._handle.get_result_async))
            answers[-1].wait(_RESEND_S)
            for answer in answers:
                if answer.wait(0.0):
                    return answer.value()
        raise AssertionError(f"waited {limit_s:.0f} s for {what}")

    def cancel(self) -> Any:
        """Ask for the end and return the server's answer."""
        what = "the answer to a cancellation"
        return self._action.ask(self._handle.cancel_goal_async, what, TIMEOUT_S)


class _Answer:
    """What becomes of a request."""

    def __init__(self) -> None:
        self._future: Future | None = None
        self._error: Exception | None = None
        self._is_there = threading.Event()

    def begin(self, request: Callable[[], Future]) -> None:
        """Make the request; called by the executor, which must not see an exception."""
        try:
            self._future = request()
        except Exception as error:
            self._error = error
            self._is_there.set()
        else:
            self._future.add_done_callback(lambda _: self._is_there.set())

    def wait(self, timeout_s: float) -> bool:
        """Whether it came in time."""
        return self._is_there.wait(timeout_s)

    def value(self) -> Any:
        """The answer, or raise what making the request raised."""
        if self._error is not None:
            raise self._error
        assert self._future is not None
        return self._future.result()

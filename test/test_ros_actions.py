"""No answer to a goal of a test is lost, however the threads of client and server take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from patience import patience
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from ros_actions import TIMEOUT_S, ActionProbe
from ros_graph import GraphProbe

from interfaces_pkg.action import Scan

pytestmark = pytest.mark.graph
#: Mostly long enough for an answer to come and be handled, if another thread could do that.
HELD_UP_S = 0.5


class Server:
    """An action at another node; every goal is aborted at once."""

    def __init__(self, probe: GraphProbe) -> None:
        self.goals: list[bytes] = []
        self.action = ActionServer(
            probe.node,
            Scan,
            "scan",
            execute_callback=self._execute,
            goal_callback=self._take,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def _take(self, goal: Scan.Goal) -> GoalResponse:
        return GoalResponse.ACCEPT if goal.words else GoalResponse.REJECT

    def _execute(self, handle: ServerGoalHandle) -> Scan.Result:
        self.goals.append(bytes(handle.goal_id.uuid))
        handle.abort()
        return Scan.Result(message=f"no {handle.request.words[0]}")


class Half:
    """rclpy's half in C++ of a client or a server, with some of its functions replaced."""

    def __init__(self, handle: Any, replaced: dict[str, Callable[..., Any]]) -> None:
        self._handle = handle
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._handle, name)

    def __enter__(self) -> Any:
        return self._handle.__enter__()

    def __exit__(self, *error: object) -> None:
        self._handle.__exit__(*error)


class Log:
    """What rclpy's client warns of."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_written = threading.Event()

    def warning(self, line: str) -> None:
        self.lines.append(line)
        self.is_written.set()


@pytest.fixture
def server(ros_domain: dict[str, str]) -> Iterator[Server]:
    probe = GraphProbe(int(ros_domain["ROS_DOMAIN_ID"]))
    yield Server(probe)
    probe.close()


def hold_up(action: ActionProbe, limit_s: float) -> Log:
    """Have each request sent, and its sender held up until the answer was handled.

    Args:
        limit_s: for that long, where it is not.

    Returns:
        What the client warns of.
    """
    log = Log()
    handle = action.client._client_handle

    def held_up(send: Callable[[Any], int]) -> Callable[[Any], int]:
        def send_and_wait(request: Any) -> int:
            number = send(request)
            log.is_written.wait(limit_s)
            return number

        return send_and_wait

    names = ("send_goal_request", "send_result_request", "send_cancel_request")
    replaced = {name: held_up(getattr(handle, name)) for name in names}
    action.client._logger = log
    action.client._client_handle = Half(handle, replaced)
    return log


def test_answers_that_come_before_the_sender_goes_on_are_not_lost(server, probe) -> None:
    action = probe.action(Scan, "scan")
    log = hold_up(action, HELD_UP_S)
    sent = action.send_goal(Scan.Goal(words=["tent"]))
    assert sent.accepted
    outcome = sent.result()
    assert (outcome.status, outcome.result.message) == (GoalStatus.STATUS_ABORTED, "no tent")
    assert sent.cancel().goals_canceling == []  # it has ended
    assert not action.send_goal(Scan.Goal()).accepted
    assert log.lines == []
    assert len(server.goals) == 1


def test_the_way_that_other_threads_must_not_go_loses_them(server, probe) -> None:
    """Without this the test above would show nothing."""
    action = probe.action(Scan, "scan")
    log = hold_up(action, patience(TIMEOUT_S))
    lost = action.client.send_goal_async(Scan.Goal(words=["tent"]))
    probe.wait_for(lambda: server.goals, "the goal to be carried out all the same")
    assert [line.split(".")[0] for line in log.lines] == ["Ignoring unexpected goal response"]
    assert not lost.done()


def test_what_making_a_request_raises_is_raised_for_the_test(server, probe) -> None:
    action = probe.action(Scan, "scan")
    with pytest.raises(TypeError):
        action.send_goal("no goal")
    assert action.send_goal(Scan.Goal(words=["tent"])).accepted  # the executor lives


def test_a_client_is_ready_only_when_the_server_can_answer_it(server, probe) -> None:
    """The first answer is dropped, as one to a client that was not discovered would be."""
    handle = server.action._handle
    answers: list[Any] = []

    def drop_the_first(*answer: Any) -> None:
        answers.append(answer)
        if len(answers) > 1:
            handle.send_result_response(*answer)

    server.action._handle = Half(handle, {"send_result_response": drop_the_first})
    action = probe.action(Scan, "scan")
    assert len(answers) >= 2
    assert server.goals == []
    assert action.send_goal(Scan.Goal(words=["tent"])).accepted

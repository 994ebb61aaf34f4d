"""The action `scan`: one goal at a time, a newer one takes over."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import ScanState
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import check_bearing_count
from semantic_detection_pkg.scan.core.from_messages import from_scan_goal
from semantic_detection_pkg.scan.core.inputs_and_decisions import Cancel, Goal, GoalResult, Input
from semantic_detection_pkg.scan.ros.outputs import to_scan_goal, to_scan_result

_ID_LENGTH = 32  # of a goal's id as hexadecimal digits


@dataclass(frozen=True)
class _Adoption:
    """A mission's goal on its way to be one of the action; a result may come before."""

    action_id: str
    goal: Goal
    is_sent: bool = False
    result: GoalResult | None = None


class ScanAction:
    """Goals become inputs; results of decisions end them.

    A goal that cannot be carried out is accepted and aborted at once with the reason in its result:
    a rejection cannot carry one.
    """

    def __init__(self, node: Node, tell: Callable[[Input], None]) -> None:
        """Create the server; `tell` is called with goals and cancellations as inputs."""
        self._node = node
        self._tell = tell
        self._open: dict[str, tuple[ServerGoalHandle, Future]] = {}
        self._server = ActionServer(
            node,
            Scan,
            "scan",
            execute_callback=self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self._cancelled: set[str] = set()
        self._adoption: _Adoption | None = None
        self._adopter: ActionClient | None = None

    def destroy(self) -> None:
        """End the goals in hand and the server."""
        for goal_id in list(self._open):
            self.finish(GoalResult(goal_id, "aborted", "the scan controller ends"))
        self._server.destroy()

    def adopt(self, goal: Goal) -> None:
        """Give the mission in hand a goal of the action: no client of this server has given it one.

        So whoever may cancel a goal may end it, and its state and its result are told as of any.
        A mission that was resumed has the id that it had: to clients that are still there their
        goal goes on.
        """
        is_id = len(goal.goal_id) == _ID_LENGTH and set(goal.goal_id) <= set("0123456789abcdef")
        action_id = goal.goal_id if is_id else uuid.uuid4().hex
        self._adoption = _Adoption(action_id, goal)
        self._adopter = ActionClient(self._node, Scan, "scan")

    def poll(self) -> None:
        """Pass on the goals that were cancelled since the last call."""
        self._send_adopted()
        for goal_id, (handle, _) in self._open.items():
            if handle.is_cancel_requested and goal_id not in self._cancelled:
                self._cancelled.add(goal_id)
                self._tell(Cancel(goal_id))

    def feed_back(self, state: ScanState) -> None:
        """Send the state to the clients of goals as feedback."""
        for handle, _ in self._open.values():
            handle.publish_feedback(Scan.Feedback(state=state))

    def finish(self, result: GoalResult) -> None:
        """End a goal with its result."""
        if self._adoption is not None and self._adoption.goal.goal_id == result.goal_id:
            self._adoption = replace(self._adoption, result=result)
        _, done = self._open.pop(result.goal_id, (None, None))
        self._cancelled.discard(result.goal_id)
        if done is not None:
            done.set_result(result)

    def _send_adopted(self) -> None:
        """Send the goal that is adopted as a client would, once the server is found."""
        adopter, adoption = self._adopter, self._adoption
        if adopter is None:
            return
        if adoption is None:  # it has come
            adopter.destroy()
            self._adopter = None
        elif not adoption.is_sent and adopter.server_is_ready():
            self._adoption = replace(adoption, is_sent=True)
            action_id = Scan.Impl.SendGoalService.Request().goal_id
            action_id.uuid = list(bytes.fromhex(adoption.action_id))
            adopter.send_goal_async(to_scan_goal(adoption.goal), goal_uuid=action_id)

    async def _execute(self, handle: ServerGoalHandle) -> Scan.Result:
        goal_id = bytes(handle.goal_id.uuid).hex()
        try:
            # Before it is read: a goal that is too large would hold up the scan in hand.
            check_bearing_count(len(handle.request.area.bearings))
        except ConfigurationError as error:
            handle.abort()
            return to_scan_result(GoalResult(goal_id, "aborted", str(error)))
        done = Future()
        adoption = self._adoption
        if adoption is not None and adoption.action_id == goal_id:
            self._adoption = None
            self._open[adoption.goal.goal_id] = (handle, done)
            if adoption.result is not None:
                self.finish(adoption.result)
        else:
            self._open[goal_id] = (handle, done)
            goal: Goal = from_scan_goal(goal_id, handle.request)
            self._tell(goal)
        result: GoalResult = await done
        if handle.is_cancel_requested:
            handle.canceled()
        elif result.outcome == "succeeded":
            handle.succeed()
        else:
            handle.abort()
        return to_scan_result(result)

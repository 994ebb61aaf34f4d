"""The action `scan`: one goal at a time, a newer one takes over."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rclpy.action import ActionClient, CancelResponse
from rclpy.action.client import ClientGoalHandle
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import ScanState
from ros_support_pkg.edge import serve_goals
from semantic_detection_pkg.scan.core.area import check_bearing_count
from semantic_detection_pkg.scan.core.decisions import GoalResult
from semantic_detection_pkg.scan.core.ended_goals import RESULT_KEPT_S
from semantic_detection_pkg.scan.core.from_messages import from_scan_goal
from semantic_detection_pkg.scan.core.inputs import Cancel, Goal, Input
from semantic_detection_pkg.scan.core.weights import check_weight_counts
from semantic_detection_pkg.scan.ros.goal_server import GoalServer
from semantic_detection_pkg.scan.ros.outputs import to_scan_goal, to_scan_result

_ID_LENGTH = 32  # of a goal's id as hexadecimal digits


@dataclass(frozen=True)
class _Adoption:
    """A goal of the scan on its way to be one of the action; its result may be there before."""

    goal_id: str
    request: Scan.Goal
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
        self._server = serve_goals(
            GoalServer,
            node,
            Scan,
            "scan",
            self._execute,
            limit=_check_counts,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            result_timeout=round(RESULT_KEPT_S),
        )
        self._cancelled: set[str] = set()
        self._adoptions: dict[str, _Adoption] = {}  # by the id that the action has for it
        self._to_cancel: dict[str, GoalResult] = {}  # of those, as they ended
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
        action_id = goal.goal_id if _is_id(goal.goal_id) else uuid.uuid4().hex
        self._begin_adoption(action_id, _Adoption(goal.goal_id, to_scan_goal(goal)))

    def adopt_ended(self, result: GoalResult) -> None:
        """Give the result of a goal that a controller before has ended to whoever asks for it."""
        action_id = result.goal_id
        if not _is_id(action_id):
            return  # it was never a client's
        if result.outcome == "cancelled":
            self._to_cancel[action_id] = result
        self._begin_adoption(action_id, _Adoption(action_id, Scan.Goal(), result=result))

    def poll(self) -> None:
        """Pass on the goals that were cancelled since the last call."""
        self._send_adopted()
        for goal_id, (handle, _) in list(self._open.items()):
            if not handle.is_cancel_requested:
                continue
            if goal_id in self._to_cancel:
                self.finish(self._to_cancel.pop(goal_id))
            elif goal_id not in self._cancelled:
                self._cancelled.add(goal_id)
                self._tell(Cancel(goal_id))

    def feed_back(self, state: ScanState) -> None:
        """Send the state to the clients of goals as feedback."""
        for handle, _ in self._open.values():
            handle.publish_feedback(Scan.Feedback(state=state))

    def finish(self, result: GoalResult) -> None:
        """End a goal with its result."""
        for action_id, adoption in self._adoptions.items():
            if adoption.goal_id == result.goal_id:
                self._adoptions[action_id] = replace(adoption, result=result)
        _, done = self._open.pop(result.goal_id, (None, None))
        self._cancelled.discard(result.goal_id)
        if done is not None:
            done.set_result(result)

    def _begin_adoption(self, action_id: str, adoption: _Adoption) -> None:
        self._adoptions[action_id] = adoption
        self._server.expect(bytes.fromhex(action_id))
        if self._adopter is None:
            self._adopter = ActionClient(self._node, Scan, "scan")

    def _send_adopted(self) -> None:
        """Send the goals that are adopted as a client would, once the server is found."""
        adopter = self._adopter
        if adopter is None:
            return
        if not self._adoptions and not self._to_cancel:  # all have come
            adopter.destroy()
            self._adopter = None
            return
        waiting = [(key, one) for key, one in self._adoptions.items() if not one.is_sent]
        if not waiting or not adopter.server_is_ready():
            return
        for key, adoption in waiting:
            self._adoptions[key] = replace(adoption, is_sent=True)
            action_id = Scan.Impl.SendGoalService.Request().goal_id
            action_id.uuid = list(bytes.fromhex(key))
            sent = adopter.send_goal_async(adoption.request, goal_uuid=action_id)
            sent.add_done_callback(self._cancel_where_it_was)

    def _cancel_where_it_was(self, sent: Future) -> None:
        """Cancel a goal that was cancelled before it was adopted: it cannot end so unasked."""
        handle: ClientGoalHandle | None = sent.result()
        if handle is not None and bytes(handle.goal_id.uuid).hex() in self._to_cancel:
            handle.cancel_goal_async()

    async def _take_adopted(self, action_id: str, handle: ServerGoalHandle, done: Future) -> None:
        """Note a goal that is adopted as open, and end it where its result is there."""
        adoption = self._adoptions.pop(action_id)
        self._open[adoption.goal_id] = (handle, done)
        await self._server.admit(bytes.fromhex(action_id))
        if adoption.result is not None and action_id not in self._to_cancel:
            self.finish(adoption.result)

    async def _execute(self, handle: ServerGoalHandle) -> Scan.Result:
        goal_id = bytes(handle.goal_id.uuid).hex()
        done = Future()
        if goal_id in self._adoptions:
            await self._take_adopted(goal_id, handle, done)
        else:
            goal: Goal = from_scan_goal(goal_id, handle.request)
            self._open[goal_id] = (handle, done)
            self._tell(goal)
        result: GoalResult = await done
        if handle.is_cancel_requested:
            handle.canceled()
        elif result.outcome == "succeeded":
            handle.succeed()
        else:
            handle.abort()
        return to_scan_result(result)


def _check_counts(goal: Scan.Goal) -> None:
    """Check that a goal may be read: one that is too large would hold up the scan in hand.

    Raises:
        ConfigurationError: it is too large.
    """
    check_bearing_count(len(goal.area.bearings))
    check_weight_counts([len(one.vertices) for one in goal.weights])


def _is_id(goal_id: str) -> bool:
    """Return whether the action can have a goal of this id."""
    return len(goal_id) == _ID_LENGTH and set(goal_id) <= set("0123456789abcdef")

"""The action `scan`: one goal at a time, a newer one takes over."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import ScanState
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import check_bearing_count
from semantic_detection_pkg.scan.core.from_messages import from_scan_goal
from semantic_detection_pkg.scan.core.inputs_and_decisions import Cancel, Goal, GoalResult, Input
from semantic_detection_pkg.scan.ros.outputs import to_scan_result


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

    def destroy(self) -> None:
        """End the goals in hand and the server."""
        for goal_id in list(self._open):
            self.finish(GoalResult(goal_id, "aborted", "the scan controller ends"))
        self._server.destroy()

    def poll(self) -> None:
        """Pass on the goals that were cancelled since the last call."""
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
        _, done = self._open.pop(result.goal_id, (None, None))
        self._cancelled.discard(result.goal_id)
        if done is not None:
            done.set_result(result)

    async def _execute(self, handle: ServerGoalHandle) -> Scan.Result:
        goal_id = bytes(handle.goal_id.uuid).hex()
        try:
            # Before it is read: a goal that is too large would hold up the scan in hand.
            check_bearing_count(len(handle.request.area.bearings))
        except ConfigurationError as error:
            handle.abort()
            return to_scan_result(GoalResult(goal_id, "aborted", str(error)))
        done = Future()
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

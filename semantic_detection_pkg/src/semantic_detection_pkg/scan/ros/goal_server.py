"""An action server whose goals may be on their way when clients ask for their results."""

from __future__ import annotations

from typing import Any

from rclpy._rclpy_pybind11 import RCLError
from rclpy.action import ActionServer
from rclpy.node import Node


class GoalServer(ActionServer):
    """Has a request for the result of a goal that is expected wait until the goal has come.

    rclpy answers a request for the result of a goal that it does not know at once, and with nothing
    but "unknown"; the client then takes its goal for lost.
    """

    def __init__(self, node: Node, *args: Any, **options: Any) -> None:
        """See `ActionServer`."""
        self._scanner = node
        self._waiting: dict[bytes, list[Any]] = {}  # requests for results of expected goals
        super().__init__(node, *args, **options)

    def expect(self, goal_id: bytes) -> None:
        """Have requests for the result of a goal wait from now on."""
        self._waiting.setdefault(goal_id, [])

    async def admit(self, goal_id: bytes) -> None:
        """Take up the requests that wait: the goal has come."""
        for taken in self._waiting.pop(goal_id, ()):
            await self.execute({"result": taken})

    async def execute(self, taken_data: dict[str, Any]) -> None:
        """See `Waitable`; called by the executor with what has come."""
        rest = dict(taken_data)
        if "result" in rest:
            waiting = self._waiting.get(bytes(rest["result"][1].goal_id.uuid))
            if waiting is not None:
                waiting.append(rest.pop("result"))
        try:
            await super().execute(rest)
        except RCLError as error:
            # Fast DDS refuses to answer whom it has not discovered within 100 ms. rclpy minds that
            # for all answers but "this goal is unknown": there it would end the node.
            if not self._scanner.context.ok():
                raise
            self._scanner.get_logger().warning(f"a client of the action was not answered: {error}")

"""A node under test and another one that answers it, each turned by the test alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from patience import wait_until
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_graph import destroy


class TwoNodes:
    """Executors of their own, so that the other node answers only while it is spun."""

    def __init__(self, context: Context, name: str, other: str = "other") -> None:
        """Make the node `name` and the `other` one."""
        self.node, self.other = Node(name, context=context), Node(other, context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._others = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._others.add_node(self.other)

    def spin_until(self, condition: Callable[[], Any], *, is_answered: bool = True) -> None:
        """Spin the node, and the other one if it `is_answered`, until the condition is true."""

        def look() -> Any:
            self._executor.spin_once(timeout_sec=0.01)
            if is_answered:
                self._others.spin_once(timeout_sec=0.01)
            return condition()

        wait_until(look, timeout_s=30.0)

    def destroy(self) -> None:
        """Take both nodes out of the graph."""
        destroy(self.other)
        destroy(self.node)

"""Where the gimbal pointed, as a node hears it from `gimbal/state`."""

from __future__ import annotations

import threading

from rclpy.node import Node

from interfaces_pkg.msg import GimbalState
from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.edge import subscribe, taking
from ros_support_pkg.qos import HISTORY
from semantic_detection_pkg.common.core.from_messages import pose_of_state


class GimbalPoses:
    """The poses of the last seconds; any thread may ask."""

    def __init__(self, node: Node) -> None:
        """Subscribe; what comes is taken in the node's executor."""
        self._history: PoseHistory[Pose] = PoseHistory()
        self._lock = threading.Lock()
        self._take = taking(node, "gimbal/state", self._add)
        self._subscription = subscribe(node, GimbalState, "gimbal/state", self._add, HISTORY)

    def at(self, stamp_ns: int) -> Pose | None:
        """Return the pose at a time [ns since the epoch]; None where no reading is near enough."""
        with self._lock:
            return self._history.at(stamp_ns)

    @property
    def newest(self) -> Pose | None:
        """Return the newest reading; None before the first."""
        with self._lock:
            return self._history.newest

    def take_waiting(self) -> None:
        """Take what has come while the executor was busy; call it in the executor's thread.

        The executor takes one message of a subscription between two callbacks. A detector that
        computes longer than the gimbal's period would fall further and further behind.
        """
        handle = self._subscription.handle
        with handle:
            while (taken := handle.take_message(GimbalState, False)) is not None:
                self._take(taken[0])

    def _add(self, message: GimbalState) -> None:
        with self._lock:
            if message.link == GimbalState.LINK_UP:
                self._history.add(pose_of_state(message))

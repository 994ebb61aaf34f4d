"""Hears where the robot is for the controller, and when that is not known any more."""

from __future__ import annotations

import time

from rclpy.node import Node
from sensor_msgs.msg import Imu, NavSatFix

from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import SENSOR_DATA
from semantic_detection_pkg.scan.core.inputs import BaseLost
from semantic_detection_pkg.scan.core.standing_inputs import StandingInputs
from semantic_detection_pkg.scan.ros.whereabouts import Whereabouts, follow_base

_SAID_AGAIN_S = 60.0  # what comes and goes is not told each time


class BaseFollowing:
    """The topics `fix` and `imu` as standing inputs; all of it in the executor's thread."""

    def __init__(self, node: Node, standing: StandingInputs) -> None:
        """Subscribe."""
        self._node, self._standing = node, standing
        self._where = Whereabouts()
        subscribe(node, NavSatFix, "fix", self._where.take_fix, SENSOR_DATA)
        subscribe(node, Imu, "imu", self._where.take_imu, SENSOR_DATA)

    def follow(self) -> list[BaseLost]:
        """Have stand what is known now; return what is not known any more, which is logged."""
        lost = follow_base(self._where, self._standing, time.monotonic())
        if lost:
            self._node.get_logger().warning(
                f"{' and '.join(one.what for one in lost)}: not known any more; until it comes "
                "again what is found has no position",
                throttle_duration_sec=_SAID_AGAIN_S,
            )
        return lost

"""Patrol node: turns the gimbal to and fro, so that the demo sees something while no scan runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rclpy.node import Node
from std_msgs.msg import String

from interfaces_pkg.msg import GimbalRate, GimbalState
from ros_support_pkg.parameters import declare_parameters, parameter
from ros_support_pkg.qos import COMMAND, SENSOR_DATA, STATE
from ros_support_pkg.running import run_node
from semantic_detection_pkg.core.patrol import Patrol, patrol_rates, turn_at_ends
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError


@dataclass(frozen=True)
class PatrolParameters:
    """Parameters of the patrol node."""

    yaw_min_deg: float = parameter(-60.0, "[deg] right end", minimum=-180.0, maximum=180.0)
    yaw_max_deg: float = parameter(60.0, "[deg] left end", minimum=-180.0, maximum=180.0)
    pitch_deg: float = parameter(14.0, "[deg] tilt, + is down", minimum=-90.0, maximum=90.0)
    speed_deg_s: float = parameter(12.0, "[deg/s] of turning", minimum=0.1, maximum=90.0)


class PatrolNode(Node):
    """Answers each `gimbal/state` with a rate; the driver's dead-man stop does the rest.

    It rests while somebody holds control at the dashboard.
    """

    def __init__(self) -> None:
        super().__init__("patrol")
        config = declare_parameters(self, PatrolParameters)
        try:
            self._patrol = Patrol(
                math.radians(config.yaw_min_deg),
                math.radians(config.yaw_max_deg),
                math.radians(config.pitch_deg),
                math.radians(config.speed_deg_s),
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._operator = ""
        self.create_subscription(String, "operator", self._yield, STATE)
        self._rates = self.create_publisher(GimbalRate, "gimbal/cmd_rate", COMMAND)
        self.create_subscription(GimbalState, "gimbal/state", self._steer, SENSOR_DATA)

    def _yield(self, operator: String) -> None:
        self._operator = operator.data

    def _steer(self, state: GimbalState) -> None:
        if state.link != GimbalState.LINK_UP or self._operator:
            return
        is_going_left = turn_at_ends(self._patrol, state.yaw_rad)
        self._patrol = replace(self._patrol, is_going_left=is_going_left)
        yaw_rate, pitch_rate = patrol_rates(self._patrol, state.pitch_rad)
        command = GimbalRate(yaw_rate_rad_s=yaw_rate, pitch_rate_rad_s=pitch_rate)
        command.header.stamp = self.get_clock().now().to_msg()
        self._rates.publish(command)


def main() -> int:
    return run_node(PatrolNode, expected_errors=(SemanticDetectionError,))

"""What the scan tells the gimbal, with the stamps of the frame that led to it."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import Header

from interfaces_pkg.msg import FrameTimes, GimbalAngle, GimbalRate
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import COMMAND
from semantic_detection_pkg.scan.core.decisions import Decision


class GimbalCommands:
    """The topics `gimbal/cmd_rate` and `gimbal/cmd_angle`."""

    def __init__(self, node: Node) -> None:
        """Create the publishers."""
        self._rates = advertise(node, GimbalRate, "gimbal/cmd_rate", COMMAND)
        self._angles = advertise(node, GimbalAngle, "gimbal/cmd_angle", COMMAND)

    def send(self, decision: Decision, header: Header, times: FrameTimes) -> None:
        """Send what was decided; `times` are of the frame that it is the first command after."""
        if decision.rate is not None:
            yaw, pitch = decision.rate.yaw_rad_s, decision.rate.pitch_rad_s
            rate = GimbalRate(header=header, yaw_rate_rad_s=yaw, pitch_rate_rad_s=pitch)
            rate.times = times
            self._rates.publish(rate)
        if decision.angle is not None:
            yaw, pitch = decision.angle.yaw_rad, decision.angle.pitch_rad
            angle = GimbalAngle(header=header, yaw_rad=yaw, pitch_rad=pitch, times=times)
            self._angles.publish(angle)

"""The topics `gimbal/cmd_rate` and `gimbal/cmd_angle`, and how late what they say is."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from gimbal_driver_pkg.core.command_latency import CommandLatency, FrameStamps
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.errors import GimbalError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.protocol.messages import Attitude
from interfaces_pkg.msg import FrameTimes, GimbalAngle, GimbalRate
from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import COMMAND
from ros_support_pkg.stamps import NS_PER_S
from ros_support_pkg.steady_clock import is_comparable, steady_ns


class MotionCommands:
    """Hands commands to the driver, in the caller's thread, and notes when they left."""

    def __init__(self, node: Node, runner: DriverRunner[GimbalDriver]) -> None:
        """Subscribe; the runner's clock is the machine's steady one."""
        self._logger = node.get_logger()
        self._runner = runner
        self._latency = CommandLatency()
        subscribe(node, GimbalRate, "gimbal/cmd_rate", self._turn, COMMAND)
        subscribe(node, GimbalAngle, "gimbal/cmd_angle", self._point, COMMAND)

    def see(self, attitude: Attitude | None) -> None:
        """Take the reading of a published state."""
        obeyed_s = self._runner.call(lambda driver, _: driver.obeyed_s)
        if obeyed_s is not None:  # what had to wait has left since
            self._latency.left(round(obeyed_s * NS_PER_S))
        if attitude is not None:
            self._latency.see(attitude)

    def figures(self) -> dict[str, str]:
        """Return how late commands are, for the diagnostics."""
        return self._latency.ledger.figures(steady_ns())

    def _turn(self, rate: GimbalRate) -> None:
        self._command(
            lambda driver, now_s: driver.turn(rate.yaw_rate_rad_s, rate.pitch_rate_rad_s, now_s),
            rate.times,
            is_motion=bool(rate.yaw_rate_rad_s or rate.pitch_rate_rad_s),
        )

    def _point(self, angle: GimbalAngle) -> None:
        self._command(
            lambda driver, now_s: driver.point(angle.yaw_rad, angle.pitch_rad, now_s),
            angle.times,
            is_motion=True,
        )

    def _command(
        self, work: Callable[[GimbalDriver, float], object], times: FrameTimes, *, is_motion: bool
    ) -> None:
        try:
            self._runner.call(work)
        except GimbalError as error:
            self._logger.error(str(error), throttle_duration_sec=1.0)
            return
        stamps = FrameStamps()
        if is_comparable(times):
            stamps = FrameStamps(times.captured_ns, times.inference_ns, times.decided_ns)
        self._latency.command(stamps, is_motion=is_motion)
        if self._runner.call(lambda driver, _: driver.obeyed_s) is not None:
            self._latency.left(steady_ns())

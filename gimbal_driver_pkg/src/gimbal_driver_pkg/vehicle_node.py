"""Vehicle node: a line to the autopilot alone; where it says that it is, on `fix` and `imu`."""

from __future__ import annotations

from functools import partial
from typing import Any

from rclpy.node import Node

from gimbal_driver_pkg.core.build import mavlink_ids
from gimbal_driver_pkg.core.vehicle_line import VehicleLine
from gimbal_driver_pkg.core.vehicle_settings import VehicleNodeSettings
from gimbal_driver_pkg.core.vehicle_watch import VehicleWatch
from gimbal_driver_pkg.errors import GimbalError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.link import check_line
from gimbal_driver_pkg.links.opening import open_link
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec
from gimbal_driver_pkg.ros.vehicle_topics import VehicleReadings, VehicleTopics, readings_of
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.frames import in_namespace
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.running import NodeProgram


class VehicleNode(Node):
    """Puts a `VehicleLine` on the graph."""

    def __init__(self, **options: Any) -> None:
        super().__init__("vehicle", **options)
        config = declare_parameters(self, VehicleNodeSettings)
        check_line(config.line, config.serial_baud)
        codec = MavlinkCodec(ids=mavlink_ids(config.mavlink))
        self._url = config.line
        line = VehicleLine(codec, VehicleWatch(config.vehicle))
        opener = partial(open_link, config.line, config.serial_baud)
        self._runner = DriverRunner(line, opener, has_last_will=False)
        self._topics = VehicleTopics(
            self, in_namespace(self, config.base_frame), self._read, config.vehicle.vehicle_rate_hz
        )
        publish_diagnostics(self, self._check)
        self._runner.start()

    def destroy_node(self) -> None:
        self._runner.stop()
        super().destroy_node()

    def _read(self) -> VehicleReadings:
        return self._runner.call(lambda line, now_s: readings_of(line.watch, now_s))

    def _check(self) -> Health:
        problems = self._runner.call(lambda line, now_s: line.problems(now_s))
        counts = self._runner.call(lambda line, now_s: line.figures(now_s))
        figures: dict[str, object] = {
            "line": self._url,
            "reconnects": max(0, self._runner.reconnects),
            **counts,
        }
        if self._runner.error:
            return Health.error(self._runner.error, **figures)
        if problems:
            return Health.warn("; ".join(problems), **figures)
        return Health.ok("; ".join(self._topics.silences) or "position and attitude", **figures)


main = NodeProgram(VehicleNode, (GimbalError,))

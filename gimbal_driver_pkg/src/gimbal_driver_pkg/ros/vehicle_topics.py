"""Where the vehicle is, as `fix` and `imu`: what nobody else on the graph tells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from rclpy.node import Node
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus
from std_msgs.msg import Header

from gimbal_driver_pkg.core.vehicle_watch import VehicleFix, VehicleWatch
from gimbal_driver_pkg.protocol.vehicle_messages import VehicleAttitude
from gimbal_driver_pkg.ros.stamps import ReadingStamps
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import READINGS
from ros_support_pkg.stamps import to_time
from ros_support_pkg.timers import every

_LOOKS = 2.0  # at what is known, for each reading that is to come
_LOOK_ROUND_S = 1.0
_FIRST_LOOKS = 3  # before anything is published: nodes find each other in a second or two
#: REP 145: a covariance that begins with -1 says that the field says nothing.
_NOTHING = -1.0


class VehicleReadings(NamedTuple):
    """The newest of both, and how old they are [s]."""

    fix: VehicleFix | None
    fix_age_s: float
    attitude: VehicleAttitude | None
    attitude_age_s: float


def readings_of(watch: VehicleWatch | None, now_s: float) -> VehicleReadings:
    """Return what is known at a time of the clock that stamped it; None: nobody listens."""
    fix = None if watch is None else watch.fix(now_s)
    attitude = None if watch is None else watch.attitude(now_s)
    return VehicleReadings(
        fix,
        math.inf if fix is None else now_s - fix.stamp_s,
        attitude,
        math.inf if attitude is None else now_s - attitude.stamp_s,
    )


class VehicleTopics:
    """Publishes each reading once, from a timer; each topic only while it is nobody else's."""

    def __init__(
        self,
        node: Node,
        frame_id: str,
        read: Callable[[], VehicleReadings],
        rate_hz: float,
        yields_to: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Publish what `read` returns, which has news at `rate_hz`.

        Other nodes come first, if `yields_to` them by name.
        """
        self._node = node
        self._frame_id = frame_id
        self._read = read
        self._yields_to = yields_to
        self._fixes = advertise(node, NavSatFix, "fix", READINGS)
        self._attitudes = advertise(node, Imu, "imu", READINGS)
        self._others = {"fix": "", "imu": ""}
        self._looks = 0
        self._told: tuple[object, object] = (None, None)
        self._fix_stamps, self._attitude_stamps = ReadingStamps(), ReadingStamps()
        every(node, _LOOK_ROUND_S, self._look_round)
        every(node, 1.0 / (_LOOKS * rate_hz), self._publish)

    @property
    def silences(self) -> tuple[str, ...]:
        """Return what is not published, and because of whom, a line each."""
        return tuple(
            f"{topic} comes from {other}: this node does not publish it"
            for topic, other in self._others.items()
            if other
        )

    def _look_round(self) -> None:
        for topic, before in self._others.items():
            now = self._other_publisher(topic)
            self._others[topic] = now
            if now and not before:
                said = f"{topic} comes from {now}: this node does not publish it"
                self._node.get_logger().warning(said)
            elif before and not now:
                self._node.get_logger().info(f"{topic}: {before} is gone, this node publishes it")
        self._looks += 1

    def _other_publisher(self, topic: str) -> str:
        node = self._node
        ours = node.get_name(), node.get_namespace()
        for one in node.get_publishers_info_by_topic(node.resolve_topic_name(topic)):
            whose = one.node_name, one.node_namespace
            if whose != ours and self._yields_to(one.node_name):
                return f"{one.node_namespace.rstrip('/')}/{one.node_name}"
        return ""

    def _publish(self) -> None:
        readings = self._read()
        if self._looks < _FIRST_LOOKS:
            return
        now_ns = self._node.get_clock().now().nanoseconds
        fix, attitude = readings.fix, readings.attitude
        if fix is not None and fix is not self._told[0] and not self._others["fix"]:
            stamp_ns = self._fix_stamps.stamp_of(fix, readings.fix_age_s, now_ns)
            self._fixes.publish(to_fix(fix, self._header(stamp_ns)))
        if attitude is not None and attitude is not self._told[1] and not self._others["imu"]:
            stamp_ns = self._attitude_stamps.stamp_of(attitude, readings.attitude_age_s, now_ns)
            self._attitudes.publish(to_imu(attitude, self._header(stamp_ns)))
        self._told = fix, attitude

    def _header(self, stamp_ns: int) -> Header:
        return Header(stamp=to_time(stamp_ns), frame_id=self._frame_id)


def to_fix(fix: VehicleFix, header: Header) -> NavSatFix:
    """Return a position as a message; its variances are said to be unknown where one is."""
    status = NavSatStatus.STATUS_FIX if fix.is_known else NavSatStatus.STATUS_NO_FIX
    message = NavSatFix(
        header=header,
        latitude=fix.latitude_deg,
        longitude=fix.longitude_deg,
        altitude=fix.altitude_m,
        position_covariance_type=NavSatFix.COVARIANCE_TYPE_UNKNOWN,
    )
    message.status.status = status
    message.status.service = NavSatStatus.SERVICE_GPS
    across, up = fix.sigma_horizontal_m**2, fix.sigma_vertical_m**2
    if fix.is_known and math.isfinite(across) and math.isfinite(up):
        message.position_covariance = [across, 0.0, 0.0, 0.0, across, 0.0, 0.0, 0.0, up]
        message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_DIAGONAL_KNOWN
    return message


def to_imu(attitude: VehicleAttitude, header: Header) -> Imu:
    """Return an attitude as a message; how good it is is not known (REP 145: zeros)."""
    message = Imu(header=header)
    turn, rates = message.orientation, message.angular_velocity
    turn.x, turn.y, turn.z, turn.w = attitude.quaternion_xyzw
    if all(map(math.isfinite, attitude.rates_rad_s)):
        rates.x, rates.y, rates.z = attitude.rates_rad_s
    else:
        message.angular_velocity_covariance[0] = _NOTHING
    message.linear_acceleration_covariance[0] = _NOTHING
    return message

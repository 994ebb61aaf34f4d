"""TAK node: findings, robot, camera and searched area to the teams' maps, their points back."""

from __future__ import annotations

import socket
import time
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import Imu, NavSatFix

from interfaces_pkg import msg
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, subscribe
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import COMMAND, RECORD, SENSOR_DATA, STATE
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.timers import every
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from semantic_detection_pkg.scan.ros.whereabouts import Whereabouts
from semantic_detection_pkg.tak.core.events import Robot
from semantic_detection_pkg.tak.core.requests import Requests
from semantic_detection_pkg.tak.core.search_map import SearchMap, Telling
from semantic_detection_pkg.tak.core.server_address import ServerAddress, check_name, parse_server
from semantic_detection_pkg.tak.core.settings import STATES, TakSettings
from semantic_detection_pkg.tak.cot_xml import HeardEvent
from semantic_detection_pkg.tak.lines import DatagramLine, Line, StreamLine
from semantic_detection_pkg.tak.link import TakLink
from semantic_detection_pkg.tak.ros.area_requests import AreaRequests
from semantic_detection_pkg.tak.tls_files import TlsFiles, make_context

_HEARD_PERIOD_S = 0.2
_RECENT_S = 60.0  # so long a request that was not taken is a warning


class TakNode(Node):
    """Turns messages into events, and asked-for points into commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__("tak", **options)
        self._config = config = declare_parameters(self, TakSettings)
        unknown = [state for state in config.states if state not in STATES]
        if unknown:
            raise ConfigurationError(f"states {unknown[0]!r}: allowed are {', '.join(STATES)}")
        self._map = _search_map(config, self.get_namespace().strip("/"))
        self._where = Whereabouts()
        server = parse_server(config.server)
        self._link = TakLink(
            server, _opener(server, config), config.max_reconnect_wait_s, self._is_request
        )
        self._requests = Requests()
        self._looks = advertise(self, msg.GimbalAngle, "scan/point_here", COMMAND)
        self._areas = AreaRequests(self, config.search_words)
        self._ignored = 0
        self._off_clock = ("", 0.0)  # what was said last of a request, and when
        for kind, topic, take, qos in (
            (msg.Finding, "findings", self._take_finding, RECORD),
            (msg.Coverage, "scan/coverage", self._map.coverage, STATE),
            (msg.GimbalState, "gimbal/state", self._where.take_gimbal, SENSOR_DATA),
            (NavSatFix, "fix", self._where.take_fix, SENSOR_DATA),
            (Imu, "imu", self._where.take_imu, SENSOR_DATA),
        ):
            subscribe(self, kind, topic, take, qos)
        every(self, config.update_period_s, self._tell_where)
        every(self, config.area_period_s, lambda: self._tell(self._map.area()))
        every(self, _HEARD_PERIOD_S, self._hear)
        publish_diagnostics(self, self._check)
        self._link.start()

    def destroy_node(self) -> None:
        self._link.stop()
        super().destroy_node()

    def _take_finding(self, message: Any) -> None:
        self._tell(self._map.finding(message))

    def _tell_where(self) -> None:
        place = self._where.place(time.monotonic())
        if place is not None:
            self._tell(self._map.whereabouts(place, self._where.pose(time.monotonic())))

    def _tell(self, telling: Telling) -> None:
        for event in telling.events:
            self._link.tell(event)
        for uid in telling.withdrawn:
            self._link.withdraw(uid)

    def _hear(self) -> None:
        for event in self._link.heard():
            heard = self._requests.hear(event.uid, event.time_ns, time.time_ns())
            if heard.is_new:
                (self._search if self._is_search_here(event) else self._look_at)(event)
            elif heard.off_clock:
                name = event.callsign or event.uid
                said = f"a team's request {name!r} is not taken: {heard.off_clock}"
                self._off_clock = (said, time.monotonic())
                self.get_logger().warning(said, throttle_duration_sec=10.0)

    def _is_request(self, event: HeardEvent) -> bool:
        return self._is_search_here(event) or self._map.is_look_here(
            event.uid, event.kind, event.callsign, event.remarks, event.sent_to
        )

    def _is_search_here(self, event: HeardEvent) -> bool:
        return self._map.is_search_here(
            event.uid, event.kind, event.callsign, event.remarks, event.sent_to
        )

    def _ignore(self, said: str) -> None:
        self._ignored += 1
        self.get_logger().warning(said, throttle_duration_sec=10.0)

    def _search(self, event: HeardEvent) -> None:
        """Have the scan search a shape, where that is allowed."""
        name = event.callsign or event.uid
        if not self._config.allow_search_area:
            self._ignore(f"a team asks to search {name!r}; allow_search_area is false")
        elif not event.shape:
            self._ignore(f"a team asks to search {name!r}, whose shape cannot be read")
        else:
            self._areas.search(name, event.shape)

    def _look_at(self, event: HeardEvent) -> None:
        """Point the scan there, where that is allowed."""
        name = event.callsign or event.uid
        if not self._config.allow_look_here:
            self._ignore(f"a team asks to look at {name!r}; allow_look_here is false")
            return
        place = self._where.place(time.monotonic())
        try:
            if place is None:
                raise ValueError("the robot's position is not known")
            yaw_rad, pitch_rad = self._map.bearing_of(
                place, event.latitude_deg, event.longitude_deg, event.hae_m
            )
        except ValueError as error:
            self.get_logger().warning(f"cannot look at {name!r}: {error}")
            return
        self.get_logger().info(f"looking at {name!r}, as a team asks")
        angle = msg.GimbalAngle(yaw_rad=yaw_rad, pitch_rad=pitch_rad)
        angle.header.stamp = self.get_clock().now().to_msg()
        self._looks.publish(angle)

    def _check(self) -> Health:
        figures: dict[str, object] = {
            "server": self._config.server,
            "events_told": self._link.told,
            "pieces_refused": self._link.refused,
            "requests_ignored": self._ignored,
            "requests_off_clock": self._requests.off_clock,
        }
        if self._link.error:
            return Health.warn(f"{self._config.server}: {self._link.error}", **figures)
        said, said_s = self._off_clock
        if said and time.monotonic() - said_s < _RECENT_S:
            return Health.warn(said, **figures)
        if self._where.place(time.monotonic()) is None:
            return Health.warn("no position: nothing can be put on a map", **figures)
        return Health.ok("teams are told", **figures)


def _search_map(config: TakSettings, namespace: str) -> SearchMap:
    callsign = config.callsign or namespace or socket.gethostname()
    robot = Robot(
        f"semantic-detection.{callsign}", callsign, config.team, config.role, config.robot_type
    )
    return SearchMap(
        robot, config.states, config.page_url, config.update_period_s, config.finding_lifetime_s
    )


def _opener(server: ServerAddress, config: TakSettings) -> Any:
    """Return what opens a line.

    Raises:
        ConfigurationError: a file of TLS is no good, or the server's name is none.
    """
    if server.kind == "udp":

        def open_group() -> Line:
            return DatagramLine(
                server,
                config.multicast_interface,
                config.multicast_ttl,
                listens=config.allow_look_here or config.allow_search_area,
            )

        return open_group
    context = None
    if config.server_name:
        check_name("server_name", config.server_name)
    if server.kind == "tls":
        context = make_context(
            TlsFiles(
                config.ca_file,
                config.certificate_file,
                config.key_file,
                config.key_password_file,
                config.check_server_name,
            )
        )

    def connect() -> Line:
        return StreamLine(server, context, config.server_name or server.host)

    return connect


main = NodeProgram(TakNode, (SemanticDetectionError,))

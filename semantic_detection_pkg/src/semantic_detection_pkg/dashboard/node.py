"""Dashboard node: the page on port 8080, between the web server and the graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rclpy.node import Node

from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.timers import every
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.server import DashboardServer
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings, find_token
from semantic_detection_pkg.dashboard.core.folders import folder_complaint
from semantic_detection_pkg.dashboard.core.settings import DashboardNodeSettings
from semantic_detection_pkg.dashboard.ros.feed import DashboardFeed
from semantic_detection_pkg.dashboard.ros.robot import RosRobot
from semantic_detection_pkg.dashboard.url_file import URL_FILE_VARIABLE, write_url
from semantic_detection_pkg.errors import SemanticDetectionError

_BEAT_PERIOD_S = 1.0


class DashboardNode(Node):
    """Owns the server, what feeds it and what obeys it."""

    def __init__(self, **options: Any) -> None:
        super().__init__("dashboard", **options)
        config = declare_parameters(self, DashboardNodeSettings)
        settings = _server_settings(config, self.get_namespace().strip("/"))
        self._output_dir = str(Path(config.output_dir).absolute())
        self._robot = RosRobot(self)
        self._dashboard = Dashboard(
            settings,
            self._robot,
            picture_width=config.image_width_px,
            picture_quality=config.jpeg_quality,
            max_picture_latency_s=config.max_picture_latency_s,
        )
        self._server = DashboardServer(self._dashboard)
        feed = DashboardFeed(
            self,
            self._dashboard.board,
            self._dashboard.pictures,
            self._dashboard.findings,
            self._dashboard.missions,
            self._dashboard.map_book,
            transport=config.frame_transport,
            hfov_wide_rad=config.wide_hfov_rad,
        )
        self._feed = feed
        self._robot.on_watch = feed.watch
        self._robot.on_place_watch = feed.watch_place
        self._robot.on_scan_end = feed.end_scan
        every(self, _BEAT_PERIOD_S, self._beat)
        publish_diagnostics(self, self._check)
        self._server.start()
        self._tell_where()
        self.get_logger().info(f"the page is at {self._server.address}")

    def destroy_node(self) -> None:
        self._server.stop()
        self._feed.watch(False)
        super().destroy_node()

    def _tell_where(self) -> None:
        """Write down where the page is, where the run asks for it."""
        if path := os.environ.get(URL_FILE_VARIABLE):
            try:
                write_url(Path(path), self._server.address)
            except OSError as error:
                self.get_logger().warning(f"{path}: {error.strerror}; a health check looks there")

    def _beat(self) -> None:
        self._dashboard.board.put("beat", {})
        self._dashboard.board.put("presence", self._robot.presence())

    def _check(self) -> Health:
        figures = dict(self._dashboard.board.get("server") or {})
        complaint = figures.pop("complaint", "") or folder_complaint(
            self._dashboard.board.get("recorder"), self._output_dir
        )
        if complaint:
            return Health.warn(complaint, **figures)
        return Health.ok(self._server.address, **figures)


def _server_settings(settings: DashboardNodeSettings, robot: str) -> DashboardSettings:
    """Return what the server is to know.

    Raises:
        ConfigurationError: it would be open to the network without a token.
    """
    return DashboardSettings(
        host=settings.host,
        port=settings.port,
        token=find_token(settings.token_file, os.environ),
        is_viewing_open=settings.allow_anonymous_viewing,
        evidence_dir=Path(settings.output_dir) / "events",
        robot=robot,
        map_tiles_file=settings.map_tiles_file,
    )


main = NodeProgram(DashboardNode, (SemanticDetectionError,))

"""Dashboard node: the page on port 8080, between the web server and the graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.parameters import declare_parameters, parameter
from ros_support_pkg.running import run_node
from semantic_detection_pkg.camera.ros.frames import transport_parameter
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.server import DashboardServer
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings, read_token
from semantic_detection_pkg.dashboard.ros.feed import DashboardFeed
from semantic_detection_pkg.dashboard.ros.robot import RosRobot
from semantic_detection_pkg.errors import SemanticDetectionError

_BEAT_PERIOD_S = 1.0


@dataclass(frozen=True)
class DashboardParameters:
    """Parameters of the dashboard node."""

    host: str = parameter("127.0.0.1", "address to listen on; others than this need a token")
    port: int = parameter(8080, "TCP port; 0: a free one", minimum=0, maximum=65535)
    token: str = parameter("", "what control needs, at least 8 characters; '': see token_file")
    token_file: str = parameter("", "file with the token in its first line; '': none")
    allow_viewing: bool = parameter(False, "with a token: looking needs none")
    output_dir: str = parameter("output/recordings", "folder of the recordings, for evidence")
    frame_transport: str = transport_parameter()
    picture_width: int = parameter(
        1280, "[px] wider frames are made smaller for the page", minimum=160, maximum=3840
    )
    picture_quality: int = parameter(75, "of the JPEG", minimum=10, maximum=100)
    wide_hfov_deg: float = parameter(
        62.0,
        "[deg] field of view at zoom 1, of gimbals that do not tell",
        minimum=1.0,
        maximum=150.0,
    )

    def settings(self, robot: str) -> DashboardSettings:
        """The part that the server knows.

        Raises:
            ConfigurationError: it would be open to the network without a token.
        """
        token = read_token(self.token_file) if self.token_file else self.token
        return DashboardSettings(
            host=self.host,
            port=self.port,
            token=token,
            is_viewing_open=self.allow_viewing,
            evidence_dir=Path(self.output_dir) / "events",
            robot=robot,
        )


class DashboardNode(Node):
    """Owns the server, what feeds it and what obeys it."""

    def __init__(self) -> None:
        super().__init__("dashboard")
        config = declare_parameters(self, DashboardParameters)
        settings = config.settings(self.get_namespace().strip("/"))
        self._robot = RosRobot(self)
        self._dashboard = Dashboard(
            settings,
            self._robot,
            picture_width=config.picture_width,
            picture_quality=config.picture_quality,
        )
        self._server = DashboardServer(self._dashboard)
        feed = DashboardFeed(
            self,
            self._dashboard.board,
            self._dashboard.pictures,
            transport=config.frame_transport,
            hfov_wide_rad=math.radians(config.wide_hfov_deg),
        )
        self._feed = feed
        self._robot.on_watch = feed.watch
        self._robot.on_scan_end = feed.end_scan
        self.create_timer(_BEAT_PERIOD_S, self._beat)
        publish_diagnostics(self, self._check)
        self._server.start()
        self.get_logger().info(f"the page is at {self._server.address}")

    def destroy_node(self) -> None:
        self._server.stop()
        self._feed.watch(False)
        super().destroy_node()

    def _beat(self) -> None:
        self._dashboard.board.put("beat", {})
        self._dashboard.board.put("presence", self._robot.presence())

    def _check(self) -> Health:
        figures = self._dashboard.board.get("server") or {}
        return Health.ok(self._server.address, **figures)


def main() -> int:
    return run_node(DashboardNode, expected_errors=(SemanticDetectionError,))

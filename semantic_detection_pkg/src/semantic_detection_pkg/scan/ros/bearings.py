"""The service `scan/to_bearings`: places on a map as bearings, for weights drawn on one."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from interfaces_pkg import msg, srv
from ros_support_pkg.edge import serve
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.controller import ScanController


def serve_bearings(node: Node, controller: Callable[[], ScanController]) -> None:
    """Answer by what the controller of then knows of the robot's place."""

    def answer(
        request: srv.ToBearings.Request, response: srv.ToBearings.Response
    ) -> srv.ToBearings.Response:
        try:
            if len(request.latitude_deg) != len(request.longitude_deg):
                counts = f"{len(request.latitude_deg)} and {len(request.longitude_deg)}"
                raise ConfigurationError(f"latitudes and longitudes: {counts}, as many are allowed")
            places = list(zip(request.latitude_deg, request.longitude_deg, strict=True))
            found = controller().bearings_of(places)
        except ConfigurationError as error:
            response.message = str(error)
            return response
        response.success = True
        response.bearings = [msg.Bearing(yaw_rad=yaw, pitch_rad=pitch) for yaw, pitch in found]
        return response

    serve(node, srv.ToBearings, "scan/to_bearings", answer)

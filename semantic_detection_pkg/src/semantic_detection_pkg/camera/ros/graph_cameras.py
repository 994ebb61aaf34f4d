"""Cameras that need the graph: those of other packages, by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from rclpy.node import Node

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.sources import registry

_GROUP = "semantic_detection.cameras_in_graph"


def attach(node: Node, source: str, frame_id: str) -> None:
    """Let the camera that `source` names join the graph of `node`, if it is of that kind.

    An entry point of the group has a scheme as its name and is `attach(node, frame_id) -> Opener`.

    Raises:
        ConfigurationError: `source` is no camera URI.
    """
    scheme = CameraUri.parse(source).scheme
    for one in entry_points(group=_GROUP):
        if one.name == scheme:
            registry.register(scheme, one.load()(node, frame_id))

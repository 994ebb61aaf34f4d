"""Cameras that need the graph: topics of other people's drivers, and what packages add."""

from __future__ import annotations

from importlib.metadata import entry_points

from rclpy.node import Node

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.ros import topic_camera
from semantic_detection_pkg.camera.sources import registry

_GROUP = "semantic_detection.cameras_in_graph"


def attach(node: Node, source: str, frame_id: str) -> None:
    """Let the camera that `source` names join the graph of `node`, if it is of that kind.

    `ros:` is one. An entry point of the group has a scheme as its name and is
    `attach(node, frame_id) -> Opener`.

    Raises:
        ConfigurationError: `source` is no camera URI.
    """
    scheme = CameraUri.parse(source).scheme
    if scheme == "ros":
        registry.register(scheme, topic_camera.attach(node))
    for one in entry_points(group=_GROUP):
        if one.name == scheme:
            registry.register(scheme, one.load()(node, frame_id))

"""What the files of rviz2 and Foxglove ask of the graph: topics, types and QoS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

CONFIG = Path(__file__).resolve().parent.parent.parent / "config"
#: Of other people's nodes, which `view.launch.yaml` starts.
FOREIGN = {"robot_description"}

_RVIZ_TYPES = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/RobotModel": "std_msgs/msg/String",
}
#: What a Foxglove panel takes, by the key that names its topic; None: messages of any type.
_FOXGLOVE_TYPES: dict[str, set[str] | None] = {
    "imageTopic": {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"},
    "calibrationTopic": {"sensor_msgs/msg/CameraInfo"},
    "topics": {"visualization_msgs/msg/MarkerArray"},
    "topicToRender": {"diagnostic_msgs/msg/DiagnosticArray", "rcl_interfaces/msg/Log"},
    "topicPath": None,
    "value": None,
}


@dataclass(frozen=True)
class RvizTopic:
    """A topic that a display subscribes to."""

    name: str
    type_name: str
    qos: QoSProfile


@dataclass(frozen=True)
class FoxgloveTopic:
    """A topic that a panel subscribes to, the types that it takes, and the field that it shows."""

    name: str
    types: frozenset[str] | None
    field: str


def rviz_topics(config: Any = None) -> list[RvizTopic]:
    """Return what the displays of an rviz file ask for; without one: of the installed one."""
    if config is None:
        config = yaml.safe_load((CONFIG / "semantic_detection.rviz").read_text())
    return list(_displays(config))


def _displays(value: Any) -> Iterator[RvizTopic]:
    if isinstance(value, list):
        for item in value:
            yield from _displays(item)
    if not isinstance(value, dict):
        return
    topic = value.get("Topic") or value.get("Description Topic")
    if isinstance(topic, dict):
        kind = _RVIZ_TYPES[value["Class"]]
        # rviz2 takes the transport from the topic's name (getTransportFromTopic).
        if kind == "sensor_msgs/msg/Image" and topic["Value"].endswith("/compressed"):
            kind = "sensor_msgs/msg/CompressedImage"
        yield RvizTopic(topic["Value"], kind, _profile(topic))
    for item in value.values():
        yield from _displays(item)


def _profile(topic: dict[str, Any]) -> QoSProfile:
    def member(kind: Any, key: str) -> Any:
        return kind[topic[key].upper().replace(" ", "_")]

    return QoSProfile(
        depth=topic["Depth"],
        history=member(HistoryPolicy, "History Policy"),
        reliability=member(ReliabilityPolicy, "Reliability Policy"),
        durability=member(DurabilityPolicy, "Durability Policy"),
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


def foxglove_topics(layout: Any = None) -> list[FoxgloveTopic]:
    """Return what the panels of a layout ask for; without one: of the installed one."""
    if layout is None:
        layout = json.loads((CONFIG / "foxglove.json").read_text())
    return list(_panels(layout["configById"]))


def _panels(value: Any, key: str = "") -> Iterator[FoxgloveTopic]:
    if isinstance(value, list):
        for item in value:
            yield from _panels(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "topics":
                for topic in item:
                    yield _foxglove(topic, name)
            else:
                yield from _panels(item, name)
    elif key in _FOXGLOVE_TYPES:
        yield _foxglove(value, key)


def _foxglove(path: str, key: str) -> FoxgloveTopic:
    name, _, field = path.partition(".")
    types = _FOXGLOVE_TYPES[key]
    return FoxgloveTopic(name, None if types is None else frozenset(types), field)

"""Which topics are recorded, and what the bag has to say of their types."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.qos import QoSProfile

from ros_support_pkg.qos import EVENT, READINGS, RECORD, SENSOR_DATA, STATE, VIEW
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.definitions import full_definition
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat


@dataclass(frozen=True)
class Source:
    """A topic to record.

    Attributes:
        qos: that its publishers offer, as far as we know; weaker offers are adapted to.
        is_frame: it holds pictures, which give way when the disk is too slow.
    """

    name: str
    type_name: str
    qos: QoSProfile
    is_frame: bool = False


FINDINGS = "findings"
DETECTIONS_TYPE = "interfaces_pkg/msg/Detections"
GIMBAL_TYPE = "interfaces_pkg/msg/GimbalState"
_FRAMES = Source(
    "camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage", VIEW, is_frame=True
)
_SMALL = (
    Source("camera/camera_info", "sensor_msgs/msg/CameraInfo", READINGS),
    Source("detections", DETECTIONS_TYPE, SENSOR_DATA),
    Source("detector/words", "interfaces_pkg/msg/WordsInForce", STATE),
    Source("gimbal/state", GIMBAL_TYPE, SENSOR_DATA),
    Source("joint_states", "sensor_msgs/msg/JointState", READINGS),
    Source("scan/state", "interfaces_pkg/msg/ScanState", STATE),
    Source("scan/coverage", "interfaces_pkg/msg/Coverage", STATE),
    Source("scan/tracks", "interfaces_pkg/msg/Tracks", EVENT),
    Source("scan/markers", "visualization_msgs/msg/MarkerArray", STATE),
    Source("scan/journal", "interfaces_pkg/msg/ScanJournal", RECORD),
    Source(FINDINGS, "interfaces_pkg/msg/Finding", RECORD),
    Source("vlm/answers", "interfaces_pkg/msg/VlmAnswer", EVENT),
    Source("gpu/state", "interfaces_pkg/msg/GpuState", STATE),
    Source("health/level", "interfaces_pkg/msg/HealthState", STATE),
    Source("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", EVENT),
    Source("/rosout", "rcl_interfaces/msg/Log", RECORD),
)


def sources(*, with_frames: bool, extra: Sequence[str] = ()) -> list[Source]:
    """Return the topics to record.

    Args:
        extra: more of them, each as `name:type`.

    Raises:
        ConfigurationError: an extra one is not of that form or its type is unknown.
    """
    chosen = [_FRAMES, *_SMALL] if with_frames else list(_SMALL)
    for entry in extra:
        name, _, type_name = entry.partition(":")
        if not name or type_name.count("/") != 2:
            raise ConfigurationError(
                f"parameter 'extra_topics' has {entry!r}, name:package/msg/Type is allowed"
            )
        message_class(type_name)
        chosen.append(Source(name, type_name, EVENT, is_frame="Image" in type_name))
    return chosen


def message_class(type_name: str) -> Any:
    """Return the Python class of a type; ConfigurationError where it is not installed."""
    package, kind, name = type_name.split("/")
    try:
        return getattr(import_module(f"{package}.{kind}"), name)
    except (ImportError, AttributeError):
        raise ConfigurationError(
            f"message type {type_name!r} is not installed, types of sourced packages are allowed"
        ) from None


@cache
def definition(type_name: str) -> str:
    """Return the full definition of a type, from the ament index."""
    return full_definition(type_name, lambda name: _share(name, "msg").read_text())


@cache
def type_hash(type_name: str) -> str:
    """Return `RIHS01_...`; empty where this ROS has none (Humble)."""
    path = _share(type_name, "json")
    if not path.exists():
        return ""
    hashes = json.loads(path.read_text())["type_hashes"]
    return str(next(entry["hash_string"] for entry in hashes if entry["type_name"] == type_name))


def bag_format(distribution: str) -> BagFormat:
    """Return the form of the bag for a distribution; "auto": for the one that runs."""
    if distribution == "auto":
        distribution = os.environ.get("ROS_DISTRO", "jazzy")
    return BagFormat.HUMBLE if distribution == "humble" else BagFormat.JAZZY


def _share(type_name: str, suffix: str) -> Path:
    package, kind, name = type_name.split("/")
    try:
        return Path(get_package_share_directory(package)) / kind / f"{name}.{suffix}"
    except PackageNotFoundError:
        raise ConfigurationError(f"package {package!r} of {type_name} is not installed") from None

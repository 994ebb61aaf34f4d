"""Detections as vision_msgs/Detection2DArray, for other people's tools, where that is installed.

vision_msgs is not on PyPI; a robot's ROS has it. Masks have no place in it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode

from interfaces_pkg.msg import Detections
from ros_support_pkg.edge import advertise_active
from ros_support_pkg.qos import READINGS

TOPIC = "detections/vision"


class VisionDetections:
    """Publishes only while somebody subscribes; does nothing without the package."""

    def __init__(self, node: LifecycleNode) -> None:
        try:
            self._types: ModuleType | None = import_module("vision_msgs.msg")
        except ImportError:
            self._types = None
            return
        self._publisher = advertise_active(node, self._types.Detection2DArray, TOPIC, READINGS)

    def publish(self, message: Detections) -> None:
        """Publish the same detections in the other form."""
        if self._types is not None and self._publisher.get_subscription_count():
            self._publisher.publish(to_detection_array(message, self._types))


def to_detection_array(message: Detections, types: Any) -> Any:
    """Return the same detections, boxes only.

    Args:
        types: the module vision_msgs.msg, of version 4 (Humble and Jazzy).
    """
    boxes = np.asarray(message.boxes_xyxy, np.float64).reshape(-1, 4)
    found = []
    for class_id, score, (x0, y0, x1, y1) in zip(
        message.class_ids, message.scores, boxes.tolist(), strict=True
    ):
        detection = types.Detection2D(header=message.header)
        detection.bbox.center.position.x = (x0 + x1) / 2.0
        detection.bbox.center.position.y = (y0 + y1) / 2.0
        detection.bbox.size_x, detection.bbox.size_y = x1 - x0, y1 - y0
        result = types.ObjectHypothesisWithPose()
        result.hypothesis.class_id = message.vocabulary[class_id]
        result.hypothesis.score = float(score)
        detection.results.append(result)
        found.append(detection)
    return types.Detection2DArray(header=message.header, detections=found)

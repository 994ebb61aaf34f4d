"""The recorder's tables: which rows a message makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rclpy.serialization import deserialize_message

from interfaces_pkg.msg import Detections, GimbalState
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.common.core.from_messages import pose_at_capture
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.ros.topics import DETECTIONS_TYPE, GIMBAL_TYPE
from semantic_detection_pkg.recorder.storage.tables import Row


class TableRows:
    """Rows of the tables: gimbal states, and detections with the pose at their capture."""

    def __call__(self, message: Message) -> Iterator[Row]:
        """Yield the rows that a message makes."""
        if message.topic.type_name == GIMBAL_TYPE:
            yield "gimbal", self._gimbal(deserialize_message(message.data, GimbalState))
        elif message.topic.type_name == DETECTIONS_TYPE:
            yield "detections", self._detections(deserialize_message(message.data, Detections))

    def _gimbal(self, state: GimbalState) -> dict[str, Any]:
        stamp_ns = from_time(state.header.stamp)
        fields = ("yaw_rad", "pitch_rad", "roll_rad", "yaw_rate_rad_s", "pitch_rate_rad_s")
        return {
            "stamp_ns": stamp_ns,
            **{name: getattr(state, name) for name in (*fields, "zoom", "hfov_rad")},
            "link": state.link,
            "mode": state.mode,
        }

    def _detections(self, found: Detections) -> dict[str, Any]:
        stamp_ns = from_time(found.header.stamp)
        pose = pose_at_capture(found)
        angles = ("yaw_rad", "pitch_rad", "roll_rad", "hfov_rad")
        boxes = found.boxes_xyxy
        return {
            "stamp_ns": stamp_ns,
            "model": found.model,
            "pose": pose and {name: getattr(pose, name) for name in angles},
            "detections": [
                {
                    "class": found.vocabulary[class_id],
                    "score": round(found.scores[index], 4),
                    "box_xyxy": [round(value, 2) for value in boxes[4 * index : 4 * index + 4]],
                }
                for index, class_id in enumerate(found.class_ids)
            ],
        }

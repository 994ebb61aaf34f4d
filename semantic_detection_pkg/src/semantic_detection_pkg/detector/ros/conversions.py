"""What the detector found, as a message."""

from __future__ import annotations

from array import array

from std_msgs.msg import Header

from interfaces_pkg.msg import Detections as DetectionsMessage
from interfaces_pkg.msg import PoseAtCapture
from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.ros.conversions import to_array
from semantic_detection_pkg.detector.core.detection_result import DetectionResult


def to_detections(
    result: DetectionResult, model: str, header: Header, pose: PoseAtCapture
) -> DetectionsMessage:
    """Return what the detector found in one frame as a message.

    Args:
        model: name of the model that decided.
        header: that of the frame.
        pose: where the camera looked at the capture.
    """
    detections, elapsed_ms = result.detections, result.elapsed_ms
    return DetectionsMessage(
        header=header,
        image_width=detections.width,
        image_height=detections.height,
        model=model,
        vocabulary=list(result.vocabulary),
        class_ids=to_array("H", detections.class_ids),
        scores=to_array("f", detections.scores),
        boxes_xyxy=to_array("f", detections.boxes_xyxy),
        ring_counts=to_array("I", detections.masks.ring_counts),
        ring_sizes=to_array("I", detections.masks.ring_sizes),
        points_xy=to_array("f", detections.masks.points),
        looks_xyxy=array("I", (edge for look in result.looks for edge in look[:4])),
        look_gains=array("f", (look.gain for look in result.looks)),
        looks_given_up=result.given_up,
        preprocess_ms=elapsed_ms.preprocess,
        inference_ms=elapsed_ms.inference,
        postprocess_ms=elapsed_ms.postprocess,
        pose=pose,
    )


def to_pose_at_capture(pose: Pose | None, newest: Pose | None) -> PoseAtCapture:
    """Return where the camera looked as a message.

    Args:
        pose: at the capture; None: nobody knows.
        newest: reading that was known.
    """
    if pose is None or newest is None:
        return PoseAtCapture()
    return PoseAtCapture(
        is_known=True,
        newest_reading=to_time(newest.stamp_ns),
        yaw_rad=pose.yaw_rad,
        pitch_rad=pose.pitch_rad,
        roll_rad=pose.roll_rad,
        yaw_rate_rad_s=pose.yaw_rate_rad_s,
        pitch_rate_rad_s=pose.pitch_rate_rad_s,
        zoom=pose.zoom,
        hfov_rad=pose.hfov_rad,
    )

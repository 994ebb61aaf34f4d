"""Intrinsics as a message."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.camera.calibration import Calibration


def to_camera_info(
    calibration: Calibration | None, width: int, height: int, stamp_ns: int, frame_id: str
) -> CameraInfo:
    """Intrinsics of a frame; without a calibration K stays zero, which means uncalibrated."""
    message = CameraInfo(
        header=Header(stamp=to_time(stamp_ns), frame_id=frame_id), width=width, height=height
    )
    if calibration is not None:
        message.distortion_model = calibration.distortion_model
        message.d = list(calibration.distortion)
        message.k = list(calibration.camera_matrix)
        message.r = list(calibration.rectification_matrix)
        message.p = list(calibration.projection_matrix)
    return message

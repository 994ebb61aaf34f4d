"""Intrinsics as messages."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.camera.core.calibration import Calibration
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import ConfigurationError


class Intrinsics:
    """A camera's calibration at whatever size its pictures have.

    Attributes:
        refusal: why the calibration does not fit the newest picture; empty where it does.
    """

    def __init__(self, calibration: Calibration | None) -> None:
        self.refusal = ""
        self._calibration = calibration
        self._fitting = calibration
        self._size: tuple[int, int] | None = None

    def message_of(self, frame: Frame) -> CameraInfo:
        """Return the intrinsics of a frame; K stays zero, which means uncalibrated, without any."""
        self._fit(frame.width, frame.height)
        header = Header(stamp=to_time(frame.stamp_ns), frame_id=frame.frame_id)
        message = CameraInfo(header=header, width=frame.width, height=frame.height)
        if self._fitting is not None:
            message.distortion_model = self._fitting.distortion_model
            message.d = list(self._fitting.distortion)
            message.k = list(self._fitting.camera_matrix)
            message.r = list(self._fitting.rectification_matrix)
            message.p = list(self._fitting.projection_matrix)
        return message

    def _fit(self, width: int, height: int) -> None:
        if self._calibration is None or self._size == (width, height):
            return
        self._size = (width, height)
        try:
            self._fitting, self.refusal = self._calibration.scaled_to(width, height), ""
        except ConfigurationError as error:
            self._fitting, self.refusal = None, str(error)

"""Camera node: one URI for every source, the newest frame wins.

Frames go by shared memory, always; as image messages and JPEG only while somebody subscribes;
`camera_info`, which is small, always. The capture stamp identifies a frame in everything that
follows from it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage

from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise
from ros_support_pkg.frames import in_namespace
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import READINGS, VIEW
from ros_support_pkg.running import NodeProgram, tolerating_shutdown
from ros_support_pkg.shedding import RATES, Shedding
from semantic_detection_pkg.camera.calibration import load_calibration
from semantic_detection_pkg.camera.capture_clock import CaptureClock
from semantic_detection_pkg.camera.core.settings import CameraSettings
from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.reader import LatestFrameReader
from semantic_detection_pkg.camera.ros import graph_cameras
from semantic_detection_pkg.camera.ros.camera_info import Intrinsics
from semantic_detection_pkg.camera.ros.frames import FramePublisher
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.ros import conversions
from semantic_detection_pkg.errors import FrameError, SemanticDetectionError

_STOP_S = 2.0  # a driver that hangs in a read does not keep the process


class CameraNode(Node):
    """Publishes what a `LatestFrameReader` takes from the camera."""

    def __init__(self, **options: Any) -> None:
        super().__init__("camera", **options)
        self._config = declare_parameters(self, CameraSettings, self._change)
        self._source_label = CameraUri.parse(self._config.source).label
        self._frame_id = in_namespace(self, self._config.frame_id)
        graph_cameras.attach(self, self._config.source, self._frame_id)
        path = self._config.calibration_file
        self._intrinsics = Intrinsics(load_calibration(path) if path else None)
        self._frames = FramePublisher(self, self._config.frame_transport)
        self._compressed = advertise(self, CompressedImage, "camera/image_raw/compressed", VIEW)
        self._info = advertise(self, CameraInfo, "camera/camera_info", READINGS)
        clock = self.get_clock()
        self._capture_clock = CaptureClock(lambda: clock.now().nanoseconds)
        self._reader = LatestFrameReader(
            partial(
                open_camera,
                self._config.source,
                self._capture_clock,
                self._frames.allocate,
            )
        )
        self._last_error = ""
        self._last_refusal = ""
        self._frames_before = 0
        self._shedding = Shedding(self)
        publish_diagnostics(self, self._check)
        self._reader.start()  # refuses a source that can never work
        # Publishing is thread-safe; a thread of its own keeps encoding off the executor.
        self._publisher_thread = threading.Thread(
            target=self._publish_frames, name="camera publisher", daemon=True
        )
        self._publisher_thread.start()

    def destroy_node(self) -> None:
        self._reader.stop(_STOP_S)
        self._publisher_thread.join()
        self._frames.close()
        super().destroy_node()

    def _publish_frames(self) -> None:
        while (frame := self._reader.next_frame()) is not None:
            if RATES in self._shedding and frame.sequence % 2:
                continue
            with tolerating_shutdown(self):
                captured_ns = self._capture_clock.steady_of(frame.stamp_ns)
                self._publish(replace(frame, frame_id=self._frame_id, captured_ns=captured_ns))

    def _publish(self, frame: Frame) -> None:
        stamp_ns, frame_id = frame.stamp_ns, frame.frame_id
        try:
            self._frames.publish(frame)
        except FrameError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
        self._info.publish(self._intrinsics.message_of(frame))
        if self._compressed.get_subscription_count():
            quality = [cv2.IMWRITE_JPEG_QUALITY, self._config.jpeg_quality]
            _, jpeg = cv2.imencode(".jpg", frame.image, quality)
            self._compressed.publish(
                conversions.to_compressed_image(jpeg.tobytes(), stamp_ns, frame_id)
            )

    def _change(self, changed: CameraSettings) -> None:
        self._config = changed

    def _check(self) -> Health:
        status = self._reader.status
        figures = {
            "frames": status.frames,
            "frames_per_s": status.frames - self._frames_before,
            "dropped": status.dropped,
            "reconnects": status.reconnects,
        }
        self._frames_before = status.frames
        if status.last_error != self._last_error:
            self.get_logger().error(status.last_error)
            self._last_error = status.last_error
        refusal = self._intrinsics.refusal
        if refusal != self._last_refusal:
            self._last_refusal = refusal
            if refusal:
                self.get_logger().error(f"{self._config.calibration_file}: {refusal}")
        if status.has_ended:
            return Health.warn(status.last_error or "the source has ended", **figures)
        if not status.is_connected:
            return Health.error(status.last_error or "connecting", **figures)
        if refusal:
            return Health.error(f"uncalibrated: {refusal}", **figures)
        return Health.ok(self._source_label, **figures)


main = NodeProgram(CameraNode, (SemanticDetectionError,))

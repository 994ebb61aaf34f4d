"""`csi:0`: a camera on the Jetson's CSI connector, through its image processor.

csi:0?width=1920&height=1080&fps=30&flip=2      flip as in nvvidconv's flip-method
"""

from __future__ import annotations

import cv2

from semantic_detection_pkg.camera.core.uri import CameraUri, integer
from semantic_detection_pkg.camera.sources.capture import CaptureSource
from semantic_detection_pkg.camera.sources.opencv_decoder import OpenCvDecoder, open_capture
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.common.opencv_build import has_gstreamer
from semantic_detection_pkg.errors import ConfigurationError

_OPTIONS = {
    "width": integer(1, 8192),
    "height": integer(1, 8192),
    "fps": integer(1, 240),
    "flip": integer(0, 7),
}
_DEFAULTS = {"width": 1920, "height": 1080, "fps": 30, "flip": 0}


def pipeline(uri: CameraUri) -> str:
    """Return the GStreamer pipeline that delivers the newest picture as BGR.

    Raises:
        ConfigurationError: the sensor is no number or an option is wrong.
    """
    options = _DEFAULTS | uri.read_options(_OPTIONS)
    try:
        sensor = integer(0, 9)(uri.target)
    except ValueError as error:
        raise ConfigurationError(f"{uri.label}: the sensor {error}") from None
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! "
        f"video/x-raw(memory:NVMM),width={options['width']},height={options['height']},"
        f"framerate={options['fps']}/1,format=NV12 ! "
        f"nvvidconv flip-method={options['flip']} ! video/x-raw,format=BGRx ! "
        "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `csi:`.

    Raises:
        ConfigurationError: this OpenCV has no GStreamer, or the URI is wrong.
        SourceLostError: the camera is not there.
    """
    text = pipeline(uri)
    if not has_gstreamer():
        raise ConfigurationError(
            f"{uri.label}: this OpenCV ({cv2.__version__}) is built without GStreamer, which csi: "
            "needs; sudo apt-get install python3-opencv and make setup, or use the container"
        )
    capture = open_capture(text, cv2.CAP_GSTREAMER, uri.label)
    return CaptureSource(OpenCvDecoder(capture), uri.label, clock_ns)

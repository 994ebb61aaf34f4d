"""`device:0`, `device:/dev/video0`: a V4L2 camera.

device:0?width=1280&height=720&fps=30&fourcc=MJPG
"""

from __future__ import annotations

import re

import cv2

from semantic_detection_pkg.camera.core.uri import CameraUri, integer, number
from semantic_detection_pkg.camera.sources.capture import CaptureSource
from semantic_detection_pkg.camera.sources.opencv_decoder import OpenCvDecoder, open_capture
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.errors import ConfigurationError


def _fourcc(text: str) -> int:
    if not re.fullmatch(r"[ -~]{4}", text):
        raise ValueError("must be four letters such as MJPG")
    return cv2.VideoWriter.fourcc(*text)


# In the order in which V4L2 wants them set: the format decides which sizes and rates there are.
_PROPERTIES = {
    "fourcc": (cv2.CAP_PROP_FOURCC, _fourcc),
    "width": (cv2.CAP_PROP_FRAME_WIDTH, integer(1, 16384)),
    "height": (cv2.CAP_PROP_FRAME_HEIGHT, integer(1, 16384)),
    "fps": (cv2.CAP_PROP_FPS, number(0.1, 1000.0)),
}


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `device:`. The driver may choose another size or rate than asked for.

    Raises:
        ConfigurationError: the target is no device name or an option is wrong.
        SourceLostError: the device is not there.
    """
    options = uri.read_options({name: convert for name, (_, convert) in _PROPERTIES.items()})
    if re.fullmatch(r"[0-9]{1,3}", uri.target):
        target: str | int = int(uri.target)
    elif uri.target.startswith("/dev/"):
        target = uri.target
    else:
        raise ConfigurationError(f"{uri.label}: must be a number or a path such as /dev/video0")
    capture = open_capture(target, cv2.CAP_V4L2, uri.label)
    for name, (property_id, _) in _PROPERTIES.items():
        if name in options:
            capture.set(property_id, options[name])
    # The newest picture, not the oldest of a queue; drivers that know no such setting ignore it.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return CaptureSource(OpenCvDecoder(capture), uri.label, clock_ns)

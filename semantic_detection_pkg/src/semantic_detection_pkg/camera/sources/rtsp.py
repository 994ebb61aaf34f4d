"""`rtsp://user:password@host:554/path`: a network stream over TCP.

rtsp://192.168.144.25:8554/main.264#timeout=5    seconds to open, and without a frame
"""

from __future__ import annotations

import cv2

from semantic_detection_pkg.camera.core.uri import CameraUri, number
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.camera.sources.video import CaptureSource, open_capture
from semantic_detection_pkg.errors import ConfigurationError

_DEFAULT_TIMEOUT_S = 5.0


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `rtsp://`.

    Raises:
        ConfigurationError: the address or an option is wrong.
        SourceLostError: nobody answers there, or not with a video.
    """
    options = uri.read_options({"timeout": number(0.1, 600.0)})
    if not uri.target.startswith("rtsp://"):
        raise ConfigurationError(f"{uri.label}: must have the form rtsp://HOST/PATH")
    timeout_ms = round(1e3 * options.get("timeout", _DEFAULT_TIMEOUT_S))
    parameters = (
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        timeout_ms,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        timeout_ms,
    )
    capture = open_capture(uri.target, cv2.CAP_FFMPEG, uri.label, parameters)
    return CaptureSource(capture, uri.label, clock_ns)

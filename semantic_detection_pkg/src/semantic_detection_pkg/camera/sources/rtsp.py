"""`rtsp://user:password@host:554/path`: a network stream.

rtsp://192.168.144.25:8554/main.264#timeout=5    seconds to open, and without a frame
rtsp://192.168.144.25:8554/main.264#transport=udp    for cameras that know no TCP
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import cv2

from semantic_detection_pkg.camera.core.uri import CameraUri, number
from semantic_detection_pkg.camera.sources.rtsp_probe import why_not
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.camera.sources.video import CaptureSource, open_capture
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError

_DEFAULT_TIMEOUT_S = 5.0
_TRANSPORTS = ("tcp", "udp")
#: How OpenCV's FFmpeg back end takes options; it reads them at each opening.
_OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_environment = threading.Lock()


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `rtsp://`.

    Raises:
        ConfigurationError: the address or an option is wrong.
        SourceLostError: nobody answers there, or not with a video; the message says why.
    """
    options = uri.read_options({"timeout": number(0.1, 600.0), "transport": _transport})
    if not uri.target.startswith("rtsp://"):
        raise ConfigurationError(f"{uri.label}: must have the form rtsp://HOST/PATH")
    timeout_s = options.get("timeout", _DEFAULT_TIMEOUT_S)
    transport = options.get("transport", "tcp")
    timeout_ms = round(1e3 * timeout_s)
    parameters = (
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        timeout_ms,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        timeout_ms,
    )
    try:
        with _ffmpeg_options(f"rtsp_transport;{transport}"):
            capture = open_capture(uri.target, cv2.CAP_FFMPEG, uri.label, parameters)
    except SourceLostError:
        reason = why_not(uri.target, timeout_s)
        raise SourceLostError(
            f"{uri.label}: {reason or f'answers, but no picture came over {transport}'}"
        ) from None
    return CaptureSource(capture, uri.label, clock_ns)


def _transport(text: str) -> str:
    if text not in _TRANSPORTS:
        raise ValueError(f"must be one of {', '.join(_TRANSPORTS)}")
    return text


@contextlib.contextmanager
def _ffmpeg_options(options: str) -> Iterator[None]:
    """Give FFmpeg options for what is opened inside; what the user set himself goes first."""
    with _environment:
        before = os.environ.get(_OPTIONS_VARIABLE)
        os.environ[_OPTIONS_VARIABLE] = f"{options}|{before}" if before else options
        try:
            yield
        finally:
            if before is None:
                del os.environ[_OPTIONS_VARIABLE]
            else:
                os.environ[_OPTIONS_VARIABLE] = before

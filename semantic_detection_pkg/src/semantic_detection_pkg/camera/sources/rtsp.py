"""`rtsp://user:password@host:554/path`: a network stream.

rtsp://192.168.144.25:8554/main.264#timeout=5    seconds to open, and without a frame
rtsp://192.168.144.25:8554/main.264#transport=udp    for cameras that know no TCP
"""

from __future__ import annotations

from semantic_detection_pkg.camera.core.uri import CameraUri, check_address, number
from semantic_detection_pkg.camera.sources.capture import CaptureSource
from semantic_detection_pkg.camera.sources.decoding import open_decoder
from semantic_detection_pkg.camera.sources.rtsp_probe import why_not
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.errors import SourceLostError

_DEFAULT_TIMEOUT_S = 5.0
_TRANSPORTS = ("tcp", "udp")
#: Frames as they arrive; the rate, which would cost two seconds at each opening, nobody needs.
_FFMPEG_OPTIONS = {"fflags": "nobuffer", "flags": "low_delay", "fpsprobesize": "0"}


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `rtsp://`.

    Raises:
        ConfigurationError: the address or an option is wrong.
        SourceLostError: nobody answers there, or not with a video; the message says why.
    """
    options = uri.read_options({"timeout": number(0.1, 600.0), "transport": _transport})
    check_address(uri)
    timeout_s = options.get("timeout", _DEFAULT_TIMEOUT_S)
    transport = options.get("transport", "tcp")
    try:
        decoder = open_decoder(
            uri.target,
            uri.label,
            timeout_s=timeout_s,
            options=_FFMPEG_OPTIONS | {"rtsp_transport": transport},
        )
    except SourceLostError:
        reason = why_not(uri.target, min(timeout_s, _DEFAULT_TIMEOUT_S))
        raise SourceLostError(
            f"{uri.label}: {reason or f'answers, but no picture came over {transport}'}"
        ) from None
    return CaptureSource(decoder, uri.label, clock_ns)


def _transport(text: str) -> str:
    if text not in _TRANSPORTS:
        raise ValueError(f"must be one of {', '.join(_TRANSPORTS)}")
    return text

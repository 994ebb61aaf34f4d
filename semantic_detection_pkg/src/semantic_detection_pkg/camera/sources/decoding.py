"""What decodes a video: PyAV where it is installed, OpenCV elsewhere, behind one protocol.

OpenCV's builds differ, and none says what a stream's frames are: where a stream changes its size,
those with FFmpeg 5 and later go on with old or torn pictures (opencv/opencv issue 27116). PyAV
gives each frame as it is. Its wheels hold x264 and x265 (GPL), so that it can be left out.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)


class VideoDecoder(Protocol):
    """An opened video. Used by one thread.

    Attributes:
        time_s: of the newest frame, in the video's own time [s]; NaN: not known.
        rate_hz: as the video says; 0: it does not.
        rotation_deg: by which its pictures are to be turned clockwise, as the container says; 0,
            90, 180 or 270.
        loss: why a stream is lost, where that is known; else empty.
    """

    time_s: float
    rate_hz: float
    rotation_deg: int
    loss: str

    def advance(self) -> bool:
        """Decode the next frame; False at the end, and where a stream is lost."""

    def picture(self, memory: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """Return the newest frame, (height, width, 3) BGR, as stored.

        Args:
            memory: where it is written if size and type fit.

        Raises:
            FrameError: it cannot be converted.
        """

    def close(self) -> None:
        """Free everything; may be called again."""


@functools.cache
def has_av() -> bool:
    """Return whether PyAV is installed, and loads."""
    try:
        importlib.import_module("av")
    except ImportError:
        return False
    return True


def open_decoder(
    target: str, name: str, *, timeout_s: float = 0.0, options: Mapping[str, str] | None = None
) -> VideoDecoder:
    """Open a video file, or a stream by its address.

    Args:
        name: for messages; `target` may hold a password.
        timeout_s: of a stream, for the connection and without a frame; 0: a file, that has none.
        options: of FFmpeg.

    Raises:
        SourceLostError: it does not open.
    """
    if has_av():
        from semantic_detection_pkg.camera.sources.av_decoder import AvDecoder

        return AvDecoder(target, name, timeout_s, options or {})
    from semantic_detection_pkg.camera.sources.opencv_decoder import OpenCvDecoder

    _say_what_opencv_cannot()
    return OpenCvDecoder.open(target, name, timeout_s, options or {})


@functools.cache
def _say_what_opencv_cannot() -> None:
    _log.warning(
        "PyAV (av) is not installed: OpenCV decodes videos and streams, and may go on with an old "
        "picture when a stream changes its size"
    )

"""`file:VIDEO`: a video file through OpenCV, and what all `cv2.VideoCapture` sources share.

file:flight.mp4?rate=source    at the file's own rate (the default)
file:flight.mp4?rate=max       each frame as soon as the last one was taken, none dropped
file:flight.mp4?rate=15        at 15 frames per second
file:flight.mp4?loop=1         again from the start at its end
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.camera.core.uri import CameraUri, flag
from semantic_detection_pkg.camera.sources.pacing import Pacing, parse_rate
from semantic_detection_pkg.camera.sources.source import Allocate, ClockNs, FrameSource, Shot
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError

# Read once by FFmpeg's first user in the process: our own line says what went wrong.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.setLogLevel(0)  # likewise OpenCV's


class CaptureSource:
    """A `FrameSource` over `cv2.VideoCapture`; pictures are written into what `allocate` gives."""

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        clock_ns: ClockNs,
        *,
        pacing: Pacing | None = None,
        ends: bool = False,
        loop: bool = False,
    ) -> None:
        """Take an opened capture.

        Args:
            capture: which `close` releases.
            name: for messages.
            clock_ns: stamps each frame when it is there.
            pacing: left out: the camera keeps its own time.
            ends: no further frame is the end, not a loss.
            loop: at the end begin again; needs `ends`.
        """
        pacing = pacing or Pacing()
        self.name = name
        self.period_s = pacing.period_s
        self.waits_for_consumer = pacing.waits_for_consumer
        self._capture = capture
        self._clock_ns = clock_ns
        self._ends = ends
        self._loop = loop
        self.allocate: Allocate = _ordinary_memory
        self._size: tuple[int, int] | None = None

    def read(self) -> Shot | None:
        """See `FrameSource`."""
        try:
            # OpenCV takes the memory where size and type fit, and other memory where they do not.
            memory = self.allocate(*self._size) if self._size is not None else None
            is_read, image = self._capture.read(memory)
            if not is_read and self._loop:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                is_read, image = self._capture.read(memory)
        except cv2.error as error:
            reason = " ".join(str(error).split())
            raise SourceLostError(f"{self.name}: reading failed: {reason}") from error
        if is_read:
            self._size = image.shape[:2]
            return Shot(image, self._clock_ns())
        if self._ends:
            return None
        raise SourceLostError(f"{self.name}: no frame arrived; the camera is gone or stalled")

    def close(self) -> None:
        """See `FrameSource`."""
        self._capture.release()


def _ordinary_memory(height: int, width: int) -> NDArray[np.uint8]:
    return np.empty((height, width, 3), np.uint8)


def open_capture(
    target: str | int, backend: int, name: str, parameters: Sequence[int] = ()
) -> cv2.VideoCapture:
    """Open what OpenCV calls a capture.

    Args:
        target: file, address, pipeline or index.
        backend: one of `cv2.CAP_*`.
        name: for messages.
        parameters: property, value, property, value, ...

    Raises:
        SourceLostError: it does not open.
    """
    capture = cv2.VideoCapture(target, backend, list(parameters))
    if not capture.isOpened():
        capture.release()
        raise SourceLostError(f"{name}: cannot be opened")
    return capture


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `file:`.

    Raises:
        ConfigurationError: the file is missing, no video, or an option is wrong.
    """
    options = uri.read_options({"loop": flag, "rate": parse_rate})
    path = Path(uri.target)
    if not path.is_file():
        raise ConfigurationError(f"{uri.label}: there is no such file")
    try:
        capture = open_capture(str(path), cv2.CAP_FFMPEG, uri.label)
    except SourceLostError:
        raise ConfigurationError(f"{uri.label}: is not a video that OpenCV can read") from None
    pacing = Pacing.choose(options.get("rate", "source"), capture.get(cv2.CAP_PROP_FPS))
    return CaptureSource(
        capture, uri.label, clock_ns, pacing=pacing, ends=True, loop=options.get("loop", False)
    )

"""A `VideoDecoder` by OpenCV's FFmpeg, and how all that OpenCV opens is opened."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import FrameError, SourceLostError

# Read once by FFmpeg's first user in the process: our own line says what went wrong.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.setLogLevel(0)  # likewise OpenCV's
#: How OpenCV's FFmpeg back end takes options; it reads them at each opening.
_OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_environment = threading.Lock()


class OpenCvDecoder:
    """See `VideoDecoder`."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        """Take an opened capture of a camera, which `close` releases.

        It is asked for nothing but frames: OpenCV's GStreamer (4.6) stops the pipeline to set a
        property, also one that it does not know.
        """
        self._capture = capture
        self._is_video = False
        self.loss = ""
        self.rotation_deg = 0
        self.rate_hz = 0.0
        self.time_s = math.nan

    @classmethod
    def open(
        cls, target: str, name: str, timeout_s: float, options: Mapping[str, str]
    ) -> OpenCvDecoder:
        """Open what `open_decoder` names, by FFmpeg."""
        limit_ms = round(1e3 * timeout_s)
        limited = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        limits = [value for name_id in limited for value in (name_id, limit_ms)]
        with _ffmpeg_options("|".join(f"{key};{value}" for key, value in options.items())):
            capture = open_capture(target, cv2.CAP_FFMPEG, name, limits if limit_ms else ())
        decoder = cls(capture)
        decoder._is_video = True
        # What some builds do by themselves, and others do not, is ours to do.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        rotation_deg = capture.get(cv2.CAP_PROP_ORIENTATION_META)
        decoder.rotation_deg = round(rotation_deg / 90) % 4 * 90
        decoder.rate_hz = capture.get(cv2.CAP_PROP_FPS)
        return decoder

    def advance(self) -> bool:
        """See `VideoDecoder`."""
        try:
            is_there = bool(self._capture.grab())
        except cv2.error:
            is_there = False
        if self._is_video:
            time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3 if is_there else math.nan
            # A stream without times has 0 for all of them.
            self.time_s = time_s if time_s > 0.0 or math.isnan(self.time_s) else math.nan
        return is_there

    def picture(self, memory: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """See `VideoDecoder`."""
        try:
            # OpenCV takes the memory where size and type fit, and other memory where they do not.
            is_there, image = self._capture.retrieve(memory)
        except cv2.error as error:
            raise FrameError(
                f"a frame cannot be converted: {' '.join(str(error).split())}"
            ) from error
        if not is_there:
            raise FrameError("a frame cannot be converted")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        """See `VideoDecoder`."""
        self._capture.release()


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


@contextlib.contextmanager
def _ffmpeg_options(options: str) -> Iterator[None]:
    """Give FFmpeg options for what is opened inside; what the user set himself goes first."""
    with _environment:
        before = os.environ.get(_OPTIONS_VARIABLE)
        parts = [one for one in (options, before) if one]
        if parts:
            os.environ[_OPTIONS_VARIABLE] = "|".join(parts)
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(_OPTIONS_VARIABLE, None)
            else:
                os.environ[_OPTIONS_VARIABLE] = before

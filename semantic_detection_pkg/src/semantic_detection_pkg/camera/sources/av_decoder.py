"""A `VideoDecoder` by PyAV."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping

import av
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.errors import FrameError, SourceLostError

_DAMAGED_MAX = 1000  # packets in a row that cannot be decoded: then there is no video in it
#: A stream's frames say all that is needed: looking ahead [us] would delay each opening.
_STREAM_OPTIONS = {"analyzeduration": "200000"}


class AvDecoder:
    """See `VideoDecoder`."""

    def __init__(
        self, target: str, name: str, timeout_s: float, options: Mapping[str, str]
    ) -> None:
        """Open what `open_decoder` names."""
        self.time_s = math.nan
        self._frame: av.VideoFrame | None = None
        self._timeout_s = timeout_s
        self._waiting_since_s = 0.0
        self.loss = ""
        is_stream = timeout_s > 0.0
        if is_stream:
            options = _STREAM_OPTIONS | dict(options)
        try:
            # None: no limit. Python's own codec of broken metadata must not end us.
            self._container = av.open(
                target,
                options=dict(options),
                timeout=timeout_s if is_stream else None,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceLostError(f"{name}: cannot be opened: {_reason(error)}") from None
        stream = self._container.streams.best("video")  # not a picture that goes with it
        if not isinstance(stream, av.VideoStream):
            self._container.close()
            raise SourceLostError(f"{name}: holds no video")
        self._stream = stream
        # Threads by frame are faster and hold frames back.
        self._stream.thread_type = "SLICE" if is_stream else "AUTO"
        rate = self._stream.guessed_rate or self._stream.average_rate
        self.rate_hz = float(rate) if rate else 0.0
        self.rotation_deg = 0
        self._frames = self._decode()

    def advance(self) -> bool:
        """See `VideoDecoder`."""
        self._waiting_since_s = time.monotonic()
        self._frame = next(self._frames, None)
        if self._frame is None:
            return False
        # At a time-out FFmpeg first hands out what its parser held back, and waits once more.
        if self._is_overdue():
            self._frame = None
            return False
        time_s = self._frame.time
        self.time_s = math.nan if time_s is None else float(time_s)
        self.rotation_deg = round(-self._frame.rotation / 90) % 4 * 90
        return True

    def picture(self, memory: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """See `VideoDecoder`."""
        if self._frame is None:
            raise FrameError("there is no frame")
        try:
            image = np.asarray(self._frame.to_ndarray(format="bgr24"), np.uint8)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise FrameError(f"a frame cannot be converted: {_reason(error)}") from None
        if memory is None or memory.shape != image.shape:
            return image
        np.copyto(memory, image)
        return memory

    @property
    def span_s(self) -> tuple[float, float]:
        """Return the times of a file's first frame and of its end, as its container says [s].

        NaN where it does not.
        """
        stream, base = self._stream, self._stream.time_base
        if base is not None and stream.start_time is not None and stream.duration is not None:
            start_s = float(stream.start_time * base)
            return start_s, start_s + float(stream.duration * base)
        start, duration = self._container.start_time, self._container.duration
        if start is None or duration is None:
            return math.nan, math.nan
        return start / av.time_base, (start + duration) / av.time_base

    @property
    def begun(self) -> str:
        """Return when a file was begun, as its container says; empty: it does not."""
        return str(self._container.metadata.get("creation_time", ""))

    def seek(self, time_s: float) -> bool:
        """Go on from a key frame at or before a time of a file [s]; False: it cannot."""
        self._frames.close()
        try:
            self._container.seek(round(time_s * av.time_base), backward=True)
        except (av.FFmpegError, ValueError, OverflowError):
            return False
        self._frames = self._decode()
        return True

    def close(self) -> None:
        """See `VideoDecoder`."""
        self._frames.close()
        self._container.close()

    def _is_overdue(self) -> bool:
        return 0.0 < self._timeout_s <= time.monotonic() - self._waiting_since_s

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """Go through the frames; a damaged packet costs its frame, as in players."""
        damaged = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    for frame in packet.decode():
                        damaged = 0
                        yield frame
                except av.InvalidDataError:
                    damaged += 1
                    if damaged > _DAMAGED_MAX:
                        return
                if self._is_overdue():
                    self.loss = "sends a video, but no key frame, with which pictures begin"
                    return
        except av.FFmpegError:
            return  # the end of what can be read: a cut file, a stream that is gone


def _reason(error: BaseException) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split()).lower()

"""`file:VIDEO`: a video file.

file:flight.mp4?rate=source    at its own times (the default), however uneven they are
file:flight.mp4?rate=15        at 15 frames per second
file:flight.mp4?rate=max       as fast as it can be decoded and sent; who is slower misses frames
file:flight.mp4?loop=1         again from the start at its end
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.camera.core.uri import CameraUri, flag
from semantic_detection_pkg.camera.sources.decoding import VideoDecoder, open_decoder
from semantic_detection_pkg.camera.sources.display_matrix import orientation_of
from semantic_detection_pkg.camera.sources.pacing import Pacing, parse_rate
from semantic_detection_pkg.camera.sources.source import (
    Allocate,
    ClockNs,
    FrameSource,
    Shot,
    ordinary_memory,
)
from semantic_detection_pkg.common.pictures import turned
from semantic_detection_pkg.errors import ConfigurationError, FrameError, SourceLostError

#: A longer gap between two frames is passed over: files that were joined, a recorder's clock.
_LONGEST_GAP_S = 60.0
#: EXIF's orientation of what is to be turned clockwise by so many degrees.
_ORIENTATION_OF_DEG = {0: 1, 90: 6, 180: 3, 270: 8}


class VideoFileSource:
    """A `FrameSource` over a file, one frame ahead: so each frame's own duration is known."""

    def __init__(
        self, path: Path, name: str, clock_ns: ClockNs, rate: float | str, loop: bool
    ) -> None:
        """Open the file and decode its first frame.

        Args:
            path: of the file.
            name: for messages.
            clock_ns: stamps each frame.
            rate: as `parse_rate` returns it.
            loop: at the end begin again.

        Raises:
            ConfigurationError: it is no video, or not one frame of it can be decoded.
        """
        self.name = name
        self.allocate: Allocate = ordinary_memory
        self._path = path
        self._clock_ns = clock_ns
        self._loop = loop
        self._size: tuple[int, int] | None = None
        self._has_next = False
        try:
            self._open()
        except SourceLostError:
            raise ConfigurationError(f"{name}: is not a video that can be read") from None
        if not self._has_next:
            self.close()
            raise ConfigurationError(f"{name}: the source ended without a frame; is it damaged?")
        self._pacing = Pacing.choose(rate, self._decoder.rate_hz)
        self._keeps_own_times = rate == "source"
        self._orientation = orientation(path, self._decoder)
        self.period_s = self._pacing.period_s
        self.waits_for_consumer = self._pacing.waits_for_consumer

    def read(self) -> Shot | None:
        """See `FrameSource`."""
        if not self._has_next and self._loop:
            self.close()
            self._open()  # not a seek: elementary and transport streams know none
        if not self._has_next:
            return None
        time_s = self._decoder.time_s
        try:
            image = self._picture()
        except FrameError as error:
            raise ConfigurationError(f"{self.name}: {error}") from error
        self._has_next = self._decoder.advance()
        if self._keeps_own_times:
            self.period_s = self._duration_s(time_s)
        return Shot(image, self._clock_ns())

    def close(self) -> None:
        """See `FrameSource`."""
        self._decoder.close()

    def _open(self) -> None:
        self._decoder = open_decoder(str(self._path), self.name)
        self._has_next = self._decoder.advance()

    def _picture(self) -> NDArray[np.uint8]:
        if self._orientation == 1:
            memory = self.allocate(*self._size) if self._size is not None else None
            image = self._decoder.picture(memory)
        else:
            upright = turned(self._decoder.picture(None), self._orientation)
            image = self.allocate(*upright.shape[:2])
            np.copyto(image, upright)
        self._size = (image.shape[0], image.shape[1])
        return image

    def _duration_s(self, time_s: float) -> float | None:
        """Return how long the frame of a time is shown: until the next one, which is decoded."""
        gap_s = self._decoder.time_s - time_s if self._has_next else math.nan
        return gap_s if 0.0 < gap_s <= _LONGEST_GAP_S else self._pacing.period_s


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `file:`.

    Raises:
        ConfigurationError: the file is missing, no video, or an option is wrong.
    """
    options = uri.read_options({"loop": flag, "rate": parse_rate})
    path = Path(uri.target)
    if not path.is_file():
        raise ConfigurationError(f"{uri.label}: there is no such file")
    return VideoFileSource(
        path, uri.label, clock_ns, options.get("rate", "source"), options.get("loop", False)
    )


def orientation(path: Path, decoder: VideoDecoder) -> int:
    """Return how pictures are to be turned, as EXIF says it: the file's own word goes first."""
    try:
        told = orientation_of(path)
    except OSError:
        told = None
    return told or _ORIENTATION_OF_DEG[decoder.rotation_deg]

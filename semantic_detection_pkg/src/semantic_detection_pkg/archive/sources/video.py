"""Video files, with their own times from when they were taken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from semantic_detection_pkg.archive.core.question import Unit
from semantic_detection_pkg.archive.core.surroundings import UNKNOWN_HFOV_RAD, Surroundings
from semantic_detection_pkg.archive.sources.source import RecordedShot, known_time_ns
from semantic_detection_pkg.camera.sources.decoding import VideoDecoder, open_decoder
from semantic_detection_pkg.camera.sources.video import orientation
from semantic_detection_pkg.common.kernels.crops import encode_jpeg
from semantic_detection_pkg.common.pictures import turned
from semantic_detection_pkg.errors import ConfigurationError, FrameError, SourceLostError

KIND = "video"
SUFFIXES = frozenset(
    {".3gp", ".avi", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
)
_UNIT_NS = 5_000_000_000
_BEFORE_S = 2.0  # a key frame that is found may be shown a little later than it is decoded
_FIRST, _LAST = -(1 << 62), 1 << 62
_DEFAULT_HZ = 25.0  # of a stream that tells neither times nor rate
_JPEG_QUALITY = 95
_NS_PER_S = 1e9


class VideoSource:
    """See `RecordedSource`; counted by the video's own time [ns]."""

    def __init__(self, path: Path, hfov_rad: float = 0.0) -> None:
        """Open a video.

        Args:
            hfov_rad: of the lens; 0: unknown.

        Raises:
            ConfigurationError: it is none, or not one frame of it can be decoded.
        """
        self.label = f"video {path}"
        self._path = path
        self._hfov_rad = hfov_rad
        try:
            decoder = open_decoder(str(path), self.label)
        except SourceLostError:
            raise ConfigurationError(f"{self.label} is not a video that can be read") from None
        try:
            if not decoder.advance():
                raise ConfigurationError(f"{self.label} has no frame that can be decoded")
            self._orientation = orientation(path, decoder)
            self._rate_hz = decoder.rate_hz or _DEFAULT_HZ
            self._has_times = math.isfinite(decoder.time_s)
            # PyAV finds places in a file; without it all is one unit.
            self._span_s: tuple[float, float] = getattr(decoder, "span_s", (math.nan, math.nan))
            begin_s = self._span_s[0] if math.isfinite(self._span_s[0]) else 0.0
            self._begin_ns = round(begin_s * _NS_PER_S)  # where a player's clock is 0
            begun_ns = _begun_ns(getattr(decoder, "begun", ""))
            self._origin_ns = known_time_ns(begun_ns, path.stat().st_mtime_ns)
        finally:
            decoder.close()

    def close(self) -> None:
        """See `RecordedSource`."""

    def units(self) -> Sequence[Unit]:
        """See `RecordedSource`; of a video without times or length there is one."""
        edges = [_FIRST, _LAST]
        start_s, end_s = self._span_s
        length_s = end_s - start_s
        if self._has_times and 0.0 < length_s < math.inf:
            parts = max(1, math.ceil(length_s * _NS_PER_S / _UNIT_NS))
            first_ns = round(start_s * _NS_PER_S)
            edges = [_FIRST, *(first_ns + _UNIT_NS * i for i in range(1, parts)), _LAST]
        else:
            length_s = 1.0
        weight = max(1, round(length_s * self._rate_hz / (len(edges) - 1)))
        status = self._path.stat()
        identity = f"{self._path.name}:{status.st_size}:{status.st_mtime_ns}"
        path = str(self._path)
        return [
            Unit(KIND, path, "", 0, start, stop, identity, weight, self._origin_ns)
            for start, stop in zip(edges, edges[1:], strict=False)
        ]

    def shots(self, unit: Unit) -> Iterator[RecordedShot]:
        """See `RecordedSource`."""
        decoder = self._open_at(unit.start)
        try:
            for time_ns in self._times(decoder):
                if time_ns >= unit.stop:
                    # Frames come in the order of their times.
                    return
                if time_ns < unit.start:
                    continue
                stamp_ns = unit.origin_ns + time_ns
                try:
                    image = turned(decoder.picture(None), self._orientation)
                except FrameError as error:
                    yield RecordedShot(time_ns, stamp_ns, None, f"{self.label}: {error}")
                else:
                    yield RecordedShot(time_ns, stamp_ns, image)
        finally:
            decoder.close()

    def jpeg(self, unit: Unit, place: int, stamp_ns: int) -> bytes:  # noqa: ARG002
        """See `RecordedSource`."""
        decoder = self._open_at(place if self._has_times else _FIRST)
        try:
            for time_ns in self._times(decoder):
                if time_ns == place:
                    image = turned(decoder.picture(None), self._orientation)
                    return encode_jpeg(image, _JPEG_QUALITY)
        finally:
            decoder.close()
        raise FrameError(f"{self.label}: the frame at {place / _NS_PER_S:.3f} s is not there")

    def told_place(self, unit: Unit, place: int) -> str:  # noqa: ARG002
        """See `RecordedSource`."""
        minutes, seconds = divmod((place - self._begin_ns) / _NS_PER_S, 60.0)
        return f"{self._path} at {int(minutes)}:{seconds:06.3f}"

    def surroundings(self, scene: str) -> Surroundings:  # noqa: ARG002
        """See `RecordedSource`."""
        return Surroundings(hfov_rad=self._hfov_rad or UNKNOWN_HFOV_RAD)

    def _open_at(self, start_ns: int) -> VideoDecoder:
        """Return a decoder whose next frame is not after a time."""
        decoder = self._open()
        seek = getattr(decoder, "seek", None)
        if start_ns == _FIRST or seek is None:
            return decoder
        from_s = start_ns / _NS_PER_S - _BEFORE_S
        if seek(from_s) and decoder.advance() and decoder.time_s * _NS_PER_S <= start_ns:
            seek(from_s)
            return decoder
        # Where a container's index leads too far, all is decoded from the beginning.
        decoder.close()
        return self._open()

    def _open(self) -> VideoDecoder:
        try:
            return open_decoder(str(self._path), self.label)
        except SourceLostError:
            raise ConfigurationError(f"{self.label} cannot be read any more") from None

    def _times(self, decoder: VideoDecoder) -> Iterator[int]:
        """Advance, and yield the time of each frame [ns]."""
        number, last_ns = 0, _FIRST
        while decoder.advance():
            time_s = decoder.time_s if self._has_times else number / self._rate_hz
            number += 1
            if not math.isfinite(time_s):
                continue
            time_ns = round(time_s * _NS_PER_S)
            if time_ns > last_ns:
                last_ns = time_ns
                yield time_ns


def _begun_ns(text: str) -> int:
    """Return when a video was begun, as its metadata say [ns]; 0: they do not."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0, round(moment.timestamp() * _NS_PER_S))

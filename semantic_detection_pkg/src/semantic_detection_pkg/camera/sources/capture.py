"""A camera that keeps its own time: what `device:`, `csi:` and `rtsp:` share."""

from __future__ import annotations

from semantic_detection_pkg.camera.sources.decoding import VideoDecoder
from semantic_detection_pkg.camera.sources.source import Allocate, ClockNs, Shot, ordinary_memory
from semantic_detection_pkg.errors import FrameError, SourceLostError


class CaptureSource:
    """A `FrameSource` over a `VideoDecoder`; pictures are written into what `allocate` gives."""

    period_s: float | None = None
    waits_for_consumer = False

    def __init__(self, decoder: VideoDecoder, name: str, clock_ns: ClockNs) -> None:
        """Take an opened decoder, which `close` closes.

        Args:
            decoder: of the camera.
            name: for messages.
            clock_ns: stamps each frame when it is there.
        """
        self.name = name
        self.allocate: Allocate = ordinary_memory
        self._decoder = decoder
        self._clock_ns = clock_ns
        self._size: tuple[int, int] | None = None

    def read(self) -> Shot:
        """See `FrameSource`."""
        if not self._decoder.advance():
            loss = self._decoder.loss or "no frame arrived; the camera is gone or stalled"
            raise SourceLostError(f"{self.name}: {loss}")
        stamp_ns = self._clock_ns()
        memory = self.allocate(*self._size) if self._size is not None else None
        try:
            image = self._decoder.picture(memory)
        except FrameError as error:
            raise SourceLostError(f"{self.name}: {error}") from error
        self._size = (image.shape[0], image.shape[1])
        return Shot(image, stamp_ns)

    def close(self) -> None:
        """See `FrameSource`."""
        self._decoder.close()

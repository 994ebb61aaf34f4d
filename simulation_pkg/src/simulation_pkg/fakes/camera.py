"""`fake:WIDTHxHEIGHT`: a camera without a device, with switches for what goes wrong with real ones.

    fake:64x48?frames=10&rate=30

Every picture is one grey value: its number modulo 256.
"""

from __future__ import annotations

import re
import threading

import numpy as np

from semantic_detection_pkg.camera.core.uri import CameraUri, integer
from semantic_detection_pkg.camera.sources.pacing import Pacing, parse_rate
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource, Shot
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError


class FakeCamera:
    """A `FrameSource` whose failures are switched on from outside, by any thread.

    Attributes:
        is_gone: `read` and opening raise SourceLostError.
        is_bad: `read` returns a picture of the wrong type.
        is_running: an event; while it is cleared, `read` waits as on a stalled device.
        closed: how often `close` was called.
    """

    def __init__(
        self,
        width: int = 64,
        height: int = 48,
        *,
        frames: int | None = None,
        clock_ns: ClockNs,
        pacing: Pacing | None = None,
    ) -> None:
        """Make a camera of this picture size [px] that ends after `frames` pictures, or never."""
        pacing = pacing or Pacing(waits_for_consumer=True)
        self.name = f"fake:{width}x{height}"
        self.period_s = pacing.period_s
        self.waits_for_consumer = pacing.waits_for_consumer
        self.is_gone = False
        self.is_bad = False
        self.is_running = threading.Event()
        self.is_running.set()
        self.closed = 0
        self._size = (height, width, 3)
        self._frames = frames
        self._clock_ns = clock_ns
        self._count = 0

    def open(self) -> FakeCamera:
        """Return the camera itself, as an opener does.

        Raises:
            SourceLostError: it is gone.
        """
        if self.is_gone:
            raise SourceLostError(f"{self.name}: cannot be opened")
        return self

    def read(self) -> Shot | None:
        """See `FrameSource`."""
        self.is_running.wait()
        if self.is_gone:
            raise SourceLostError(f"{self.name}: no frame arrived; the camera is gone or stalled")
        if self._count == self._frames:
            return None
        dtype = np.float32 if self.is_bad else np.uint8
        image = np.full(self._size, self._count % 256, dtype)
        self._count += 1
        return Shot(image, self._clock_ns())  # type: ignore[arg-type]

    def close(self) -> None:
        """See `FrameSource`."""
        self.closed += 1


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `fake:`.

    Raises:
        ConfigurationError: the size or an option is wrong.
    """
    size = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", uri.target)
    if size is None:
        raise ConfigurationError(f"{uri.label}: must have the form fake:WIDTHxHEIGHT")
    options = uri.read_options({"frames": integer(0, 10**9), "rate": parse_rate})
    return FakeCamera(
        int(size[1]),
        int(size[2]),
        frames=options.get("frames"),
        clock_ns=clock_ns,
        pacing=Pacing.choose(options.get("rate", "source"), 30.0),
    )

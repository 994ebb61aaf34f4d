"""`stripes:WIDTHxHEIGHT`: a camera source of one's own; here stripes that wander.

stripes:640x480?rate=10     pictures a second (15)
"""

from __future__ import annotations

import re

import numpy as np

from semantic_detection_pkg.camera.core.uri import CameraUri, number
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource, Shot
from semantic_detection_pkg.errors import ConfigurationError

_STRIPE_PX = 32


class StripesCamera:
    """A `FrameSource`: the reader calls `read` again and again, `period_s` apart."""

    waits_for_consumer = False

    def __init__(self, name: str, width: int, height: int, rate_hz: float, clock_ns: ClockNs):
        self.name = name
        self.period_s: float | None = 1.0 / rate_hz
        self._size = (height, width, 3)
        self._clock_ns = clock_ns
        self._shift = 0

    def read(self) -> Shot:
        """Return the next picture, BGR, with the time at which it was taken."""
        columns = (np.arange(self._size[1]) + self._shift) // _STRIPE_PX % 2 * 255
        self._shift += 1
        image = np.ascontiguousarray(np.broadcast_to(columns[:, None], self._size), np.uint8)
        return Shot(image, self._clock_ns())

    def close(self) -> None:
        """Give nothing back: there is no device."""


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `stripes:`; called once, or again after a SourceLostError.

    Raises:
        ConfigurationError: the size or an option is wrong; people see its one line.
    """
    size = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", uri.target)
    if size is None:
        raise ConfigurationError(f"{uri.label}: must have the form stripes:WIDTHxHEIGHT")
    options = uri.read_options({"rate": number(0.1, 100.0)})
    rate_hz = float(options.get("rate", 15.0))
    return StripesCamera(uri.label, int(size[1]), int(size[2]), rate_hz, clock_ns)

"""`images:DIR`: the pictures of a folder in natural order (2 before 10).

images:photos?rate=2     two a second; the default is 5
images:photos?rate=max   each as soon as the last one was taken, none dropped
images:photos?loop=1     again from the first after the last
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from semantic_detection_pkg.camera.core.uri import CameraUri, flag
from semantic_detection_pkg.camera.sources.pacing import Pacing, parse_rate
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource, Shot
from semantic_detection_pkg.common.pictures import PICTURE_SUFFIXES, read_picture
from semantic_detection_pkg.errors import ConfigurationError, FrameError

_DEFAULT_HZ = 5.0
_log = logging.getLogger(__name__)


class ImagesSource:
    """A `FrameSource` over picture files. What cannot be decoded is logged and skipped."""

    def __init__(
        self, paths: list[Path], name: str, clock_ns: ClockNs, pacing: Pacing, loop: bool
    ) -> None:
        """Read `paths` in their order; the other arguments are as in `CaptureSource`."""
        self.name = name
        self.period_s = pacing.period_s
        self.waits_for_consumer = pacing.waits_for_consumer
        self._paths = paths
        self._clock_ns = clock_ns
        self._loop = loop
        self._next = 0
        self._has_decoded = False

    def read(self) -> Shot | None:
        """See `FrameSource`.

        Raises:
            ConfigurationError: not one of the pictures could be decoded.
        """
        while True:
            if self._next == len(self._paths):
                if not self._has_decoded:
                    raise ConfigurationError(f"{self.name}: none of its pictures can be decoded")
                if not self._loop:
                    return None
                self._next, self._has_decoded = 0, False
            path = self._paths[self._next]
            self._next += 1
            try:
                image = read_picture(path)
            except FrameError as error:
                _log.warning("%s; skipped", error)
                continue
            self._has_decoded = True
            return Shot(image, self._clock_ns())

    def close(self) -> None:
        """See `FrameSource`."""


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `images:`.

    Raises:
        ConfigurationError: the folder is missing or holds no picture, or an option is wrong.
    """
    options = uri.read_options({"loop": flag, "rate": parse_rate})
    folder = Path(uri.target)
    if not folder.is_dir():
        raise ConfigurationError(f"{uri.label}: is not a folder")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    if not paths:
        raise ConfigurationError(
            f"{uri.label}: holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))})"
        )
    paths.sort(key=lambda path: natural_key(path.name))
    pacing = Pacing.choose(options.get("rate", "source"), _DEFAULT_HZ)
    return ImagesSource(paths, uri.label, clock_ns, pacing, options.get("loop", False))


def natural_key(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Sorts names as people number them: digits by value, letters without case."""
    parts = re.split(r"([0-9]+)", name)
    # Even positions are text, odd ones digits, so equal positions compare alike.
    numbered = tuple(
        (int(part), "") if i % 2 else (0, part.casefold()) for i, part in enumerate(parts)
    )
    return numbered, name

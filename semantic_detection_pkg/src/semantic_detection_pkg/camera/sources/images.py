"""`images:DIR`: the pictures of a folder in natural order (2 before 10).

images:photos?rate=2     two a second; the default is 5
images:photos?rate=max   as fast as they can be decoded and sent; who is slower misses some
images:photos?loop=1     again from the first after the last
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
        """Read `paths` in their order, and the first that can be decoded at once.

        Args:
            paths: of the pictures.
            name: for messages.
            clock_ns: stamps each picture.
            pacing: see `FrameSource`.
            loop: after the last again the first.

        Raises:
            ConfigurationError: not one of the pictures can be decoded.
        """
        self.name = name
        self.period_s = pacing.period_s
        self.waits_for_consumer = pacing.waits_for_consumer
        self._paths = paths
        self._clock_ns = clock_ns
        self._loop = loop
        self._left = iter(paths)
        self._first: NDArray[np.uint8] | None = self._first_of_a_pass()

    def read(self) -> Shot | None:
        """See `FrameSource`.

        Raises:
            ConfigurationError: not one of the pictures can be decoded any more.
        """
        image, self._first = self._first, None
        if image is None:
            image = self._decode_next()
        if image is None and self._loop:
            image = self._first_of_a_pass()
        return None if image is None else Shot(image, self._clock_ns())

    def _first_of_a_pass(self) -> NDArray[np.uint8]:
        self._left = iter(self._paths)
        image = self._decode_next()
        if image is None:
            raise ConfigurationError(f"{self.name}: none of its pictures can be decoded")
        return image

    def _decode_next(self) -> NDArray[np.uint8] | None:
        for path in self._left:
            try:
                return read_picture(path)
            except FrameError as error:
                _log.warning("%s; skipped", error)
        return None

    def close(self) -> None:
        """See `FrameSource`."""


def open_source(uri: CameraUri, clock_ns: ClockNs) -> FrameSource:
    """Open `images:`.

    Raises:
        ConfigurationError: the folder is missing or holds no picture that can be decoded, or an
            option is wrong.
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
    """Return a key that sorts names as people number them: digits by value, no case."""
    parts = re.split(r"([0-9]+)", name)
    # Even positions are text, odd ones digits, so equal positions compare alike.
    numbered = tuple(
        (int(part), "") if i % 2 else (0, part.casefold()) for i, part in enumerate(parts)
    )
    return numbered, name

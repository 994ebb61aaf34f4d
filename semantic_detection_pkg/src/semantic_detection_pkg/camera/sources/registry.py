"""From a URI to an opened camera. A new kind is one line in the table or one call of `register`."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module

from semantic_detection_pkg.cameras.source import (
    Allocate,
    ClockNs,
    FrameSource,
    WritesWhereTold,
)
from semantic_detection_pkg.cameras.uri import CameraUri
from semantic_detection_pkg.errors import ConfigurationError

Opener = Callable[[CameraUri, ClockNs], FrameSource]

# Modules that hold `open_source`, an Opener; imported when the scheme is first asked for.
_MODULES = {
    "images": "semantic_detection_pkg.cameras.images",
    "file": "semantic_detection_pkg.cameras.video",
    "device": "semantic_detection_pkg.cameras.device",
    "rtsp": "semantic_detection_pkg.cameras.rtsp",
    "csi": "semantic_detection_pkg.cameras.csi",
    "sim": "semantic_detection_pkg.cameras.sim",
    "fake": "semantic_detection_pkg.cameras.fake",
}
_openers: dict[str, Opener] = {}


def schemes() -> list[str]:
    """All known schemes, sorted."""
    return sorted({*_MODULES, *_openers})


def register(scheme: str, opener: Opener) -> None:
    """Let `opener` open the URIs of `scheme` from now on."""
    _openers[scheme] = opener


def open_camera(
    uri: str | CameraUri, clock_ns: ClockNs = time.time_ns, allocate: Allocate | None = None
) -> FrameSource:
    """Open the camera that `uri` names.

    Args:
        uri: see `cameras.uri`.
        clock_ns: stamps the pictures.
        allocate: gives the memory of pictures to sources that write where they are told.

    Raises:
        ConfigurationError: the URI, an option or the target can never work; do not try again.
        SourceLostError: the camera is not there now; it may come.
    """
    parsed = uri if isinstance(uri, CameraUri) else CameraUri.parse(uri)
    source = _opener(parsed)(parsed, clock_ns)
    if allocate is not None and isinstance(source, WritesWhereTold):
        source.allocate = allocate
    return source


def _opener(uri: CameraUri) -> Opener:
    if uri.scheme not in _openers:
        if uri.scheme not in _MODULES:
            raise ConfigurationError(
                f"camera source {uri.label}: scheme {uri.scheme!r} is unknown; "
                f"allowed: {', '.join(schemes())}"
            )
        _openers[uri.scheme] = import_module(_MODULES[uri.scheme]).open_source
    return _openers[uri.scheme]

"""Open the camera that a URI names.

A kind of camera is a module with `open_source`, an `Opener`: one line in the table, or an entry
point of another package in the group `semantic_detection.cameras`, named for the scheme. Cameras
that need the graph: `camera.ros.graph_cameras`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from semantic_detection_pkg.camera.core.uri import CameraUri, check_address
from semantic_detection_pkg.camera.sources.source import (
    Allocate,
    ClockNs,
    FrameSource,
    WritesWhereTold,
)
from semantic_detection_pkg.common.plugins import load_plugin, plugin_names
from semantic_detection_pkg.errors import ConfigurationError

Opener = Callable[[CameraUri, ClockNs], FrameSource]

# Modules that hold `open_source`, an Opener; imported when the scheme is first asked for.
_MODULES = {
    "images": "semantic_detection_pkg.camera.sources.images",
    "file": "semantic_detection_pkg.camera.sources.video",
    "device": "semantic_detection_pkg.camera.sources.device",
    "rtsp": "semantic_detection_pkg.camera.sources.rtsp",
    "csi": "semantic_detection_pkg.camera.sources.csi",
}
_GROUP = "semantic_detection.cameras"
#: Schemes of packages of this workspace that need not be installed.
_ELSEWHERE = {"sim": "simulation_pkg", "photo": "simulation_pkg", "fake": "simulation_pkg"}
#: Schemes that the camera node registers itself, since they need its graph.
_IN_GRAPH = frozenset({"ros"})
#: Offered to tests, not to people.
_UNLISTED = {"fake"}
_openers: dict[str, Opener] = {}


def schemes() -> list[str]:
    """Return the schemes that are offered to people, sorted."""
    return sorted({*_MODULES, *_IN_GRAPH, *_openers, *plugin_names(_GROUP)} - _UNLISTED)


def _module_of(scheme: str) -> ModuleType | None:
    """Import the module of a scheme; None where it is unknown.

    Raises:
        ConfigurationError: the package that offers it does not load.
    """
    if scheme in _MODULES:
        return import_module(_MODULES[scheme])
    return load_plugin(_GROUP, scheme)


def register(scheme: str, opener: Opener) -> None:
    """Let `opener` open the URIs of `scheme` from now on."""
    _openers[scheme] = opener


def open_camera(
    uri: str | CameraUri, clock_ns: ClockNs = time.time_ns, allocate: Allocate | None = None
) -> FrameSource:
    """Open the camera that `uri` names.

    Args:
        uri: see `camera.core.uri`.
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


def check_source(text: str) -> None:
    """Check what can be told of a camera URI without opening the camera.

    Raises:
        ConfigurationError: it can never work.
    """
    uri = CameraUri.parse(text)
    if uri.scheme not in {*schemes(), *_UNLISTED}:  # those are not imported for a look
        _opener(uri)
    if uri.scheme == "rtsp":
        check_address(uri)


def _opener(uri: CameraUri) -> Opener:
    if uri.scheme not in _openers:
        module = _module_of(uri.scheme)
        if module is None:
            if uri.scheme in _ELSEWHERE:
                raise ConfigurationError(
                    f"camera source {uri.label}: {uri.scheme}: needs {_ELSEWHERE[uri.scheme]}, "
                    "which is not installed"
                )
            if uri.scheme in _IN_GRAPH:
                raise ConfigurationError(
                    f"camera source {uri.label}: only the camera node can read topics"
                )
            raise ConfigurationError(
                f"camera source {uri.label}: scheme {uri.scheme!r} is unknown; "
                f"allowed: {', '.join(schemes())}"
            )
        _openers[uri.scheme] = module.open_source
    return _openers[uri.scheme]

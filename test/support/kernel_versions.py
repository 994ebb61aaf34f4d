"""Both versions of the kernels of a room, for tests that hold them to one standard."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from semantic_detection_pkg.detector.kernels import is_compiled

needs_compiled = pytest.mark.skipif(
    not is_compiled(), reason="the compiled kernels are not built: make build"
)


def twin(name: str, room: str = "detector"):
    """The module `name` of the NumPy twins."""
    return import_module(f"semantic_detection_pkg.{room}.kernels.twins.{name}")


def compiled(name: str, room: str = "detector"):
    """The module `name` of the compiled kernels; None where they are not built."""
    module = f"semantic_detection_pkg.{room}.kernels.compiled.{name}"
    return import_module(module) if find_spec(module) is not None else None


def versions(name: str, room: str = "detector") -> list:
    """Parameters for a test of the module `name`: the twin and what is compiled."""
    return [
        pytest.param(twin(name, room), id="twin"),
        pytest.param(compiled(name, room), id="compiled", marks=needs_compiled),
    ]

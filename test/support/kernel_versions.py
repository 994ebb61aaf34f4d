"""Both versions of the kernels, for tests that hold them to one standard."""

from importlib import import_module

import pytest

from semantic_detection_pkg.detector.kernels import is_compiled

needs_compiled = pytest.mark.skipif(
    not is_compiled(), reason="the compiled kernels are not built: make build"
)


def twin(name: str):
    """The module `name` of the NumPy twins."""
    return import_module(f"semantic_detection_pkg.detector.kernels.twins.{name}")


def compiled(name: str):
    """The module `name` of the compiled kernels; None where they are not built."""
    module = f"semantic_detection_pkg.detector.kernels.compiled.{name}"
    return import_module(module) if is_compiled() else None


def versions(name: str) -> list:
    """Parameters for a test of the module `name`: the twin and what is compiled."""
    return [
        pytest.param(twin(name), id="twin"),
        pytest.param(compiled(name), id="compiled", marks=needs_compiled),
    ]

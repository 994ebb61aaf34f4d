"""Numeric functions over arrays: NumPy, OpenCV and compiled code. Callers check the input.

Which code runs, what was compiled or its NumPy twin: `common.kernels.versions`.
"""

from types import ModuleType

from semantic_detection_pkg.common.kernels import versions


def is_compiled() -> bool:
    """Return whether the compiled kernels are there."""
    return versions.is_compiled(__name__, "letterbox")


def implementation(name: str) -> ModuleType:
    """Return the module `name` of the compiled kernels or, where there are none, of their twins."""
    return versions.implementation(__name__, name)

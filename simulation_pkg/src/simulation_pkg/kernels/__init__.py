"""Drawing of the simulated world: NumPy, OpenCV and, for what each picture needs, compiled code."""

from types import ModuleType

from semantic_detection_pkg.common.kernels import versions


def implementation(name: str) -> ModuleType:
    """Return the module `name` of the compiled kernels or, where there are none, of their twins."""
    return versions.implementation(__name__, name)

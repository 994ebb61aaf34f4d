"""The loops that each frame of a scan runs, compiled and in NumPy. Callers check the input.

Both give the same bits: functions such as the arctangent are NumPy's in both, what is between them
is the same double precision in the same order. Which code runs: `common.kernels.versions`.
"""

from functools import cache
from types import ModuleType

from semantic_detection_pkg.common.kernels import versions


def is_compiled() -> bool:
    """Return whether the compiled kernels are there."""
    return versions.is_compiled(__name__, "tracking")


@cache  # each frame asks
def implementation(name: str) -> ModuleType:
    """Return the module `name` of the compiled kernels or, where there are none, of their twins."""
    return versions.implementation(__name__, name)

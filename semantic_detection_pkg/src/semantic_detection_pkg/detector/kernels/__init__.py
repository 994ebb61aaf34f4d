"""Numeric functions over arrays: NumPy, OpenCV and compiled code. Callers check the input.

Which code runs is decided here and nowhere else: what `make build` compiled (`kernels.compiled`);
where nothing was compiled, as in a source checkout on PYTHONPATH, the NumPy twins
(`kernels.twins`), which give the same within the bounds that the tests state, only slower. A module
that was compiled but does not load is an error, never a reason to be slow in silence.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_COMPILED, _TWINS = (f"{__name__}.{folder}" for folder in ("compiled", "twins"))


def is_compiled() -> bool:
    """Return whether the compiled kernels are there."""
    return find_spec(f"{_COMPILED}.letterbox") is not None


def implementation(name: str) -> ModuleType:
    """Return the module `name` of the compiled kernels or, where there are none, of their twins."""
    return import_module(f"{_COMPILED if is_compiled() else _TWINS}.{name}")

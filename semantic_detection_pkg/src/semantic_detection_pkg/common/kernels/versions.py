"""Which code of a package of kernels runs: compiled code or, where nothing was compiled, its twins.

A package of kernels holds `compiled`, what `make build` compiles (`*.pyx`), and `twins`, modules of
the same names in NumPy and OpenCV, which give the same within the bounds that the tests state, only
slower. Nothing is compiled in a source checkout on PYTHONPATH. A module that was compiled but does
not load is an error, never a reason to be slow in silence.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def is_compiled(package: str, name: str) -> bool:
    """Return whether the compiled module `name` of a package of kernels is there."""
    return find_spec(f"{package}.compiled.{name}") is not None


def implementation(package: str, name: str) -> ModuleType:
    """Return the module `name` of a package of kernels, compiled or, where it is not, its twin."""
    version = "compiled" if is_compiled(package, name) else "twins"
    return import_module(f"{package}.{version}.{name}")

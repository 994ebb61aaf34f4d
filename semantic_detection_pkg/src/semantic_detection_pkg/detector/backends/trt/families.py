"""TensorRT and TensorRT for RTX: one interface, plans that do not run on each other.

TensorRT is what JetPack brings and servers run. TensorRT for RTX is smaller, has a numbering of its
own, chooses its kernels when a plan is loaded, and comes from PyPI for workstations with a GeForce
or RTX card (compute capability 7.5 and newer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semantic_detection_pkg.detector.backends.trt.api import TensorRt


@dataclass(frozen=True)
class Family:
    """One of the two.

    Attributes:
        title: NVIDIA's name.
        key: in manifests.
        tag: first four bytes of its plans.
        modules: Python modules that have it, in order of preference.
        oldest: version (major, minor) that this runner was held to.
        remedy: how to come by it.
    """

    title: str
    key: str
    tag: bytes
    modules: tuple[str, ...]
    oldest: tuple[int, int]
    remedy: str


TENSORRT = Family(
    "TensorRT",
    "tensorrt",
    b"ftrt",
    ("tensorrt",),
    (10, 3),
    "on a Jetson: apt install python3-libnvinfer, and the system's Python",
)
RTX = Family(
    "TensorRT for RTX",
    "tensorrt_rtx",
    b"vtrt",
    ("tensorrt_rtx", "tensorrt_rtx_bindings"),
    (1, 7),
    "on a workstation with an RTX card: pip install -r requirements/tensorrt.in",
)
FAMILIES = (TENSORRT, RTX)
TAG_LENGTH = 4


def family_of_plan(plan: bytes) -> Family | None:
    """Return the family whose plans begin so; None: it is no plan."""
    return next((family for family in FAMILIES if plan.startswith(family.tag)), None)


def family_of(tensorrt: TensorRt) -> Family:
    """Return the family of an imported module."""
    return RTX if tensorrt.__name__ in RTX.modules else TENSORRT


def title(tensorrt: TensorRt) -> str:
    """Return name and version for messages, "TensorRT for RTX 1.7.1" say."""
    return f"{family_of(tensorrt).title} {version(tensorrt)}"


def version(tensorrt: TensorRt) -> str:
    """Return the version as plans have it, "10.3.0": without the build."""
    return ".".join(tensorrt.__version__.split(".")[:3])


def capabilities(tensorrt: Any) -> tuple[str, ...]:
    """Return the compute capabilities ("8.9") to choose from; (): the GPU's own only."""
    named = getattr(tensorrt, "ComputeCapability", None)
    names = getattr(named, "__members__", ()) if family_of(tensorrt) is RTX else ()
    return tuple(f"{name[2:-1]}.{name[-1]}" for name in names if name.startswith("SM"))

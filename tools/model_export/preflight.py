"""Can a plan be built here and now? Asked before a build that takes minutes."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from semantic_detection_pkg.detector.backends.trt.api import TensorRt
from semantic_detection_pkg.detector.backends.trt.families import TENSORRT, family_of, title
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.health.checkup import CheckStatus, Machine, check_l4t
from semantic_detection_pkg.health.core.reading import read_meminfo

# What the builder takes beside its workspace: its library of kernels alone was seen to take
# 930 MB of CPU and 980 MB of GPU memory on an Orin, which are the same memory there.
_BUILDER_MB = 2000.0


def l4t_release(machine: Machine) -> str:
    """ "36.5.0" on a Jetson, "" elsewhere."""
    found = check_l4t(machine)
    return "" if found.status is CheckStatus.NOT_HERE else found.what.split()[1]


def check_system(machine: Machine) -> None:
    """Raises ConfigurationError if this Jetson Linux is one that is known not to work."""
    found = check_l4t(machine)
    if found.status is CheckStatus.BAD:
        raise ConfigurationError(f"{found.what}; {found.remedy} (or --force)")


def check_free_memory(machine: Machine, workspace_mb: int) -> None:
    """Raises ConfigurationError if memory and swap together are too little for a build."""
    memory = read_meminfo(machine.text("proc/meminfo"))
    free_mb = memory["memory_available_mb"] + _swap_mb(machine)
    needed_mb = _BUILDER_MB + workspace_mb
    if math.isnan(free_mb) or free_mb >= needed_mb:
        return
    raise ConfigurationError(
        f"{free_mb:.0f} MB of memory and swap are free, a build needs about {needed_mb:.0f}: stop "
        "the containers and the desktop, make a swap file, or lower --workspace (or --force)"
    )


def check_folder(folder: Path) -> None:
    """Raises ConfigurationError if nothing can be written there; makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"folder {folder}: {(error.strerror or str(error)).lower()}; choose another one (--out)"
        ) from error


def check_targets(model: Path, targets: Sequence[Path]) -> None:
    """Raises ConfigurationError if what is written would replace the model, or cannot be."""
    for target in targets:
        if target.resolve() == model.resolve():
            raise ConfigurationError(f"{target}: is the model itself, it would be replaced")
        if target.is_dir():
            raise ConfigurationError(f"{target}: is a folder; a file is to be written there")
        check_folder(target.parent)


def check_tensorrt(tensorrt: TensorRt) -> None:
    """Raises ConfigurationError if the library is older than what the detector runs."""
    family = family_of(tensorrt)
    found = tuple(int(part) for part in tensorrt.__version__.split(".")[:2])
    if found < family.oldest:
        oldest = ".".join(map(str, family.oldest))
        remedy = "install JetPack 6.2.2" if family is TENSORRT else family.remedy
        raise ConfigurationError(
            f"{title(tensorrt)} is too old, {oldest} or newer is needed; {remedy}"
        )


def _swap_mb(machine: Machine) -> float:
    for line in machine.text("proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "SwapFree":
            return float(value.split()[0]) / 1024
    return 0.0

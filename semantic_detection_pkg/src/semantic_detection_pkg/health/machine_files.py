"""Reads the kernel's files about memory, pressure, heat and the GPU under one root folder.

Nothing here needs a right; what a machine does not have is NaN. Tests give another root.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from semantic_detection_pkg.health.core.reading import (
    MachineReading,
    read_bytes_mb,
    read_celsius,
    read_count,
    read_load,
    read_meminfo,
    read_stall,
)

_GPU_LOADS = ("sys/class/devfreq/*gpu*/device/load", "sys/devices/platform/*gpu*/load")
#: Kinds of trip points at which the kernel slows down or stops; fans begin far below.
_TRIPS = ("passive", "hot", "critical")


def read_machine(output_dir: str, root: Path = Path("/")) -> MachineReading:
    """Look at the machine once.

    Args:
        output_dir: a folder on the volume whose free space counts.
        root: "/" or a copy of its files.
    """
    temperatures, trips = _zones(root)
    group = root / "sys/fs/cgroup"
    return MachineReading(
        **read_meminfo(_text(root / "proc/meminfo")),
        gpu_load=_gpu_load(root),
        stalled_percent=read_stall(_text(root / "proc/pressure/memory")),
        container_memory_mb=read_bytes_mb(_text(group / "memory.current")),
        oom_kills=read_count(_text(group / "memory.events"), "oom_kill"),
        temperatures_c=temperatures,
        trips_c=trips,
        disk_free_mb=_disk_free_mb(output_dir),
    )


def _zones(root: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the temperature and the lowest trip point of each thermal zone."""
    temperatures: dict[str, float] = {}
    trips: dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        name = _text(zone / "type").strip() or zone.name
        value = read_celsius(_text(zone / "temp"))
        if math.isnan(value):  # the zone of a part that is switched off
            continue
        temperatures[name] = value
        points = [
            read_celsius(_text(Path(str(kind)[: -len("type")] + "temp")))
            for kind in sorted(zone.glob("trip_point_*_type"))
            if _text(kind).strip() in _TRIPS
        ]
        if known := [point for point in points if point > 0.0]:
            trips[name] = min(known)
    return temperatures, trips


def _gpu_load(root: Path) -> float:
    for pattern in _GPU_LOADS:
        for path in sorted(root.glob(pattern)):
            return read_load(_text(path))
    return math.nan


def _disk_free_mb(folder: str) -> float:
    path = Path(folder).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent  # the recorder makes the folder later
    try:
        return float(shutil.disk_usage(path).free) / 1024.0**2
    except OSError:
        return math.nan


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""

"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> dict[str, object]:
    """Processor, cores, memory, system and Python of this machine."""
    processor = _first_value(Path("/proc/cpuinfo"), "model name") or platform.processor()
    memory_kb = _first_value(Path("/proc/meminfo"), "MemTotal").split()[0]
    return {
        "processor": processor,
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory_kb) / 1e6, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _first_value(path: Path, key: str) -> str:
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")

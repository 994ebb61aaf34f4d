"""Free memory. On a Jetson the GPU's is the system's, and no container limit sees it."""

from __future__ import annotations

from pathlib import Path


def free_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return MemAvailable of the machine, in bytes."""
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise OSError(f"{meminfo} has no MemAvailable")

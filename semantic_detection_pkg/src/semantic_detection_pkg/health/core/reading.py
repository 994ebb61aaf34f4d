"""One look at the machine, and how the kernel's files are read. Text in, numbers out; never raises.

Formats: proc_meminfo(5), Documentation/accounting/psi.rst and admin-guide/cgroup-v2.rst of the
kernel; NvMapMemUsed is L4T's own line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_KIB_PER_MIB = 1024.0
_BYTES_PER_MIB = 1024.0**2


@dataclass(frozen=True)
class MachineReading:
    """What the machine says. NaN: it does not tell.

    Attributes:
        memory_available_mb, memory_total_mb: [MiB] shared by CPU and GPU on a Jetson.
        swap_used_mb: [MiB].
        gpu_memory_mb: [MiB] mapped for the GPU.
        gpu_load: 0..1.
        stalled_percent: share of the last 10 s in which some task waited for memory (PSI).
        container_memory_mb: [MiB] of this control group, without the GPU's.
        oom_kills: processes of this control group that the kernel ended for memory, ever.
        temperatures_c: [deg C] by zone.
        trips_c: [deg C] by zone: where the kernel begins to throttle.
        disk_free_mb: [MiB] of the output volume.
    """

    memory_available_mb: float = math.nan
    memory_total_mb: float = math.nan
    swap_used_mb: float = math.nan
    gpu_memory_mb: float = math.nan
    gpu_load: float = math.nan
    stalled_percent: float = math.nan
    container_memory_mb: float = math.nan
    oom_kills: float = math.nan
    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    trips_c: Mapping[str, float] = field(default_factory=dict)
    disk_free_mb: float = math.nan

    @property
    def hottest_c(self) -> float:
        """Of all zones; NaN without any."""
        return max(self.temperatures_c.values(), default=math.nan)

    @property
    def heat_margin_c(self) -> float:
        """[deg C] of the zone that is nearest to its trip point; NaN where none is known."""
        margins = [
            self.trips_c[zone] - value
            for zone, value in self.temperatures_c.items()
            if zone in self.trips_c
        ]
        return min(margins, default=math.nan)


def read_meminfo(text: str) -> dict[str, float]:
    """Return the fields of `MachineReading` that /proc/meminfo holds."""
    found = {
        name: float(amount) / _KIB_PER_MIB
        for name, amount in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)
    }
    return {
        "memory_available_mb": found.get("MemAvailable", math.nan),
        "memory_total_mb": found.get("MemTotal", math.nan),
        "swap_used_mb": found.get("SwapTotal", math.nan) - found.get("SwapFree", math.nan),
        "gpu_memory_mb": found.get("NvMapMemUsed", math.nan),
    }


def read_stall(text: str) -> float:
    """Return avg10 [%] of the line "some" of /proc/pressure/memory; NaN if it is not there."""
    match = re.search(r"^some avg10=([\d.]+)", text, re.M)
    return _number(match[1]) if match else math.nan


def read_count(text: str, name: str) -> float:
    """Return one number of a flat keyed file, memory.events say; NaN if it is not there."""
    match = re.search(rf"^{re.escape(name)} (\d+)$", text, re.M)
    return float(match[1]) if match else math.nan


def read_bytes_mb(text: str) -> float:
    """Return the MiB of a file that holds one number of bytes; NaN if it does not ("max", say)."""
    return _number(text) / _BYTES_PER_MIB


def read_celsius(text: str) -> float:
    """Return the degrees Celsius of a thermal zone's file, in thousandths; NaN without a number."""
    return _number(text) / 1000.0


def read_load(text: str) -> float:
    """Return the load 0..1 from the GPU's file, in tenths of a percent; NaN without a number."""
    return _number(text) / 1000.0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

"""The machine's steady clock, which its processes share, and which machine's a stamp is of.

Linux: CLOCK_MONOTONIC counts from the start of the machine, the same in all processes and in all
containers without a time namespace of their own. Another machine's, or that of another start,
counts from elsewhere.
"""

import time
import zlib
from functools import cache
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def steady_ns() -> int:
    """Return the time now [ns]; only differences mean something."""
    return time.monotonic_ns()


@cache
def clock_id() -> int:
    """Return what names this machine's clock since its start, uint32; 0: it cannot be told."""
    try:
        return zlib.crc32(_BOOT_ID.read_bytes().strip())
    except OSError:
        return 0


def is_comparable(times: Any) -> bool:
    """Tell whether the stamps of a message of type FrameTimes are of this machine's clock."""
    return bool(times.clock) and times.clock == clock_id()

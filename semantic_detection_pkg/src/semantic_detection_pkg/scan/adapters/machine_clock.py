"""The clocks of this machine: one that may step, and one that tells how long it runs."""

from __future__ import annotations

import time
from pathlib import Path

from semantic_detection_pkg.scan.core.checkpoint_encoding import Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def moment(boot_id_file: Path = _BOOT_ID) -> Moment:
    """Return the present moment; without a boot id only the wall clock tells."""
    try:
        boot_id = boot_id_file.read_text("ascii").strip()
    except (OSError, ValueError):
        boot_id = ""
    return Moment(time.time_ns(), boot_id, time.clock_gettime_ns(time.CLOCK_BOOTTIME))

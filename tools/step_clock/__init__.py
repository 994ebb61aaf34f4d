"""A system clock that can be stepped under running processes, by a library that is loaded first."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

#: The C compiler that makes the library; None: there is none.
COMPILER = shutil.which("gcc") or shutil.which("cc")
_SOURCE = Path(__file__).with_name("step_clock.c")
_NS_PER_S = 1_000_000_000


class StepClock:
    """The offset of some processes' clock, in a file that they all have mapped.

    Attributes:
        environment: variables with which a process sees this clock.
        offset_s: shown minus true time.
    """

    def __init__(self, folder: Path) -> None:
        """Compile the library; the clock goes right.

        Raises:
            RuntimeError: there is no C compiler.
        """
        if COMPILER is None:
            raise RuntimeError("there is no C compiler: neither gcc nor cc")
        library, self._path = folder / "step_clock.so", folder / "clock_offset"
        command = [COMPILER, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True, capture_output=True)
        self._path.write_bytes(bytes(mmap.PAGESIZE))
        self.environment = {"LD_PRELOAD": str(library), "STEP_CLOCK_FILE": str(self._path)}
        self.offset_s = 0.0

    def set(self, offset_s: float) -> None:
        """Show the true time plus `offset_s`."""
        self.offset_s = offset_s
        with self._path.open("r+b") as file:
            file.write(struct.pack("=q", round(offset_s * _NS_PER_S)))

    def now_s(self) -> float:
        """Return what the clock shows, in seconds since 1970."""
        return time.time() + self.offset_s

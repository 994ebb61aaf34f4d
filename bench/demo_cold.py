"""How long people wait the first time: a fresh clone, everything to be installed and built.

The wheels are in the installer's cache, as after a first try. It takes minutes: only when named.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.demo import seconds_to_first_detection
from bench.row import Row

ROWS = ("demo_cold_s",)
IS_EXTRA = True

_ROOT = Path(__file__).resolve().parent.parent


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="clone") as folder:
        clone = Path(folder) / "workspace"
        # What is committed, and nothing else.
        subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
        yield Row(
            "demo_cold_s", seconds_to_first_detection(clone, timeout_s=900.0), "s", goal=100.0
        )

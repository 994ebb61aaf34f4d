"""Makes the workspace's packages importable for a tool that is run by its file: import it first.

Whichever Python runs it, with the workspace sourced or not. Where the workspace is sourced its
installed packages come first.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("semantic_detection_pkg", "ros_support_pkg", "simulation_pkg", "gimbal_driver_pkg")
_EXIT_USAGE = 2
#: Libraries that each of these tools needs.
_NEEDED = ("numpy", "onnxruntime")


def find() -> None:
    """Add the sources to the path of modules.

    Raises:
        SystemExit: this Python lacks a library that all tools need; after one line on stderr.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        tool = Path(sys.argv[0]).stem
        print(
            f"{tool}: {sys.executable} has no {' and no '.join(missing)}: source "
            ".venv/local_setup.bash, or run the tool by that environment's Python",
            file=sys.stderr,
        )
        raise SystemExit(_EXIT_USAGE)
    for name in (*(f"{package}/src" for package in _PACKAGES), "tools"):
        if (folder := str(_ROOT / name)) not in sys.path:
            sys.path.append(folder)


find()

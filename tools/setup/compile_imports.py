"""Writes the bytecode of what the nodes import, once, after the build.

uv installs sources only, and where PYTHONDONTWRITEBYTECODE is set (images, many CI machines) or the
folders cannot be written, each start of each node would compile them again: a second of processor
time for the page's node. What cannot be imported here is left out; whoever needs it will say so.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Imported inside functions, by nodes and by the tools that they start.
LATER = (
    "jinja2",
    "jsonschema",
    "mcap.reader",
    "onnxruntime",
    "PIL.Image",
    "pymavlink.dialects.v20.common",
    "rosbags.rosbag2",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "skimage.measure",
    "skimage.morphology",
    "tifffile",
)


def modules_of_nodes() -> list[str]:
    """Return what a node's program imports, and what the command-line tools do."""
    sources = [path for path in ROOT.glob("*_pkg/src") if path.is_dir()]
    return [
        ".".join(path.relative_to(source).with_suffix("").parts)
        for source in sources
        for pattern in ("*/**/node.py", "*/node.py", "*/demo_judge.py", "*/cli/*.py")
        for path in sorted(source.glob(pattern))
    ]


def main() -> int:
    """Import them all, writing bytecode."""
    sys.dont_write_bytecode = False
    for name in (*modules_of_nodes(), *LATER):
        with contextlib.suppress(Exception):
            import_module(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

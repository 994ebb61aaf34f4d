"""One node of the product in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ament_index_python.packages import get_package_prefix

PACKAGE = "semantic_detection_pkg"


@contextlib.contextmanager
def running_node(
    name: str, *, package: str = PACKAGE, **parameters: object
) -> Iterator[subprocess.Popen[str]]:
    """Run a node with these parameters; killed at the end, if it has not ended before."""
    command = [
        str(Path(get_package_prefix(package)) / "lib" / package / name),
        "--ros-args",
        *(word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()

"""The arguments that a launch file of this package declares: `ros2 launch` ignores any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS
from semantic_detection_pkg.errors import ConfigurationError

#: Of `ros2 launch` itself.
_COMMON = ("sigterm_timeout", "sigkill_timeout")


def check_arguments(launch_file: str, names: Iterable[str]) -> None:
    """Check that a launch file takes these arguments.

    Raises:
        ConfigurationError: it does not, or there is no such file; one line for each.
    """
    folder = Path(get_package_share_directory("semantic_detection_pkg")) / "launch"
    path = folder / launch_file
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(one.name for one in folder.glob("*.launch.yaml")))
        raise ConfigurationError(f"--launch-file {launch_file!r}, allowed is {known}")
    entities = yaml.safe_load(path.read_text(encoding="utf-8"))["launch"]
    # The launch file declares names of before, too, to refuse them.
    declared = [
        entity["arg"]["name"]
        for entity in entities
        if "arg" in entity and entity["arg"]["name"] not in RENAMED_ARGUMENTS
    ]
    wrong = [_line(name, declared) for name in names if name not in (*declared, *_COMMON)]
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def _line(name: str, declared: list[str]) -> str:
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f"; is '{near[0]}' meant?" if near else ""
    return f"argument '{name}' is not known{hint}; allowed is {', '.join(sorted(declared))}"

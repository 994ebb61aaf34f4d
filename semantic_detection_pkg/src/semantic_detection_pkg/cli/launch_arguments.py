"""The arguments that a launch file of this package declares: `ros2 launch` ignores any other."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_share_directory

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS
from semantic_detection_pkg.errors import ConfigurationError

ROBOT_LAUNCH = "robot.launch.yaml"
#: On a laptop: the simulated world, a mock gimbal, a stand-in of the vision-language model.
DEV_LAUNCH = "dev.launch.yaml"
#: The innermost substitution of a text.
_SUBSTITUTION = re.compile(r"\$\((var|env|find-pkg-share) ([^ $()]+) ?([^$()]*)\)")
#: Of `ros2 launch` itself: [s] from one signal to the next for what does not end, as it has them.
_COMMON = {"sigterm_timeout": 5.0, "sigkill_timeout": 5.0}


def check_arguments(launch_file: str, names: Iterable[str]) -> None:
    """Check that a launch file takes these arguments.

    Raises:
        ConfigurationError: it does not, or there is no such file; one line for each.
    """
    entities = _entities(launch_file)
    # The launch file declares names of before, too, to refuse them.
    declared = [
        entity["arg"]["name"]
        for entity in entities
        if "arg" in entity and entity["arg"]["name"] not in RENAMED_ARGUMENTS
    ]
    wrong = [_line(name, declared) for name in names if name not in (*declared, *_COMMON)]
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def stop_timeout_s(arguments: Mapping[str, str]) -> float:
    """Return how long `ros2 launch` takes at most to end what it started [s].

    Raises:
        ConfigurationError: one of its times is no number of seconds.
    """
    total_s = 0.0
    for name, usual_s in _COMMON.items():
        text = arguments.get(name, "")
        try:
            value_s = float(text) if text else usual_s
        except ValueError:
            value_s = -1.0
        if not 0.0 <= value_s < math.inf:
            raise ConfigurationError(f"argument '{name}' is {text!r}, allowed is 0 s or more")
        total_s += value_s
    return total_s


def argument_default(launch_file: str, name: str) -> str:
    """Return what an argument of a launch file is where nobody gives it; "" where it has no value.

    Raises:
        ConfigurationError: there is no such file.
    """
    values: dict[str, str] = {}
    for entity in _entities(launch_file):
        if "let" in entity:
            values[entity["let"]["name"]] = str(entity["let"]["value"])
        elif "arg" in entity:
            values[entity["arg"]["name"]] = str(entity["arg"].get("default", ""))

    def replaced(found: re.Match[str]) -> str:
        kind, word, rest = found.groups()
        if kind == "var":
            return values.get(word, "")
        return os.environ.get(word, rest) if kind == "env" else get_package_share_directory(word)

    text, count = values.get(name, ""), 1
    while count:
        text, count = _SUBSTITUTION.subn(replaced, text)
    return text


def _entities(launch_file: str) -> list[dict[str, Any]]:
    folder = Path(get_package_share_directory("semantic_detection_pkg")) / "launch"
    path = folder / launch_file
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(one.name for one in folder.glob("*.launch.yaml")))
        raise ConfigurationError(f"--launch-file {launch_file!r}, allowed is {known}")
    entities: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["launch"]
    return entities


def _line(name: str, declared: list[str]) -> str:
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f"; is '{near[0]}' meant?" if near else ""
    return f"argument '{name}' is not known{hint}; allowed is {', '.join(sorted(declared))}"

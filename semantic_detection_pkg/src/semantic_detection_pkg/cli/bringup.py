"""bringup: check a config.yaml and start the launch file with it.

    ros2 run semantic_detection_pkg bringup [--config FILE] [--launch-file FILE] [--check]
        [NAME:=VALUE ...]

The environment (ENV, GIMBAL_MODE, INFERENCE_ENGINE, DASHBOARD_TOKEN) wins over the file; arguments
of the launch file given here win over both, and over a parameter file given by `params_file`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS, refusal
from semantic_detection_pkg.camera.core.uri import masked
from semantic_detection_pkg.common.configuration.launching import Launch, plan_launch
from semantic_detection_pkg.common.configuration.reading import load_schema, read_config
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError

DEFAULT_CONFIG = "/etc/semantic-detection/config.yaml"
ROBOT_LAUNCH = "robot.launch.yaml"
EXIT_USAGE = 2
_PACKAGE = "semantic_detection_pkg"


def main(words: Sequence[str] | None = None) -> int:
    """Check, then become `ros2 launch`; the exit status is 2 after a mistake of the user's."""
    parser = argparse.ArgumentParser(prog="bringup", description="Starts the robot's graph.")
    add = parser.add_argument
    add("--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="FILE", help=DEFAULT_CONFIG)
    add(
        "--launch-file",
        default=ROBOT_LAUNCH,
        metavar="FILE",
        help=f"{ROBOT_LAUNCH} or dev.launch.yaml",
    )
    add("--check", action="store_true", help="only check, and print how it would be started")
    add("arguments", nargs="*", metavar="NAME:=VALUE", help="of the launch file")
    given = parser.parse_args(words)
    try:
        launch = plan_launch(read_file(given.config), os.environ)
        typed = dict(_typed(text) for text in given.arguments)
    except SemanticDetectionError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USAGE
    arguments = {**arguments_of(launch), **typed}
    command = [
        *("ros2", "launch", _PACKAGE, given.launch_file),
        *(f"{name}:={value}" for name, value in sorted(arguments.items())),
    ]
    print(shlex.join(map(masked, command)), flush=True)
    if not given.check:
        os.execvp(command[0], command)
    print(launch.parameters, end="")
    return 0


def read_file(config: Path) -> dict[str, Any]:
    """Read a config.yaml and check it.

    Raises:
        ConfigurationError: it cannot be read, or one line for each mistake in it.
    """
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"config {config}: {reason}") from None
    return read_config(text, load_schema(), str(config))


def _typed(text: str) -> tuple[str, str]:
    name, given, value = text.partition(":=")
    if not given or not name:
        raise ConfigurationError(f"argument {text!r}, allowed is NAME:=VALUE")
    if name in RENAMED_ARGUMENTS:
        raise ConfigurationError(f"argument '{name}' {refusal(RENAMED_ARGUMENTS[name])}")
    return name, value


def arguments_of(launch: Launch) -> dict[str, str]:
    """Return the launch file's arguments; parameters go to a temporary file."""
    arguments = dict(launch.arguments)
    if launch.parameters:
        with tempfile.NamedTemporaryFile(
            "w", prefix="semantic_detection_", suffix=".yaml", delete=False
        ) as file:
            file.write(launch.parameters)
        arguments["params_file"] = file.name
    return arguments


if __name__ == "__main__":
    sys.exit(main())

"""bringup: check a config.yaml and start the launch file with it.

    ros2 run semantic_detection_pkg bringup [--config FILE] [--launch-file FILE] [--check]
        [NAME:=VALUE ...]

The environment (ENV, GIMBAL_MODE, GIMBAL_DEVICE, INFERENCE_ENGINE, DASHBOARD_HOST, DASHBOARD_TOKEN)
wins over the file; arguments of the launch file given here win over both, and over a parameter file
given by `params_file`.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS, refusal
from semantic_detection_pkg.camera.core.uri import masked
from semantic_detection_pkg.cli.launch_arguments import (
    DEV_LAUNCH,
    ROBOT_LAUNCH,
    check_arguments,
    stop_timeout_s,
)
from semantic_detection_pkg.cli.machine import machine_from, say_what_is_wrong
from semantic_detection_pkg.cli.main_process import run_as_main_process
from semantic_detection_pkg.common.configuration.launching import (
    READ_BY_LAUNCH,
    Launch,
    plan_launch,
    variable,
)
from semantic_detection_pkg.common.configuration.reading import load_schema, read_config
from semantic_detection_pkg.common.configuration.run_folder import make_run_folder
from semantic_detection_pkg.dashboard.url_file import (
    NO_PAGE,
    URL_FILE,
    URL_FILE_VARIABLE,
    write_url,
)
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError

DEFAULT_CONFIG = "/etc/semantic-detection/config.yaml"
EXIT_USAGE = 2
#: In the run's folder, written by launch/required.launch.py: the exit status of a required process.
STATUS_FILE = "exit_status"
_PACKAGE = "semantic_detection_pkg"


def main(words: Sequence[str] | None = None) -> int:
    """Check, then run `ros2 launch`; the exit status is 2 after a mistake of the user's.

    As a container's main process, too: it ends what it started in order, see `main_process`.
    """
    parser = argparse.ArgumentParser(prog="bringup", description="Starts the robot's graph.")
    add = parser.add_argument
    add("--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="FILE", help=DEFAULT_CONFIG)
    add(
        "--launch-file",
        default=ROBOT_LAUNCH,
        metavar="FILE",
        help=f"{ROBOT_LAUNCH} or {DEV_LAUNCH}",
    )
    add("--check", action="store_true", help="only check, and print how it would be started")
    add("arguments", nargs="*", metavar="NAME:=VALUE", help="of the launch file")
    given = parser.parse_args(words)
    try:
        config = read_file(given.config)
        launch = plan_launch(config, os.environ)
        typed = dict(_typed(text) for text in given.arguments)
        check_arguments(given.launch_file, typed)
        timeout_s = stop_timeout_s(typed)
        launch = _with_typed_file(launch, typed.pop("params_file", ""))
        folder = make_run_folder()
        arguments = {**arguments_of(launch, folder), **typed}
        if arguments.get("dashboard", "true").lower() == "false":
            write_url(folder / URL_FILE, NO_PAGE)
    except SemanticDetectionError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"error: folder for temporary files: {error}", file=sys.stderr)
        return EXIT_USAGE
    command = [
        *("ros2", "launch", _PACKAGE, given.launch_file),
        *(f"{name}:={value}" for name, value in sorted(arguments.items())),
    ]
    print(shlex.join(map(masked, command)), flush=True)
    for remark in launch.remarks:
        print(remark, file=sys.stderr, flush=True)
    if given.launch_file in (ROBOT_LAUNCH, DEV_LAUNCH):
        machine = machine_from(config, given.launch_file, typed)
        say_what_is_wrong(machine, is_robot=given.launch_file == ROBOT_LAUNCH)
    if not given.check:
        return _run(command, folder, timeout_s)
    print(launch.parameters, end="")
    return 0


def _run(command: Sequence[str], folder: Path, timeout_s: float) -> int:
    """Run `ros2 launch` to its end; return its exit status, or that of a required process."""
    # What `ros2 launch` and its nodes make for the time being is cleaned up with our own.
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        URL_FILE_VARIABLE: str(folder / URL_FILE),
    }
    for name in READ_BY_LAUNCH:
        if not variable(environment, name):
            environment.pop(name, None)
    try:
        status = run_as_main_process(command, environment, timeout_s)
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    with contextlib.suppress(OSError, ValueError):
        return int((folder / STATUS_FILE).read_text())
    return status


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


def arguments_of(launch: Launch, folder: Path | None = None) -> dict[str, str]:
    """Return the launch file's arguments; parameters go to a file of this run.

    Args:
        folder: of this run; made where it is not given.
    """
    folder = folder or make_run_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # where nothing is started
    arguments = dict(launch.arguments)
    if launch.parameters:
        path = folder / "params.yaml"
        path.write_text(launch.parameters, encoding="utf-8")
        arguments["params_file"] = str(path)
    return arguments


def _with_typed_file(launch: Launch, path: str) -> Launch:
    """Return what is to be started with a parameter file that was typed: it wins over the config.

    Raises:
        ConfigurationError: it cannot be read.
    """
    if not path:
        return launch
    try:
        typed = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        parameters: dict[str, Any] = yaml.safe_load(launch.parameters) or {}
        for node, section in typed.items():
            merged = parameters.setdefault(node, {}).setdefault("ros__parameters", {})
            merged.update(section["ros__parameters"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigurationError(f"params_file {path}: {reason}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigurationError(
            f"params_file {path}: 'node: ros__parameters: name: value' is allowed"
        ) from None
    # The order says which of several keys of a node counts: what was typed comes last.
    return replace(launch, parameters=yaml.safe_dump(parameters, sort_keys=False))


if __name__ == "__main__":
    sys.exit(main())

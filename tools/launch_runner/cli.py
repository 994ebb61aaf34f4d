"""The command line: `launch_runner [options] (PACKAGE FILE | PATH) [NAME:=VALUE ...]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from launch_runner.child import end_with_parent
from launch_runner.console import Console, new_log_dir
from launch_runner.errors import LaunchError
from launch_runner.packages import package_launch_file
from launch_runner.plan import LaunchPlan, declared_arguments, make_plan
from launch_runner.supervisor import Supervisor

_MISUSE_STATUS = 2  # as argparse has it
_INTERRUPTED_STATUS = 130  # as shells have it; only before the first process is started


def main(argv: Sequence[str], program: str = "launch_runner") -> int:
    """Run the command line; return the exit status.

    2 for what the user can correct before anything is started; else that of `Supervisor.run`.
    """
    options = _parser(program).parse_args(argv)
    # What a process prints is passed on, whatever the terminal can show.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if options.with_parent:
        end_with_parent(os.getppid(), signal.SIGTERM)
    try:
        path, arguments = _request(options.target)
        if options.show_args:
            _show_arguments(path, arguments)
            return 0
        return _start(path, arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED_STATUS
    except LaunchError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return _MISUSE_STATUS


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Starts *.launch.yaml files where the ROS launch package is missing.",
    )
    parser.add_argument(
        "target",
        nargs="+",
        metavar="TARGET",
        help="PACKAGE FILE or PATH of a launch file, then NAME:=VALUE for its arguments",
    )
    parser.add_argument(
        "-s",
        "--show-args",
        "--show-arguments",
        action="store_true",
        help="print the arguments of the launch file and end",
    )
    parser.add_argument(
        "-n",
        "--noninteractive",
        action="store_true",
        help="accepted as by ros2 launch; makes no difference here",
    )
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="stop when the process that started this one ends",
    )
    return parser


def _request(target: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Split what follows the options into the launch file and its arguments."""
    first, *rest = target
    path = Path(first)
    if not path.is_file():
        if "/" in first or path.suffix in (".yaml", ".yml"):
            raise LaunchError(f"launch file '{first}' does not exist")
        if not rest or ":=" in rest[0]:
            raise LaunchError(f"'{first}' is no launch file; a package needs a file name after it")
        path, rest = package_launch_file(first, rest[0]), rest[1:]
    arguments = {}
    for text in rest:
        name, separator, value = text.partition(":=")
        if not (name and separator and value):
            raise LaunchError(f"malformed argument '{text}'; expected NAME:=VALUE")
        arguments[name] = value
    return path, arguments


def _show_arguments(path: Path, arguments: dict[str, str]) -> None:
    print("Arguments (pass arguments as '<name>:=<value>'):")
    declared = declared_arguments(path, arguments)
    for name, entity in declared.items():
        choices = [choice["value"] for choice in entity.get("choice", ())]
        print(f"\n    '{name}':\n        {entity.get('description', 'no description given')}")
        if choices:
            print(f"        (one of: {', '.join(choices)})")
        if "default" in entity.attributes:
            print(f"        (default: '{entity['default'].text}')")
    if not declared:
        print("\n  No arguments.")


def _start(path: Path, arguments: dict[str, str]) -> int:
    """Run a launch file; its inline parameters lie beside the log of this run, not in /tmp."""
    with contextlib.ExitStack() as stack:
        log_dir = None
        with contextlib.suppress(OSError):
            log_dir = new_log_dir(os.environ)
        folder = log_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        parameter_dir = folder.absolute() / "parameters"
        try:
            parameter_dir.mkdir()
            plan = make_plan(path, arguments, parameter_dir)
        except LaunchError:
            shutil.rmtree(folder, ignore_errors=True)  # nothing was started: nothing to look up
            raise
        return _run(plan, log_dir)


def _run(plan: LaunchPlan, log_dir: Path | None) -> int:
    with contextlib.ExitStack() as stack:
        log_file = None
        with contextlib.suppress(OSError):
            if log_dir is not None:
                log_file = stack.enter_context((log_dir / "launch.log").open("w", encoding="utf-8"))
        console = Console(sys.stdout, log_file)
        where = f"below {log_dir}" if log_file else "nowhere: the log folder cannot be written"
        console.message("INFO", "launch", f"All log files can be found {where}")

        async def supervise() -> int:
            return await Supervisor(plan, console).run()

        return asyncio.run(supervise())

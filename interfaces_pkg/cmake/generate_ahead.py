"""Run rosidl's generators while CMake configures, so that the build finds their files up to date.

Each generator is a program that parses all interfaces anew, which takes most of its time, and make
runs them one after another. Here the interfaces are parsed once, and the generators run side by
side, each in a fork that has the parsed trees. They are the same programs with the same arguments;
where a file is older than what it is made from, the build runs its generator again.

usage: generate_ahead.py BUILD_FOLDER GENERATOR[,OPTION...]...

A generator is the path of its program. The first runs before the others, which read what it made.
"""

from __future__ import annotations

import functools
import json
import os
import runpy
import sys
from pathlib import Path

from rosidl_parser import parser


def main(build: Path, generators: list[str]) -> int:
    parser.get_ast_from_idl_string = functools.cache(parser.get_ast_from_idl_string)
    first, *others = [generator.split(",") for generator in generators]
    for path in _interfaces(_arguments_file(build, first[0])):
        parser.get_ast_from_idl_string(path.read_text(encoding="utf-8"))
    return _run(build, [first], at_once=1) or _run(build, others, at_once=os.cpu_count() or 1)


def _arguments_file(build: Path, program: str) -> Path:
    """Return what CMake has written for a generator."""
    return build / f"{Path(program).name}__arguments.json"


def _interfaces(arguments: Path) -> list[Path]:
    """Return the .idl files; rosidl names them as FOLDER:PATH."""
    tuples = json.loads(arguments.read_text())["idl_tuples"]
    return [Path(*entry.rsplit(":", 1)) for entry in tuples]


def _run(build: Path, generators: list[list[str]], at_once: int) -> int:
    """Run generators in forks; the number of those that failed."""
    waiting, running, failed = list(generators), 0, 0
    while waiting or running:
        if waiting and running < at_once:
            program, *options = waiting.pop(0)
            if os.fork() == 0:
                file = str(_arguments_file(build, program))
                sys.argv = [program, "--generator-arguments-file", file, *options]
                runpy.run_path(program, run_name="__main__")
                sys.exit(0)
            running += 1
        else:
            failed += os.waitstatus_to_exitcode(os.wait()[1]) != 0
            running -= 1
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

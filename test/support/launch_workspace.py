"""A small install prefix made of scripts, for tests of the launch runner without a build."""

from __future__ import annotations

import os
import select
import textwrap
from pathlib import Path

from launch_runner.plan import LaunchPlan, make_plan
from patience import patience

PACKAGE = "demo_pkg"


class LaunchWorkspace:
    """An ament prefix with one package, `demo_pkg`; programs and launch files are added to it."""

    def __init__(self, root: Path) -> None:
        self.prefix = root / "prefix"
        self.programs = self.prefix / "lib" / PACKAGE
        self.share = self.prefix / "share" / PACKAGE
        index = self.prefix / "share/ament_index/resource_index/packages"
        for folder in (self.programs, self.share / "launch", index):
            folder.mkdir(parents=True)
        (index / PACKAGE).touch()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the package is found."""
        return {"AMENT_PREFIX_PATH": str(self.prefix)}

    def program(self, name: str, script: str) -> Path:
        """Add an executable written in sh."""
        path = self.programs / name
        path.write_text("#!/bin/sh\n" + textwrap.dedent(script))
        path.chmod(0o755)
        return path

    def file(self, text: str, name: str = "test.launch.yaml") -> Path:
        """Add a launch file; `text` is indented as a whole as it likes to be."""
        path = self.share / "launch" / name
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def plan(self, text: str, **arguments: str) -> LaunchPlan:
        """Resolve a launch file, once."""
        parameter_dir = self.prefix.parent / "parameters"
        parameter_dir.mkdir()
        return make_plan(self.file(text), arguments, parameter_dir)


def has_ended(pid: int) -> bool:
    """Wait until a process, not necessarily a child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience(10.0))[0])
    finally:
        os.close(descriptor)

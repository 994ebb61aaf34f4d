"""Runs the launch_testing files of this folder from pytest, each in a process of its own.

By `launch_testing` where there is one, else by `tools/launch_tests`: the files are the same.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import patience

ROOT = Path(__file__).resolve().parent.parent.parent
#: Of the reference machine, for a file: start, tests, stop.
TIMEOUT_S = 200.0
_LINES = 200
#: The others are marked `long`.
QUICK = ("detection_test.py",)


def runner() -> list[str]:
    """Return the command that runs a file."""
    # Not `launch`: the workspace has a folder of that name.
    if importlib.util.find_spec("launch_testing") is not None:
        return [sys.executable, "-m", "launch_testing.launch_test"]
    return [sys.executable, str(ROOT / "tools" / "launch_tests")]


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> LaunchTestFile:
    """Take the files for what they are: as ordinary modules they would look for a graph in vain."""
    return LaunchTestFile.from_parent(parent, path=module_path)


class LaunchTestFile(pytest.File):
    """One file, one graph."""

    def collect(self) -> Iterator[LaunchTest]:
        test = LaunchTest.from_parent(self, name="launch_test")
        test.add_marker(pytest.mark.graph)
        if self.path.name not in QUICK:
            test.add_marker(pytest.mark.long)
        test.add_marker(pytest.mark.timeout(TIMEOUT_S + 20.0))
        yield test


class LaunchTest(pytest.Item):
    """The run of a file."""

    def runtest(self) -> None:
        """Run it; what it says is shown where it failed."""
        command = [*runner(), str(self.path)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=patience(TIMEOUT_S))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            tail = "\n".join(said.splitlines()[-_LINES:])
            pytest.fail(f"{' '.join(command)}: status {process.returncode}\n{tail}", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"launch_test {self.path.name}"

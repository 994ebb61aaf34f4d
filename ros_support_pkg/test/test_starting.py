"""Ctrl-C at any moment of a node's start: no traceback, in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import patience

IMPORTS = """
import signal, sys
from ros_support_pkg.starting import leave_on_interrupt
leave_on_interrupt("example_pkg")
print("importing", flush=True)
while "{then}" == "forever":
    signal.pause()
"""
RUNS = """
from rclpy.node import Node
from ros_support_pkg.running import run_node

class Example(Node):
    def __init__(self):
        super().__init__("example")
        self.create_timer(0.05, lambda: print("up", flush=True))

    def destroy_node(self):
        print("released", flush=True)
        super().destroy_node()

sys.exit(run_node(Example))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a program that lies where ament installs those of a package."""
    processes = []

    def start(package: str, text: str) -> subprocess.Popen[str]:
        program = tmp_path / "lib" / package / "example"
        program.parent.mkdir(parents=True)
        program.write_text(text)
        pipe = subprocess.PIPE
        processes.append(
            subprocess.Popen(
                [sys.executable, str(program)],
                stdout=pipe,
                stderr=pipe,
                text=True,
                env=os.environ.copy(),
            )
        )
        assert processes[-1].stdout.readline() == "importing\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_interrupted_while_importing_it_ends_quietly(start) -> None:
    process = start("example_pkg", IMPORTS.replace("{then}", "forever"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=patience(10.0))
    assert (process.returncode, errors) == (0, "")


def test_a_program_may_end_with_a_status_of_its_own(start) -> None:
    text = IMPORTS.replace("{then}", "forever")
    text = text.replace('"example_pkg")', '"example_pkg", status=1)')
    process = start("example_pkg", text)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=patience(10.0))
    assert (process.returncode, errors) == (1, "")


def test_another_program_that_imports_a_node_is_left_alone(start) -> None:
    process = start("other_pkg", IMPORTS.replace("{then}", "forever"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=patience(10.0))
    assert "KeyboardInterrupt" in errors


def test_once_it_runs_it_releases_what_it_has(start, ros_domain: dict[str, str]) -> None:
    process = start("example_pkg", IMPORTS.replace("{then}", "run") + RUNS)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=patience(10.0))
    assert output.endswith("released\n")
    assert (process.returncode, errors) == (0, "")

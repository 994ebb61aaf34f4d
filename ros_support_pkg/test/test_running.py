"""How nodes start and end, in processes of their own, as people see it."""

import os
import signal
import subprocess
import sys

import pytest
from patience import patience

PROGRAM = """
import sys, rclpy
from rclpy.node import Node
from ros_support_pkg.parameters import ParameterError
from ros_support_pkg.running import run_node

class Mistake(Exception):
    pass

class Example(Node):
    def __init__(self):
        super().__init__("example")
        if "{fails}" == "mistake":
            raise Mistake("camera 'x' is unknown, known is 'y'")
        if "{fails}" == "interrupted":
            # As after Ctrl-C: the context ends, Python's exception comes while that is handled.
            import os, signal
            from rclpy._rclpy_pybind11 import RCLError
            rclpy.ok = lambda: os.kill(os.getpid(), signal.SIGINT)
            raise RCLError("context is invalid")
        if "{fails}" == "parameter":
            raise ParameterError("parameter 'x' is 1, allowed is 2")
        if "{fails}" == "bug":
            raise ZeroDivisionError
        self.create_timer(0.05, lambda: print("up", flush=True))

    def destroy_node(self):
        print("released", flush=True)
        super().destroy_node()

sys.exit(run_node(Example, expected_errors=(Mistake,)))
"""


def start(fails: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{fails}", fails)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_cleanly(ros_domain: dict[str, str], number: signal.Signals) -> None:
    process = start()
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=patience(10.0))
    assert output.endswith("released\n")
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("fails", "line"),
    [
        ("mistake", "error: camera 'x' is unknown, known is 'y'\n"),
        ("parameter", "error: parameter 'x' is 1, allowed is 2\n"),
    ],
)
def test_mistake_is_one_line(ros_domain: dict[str, str], fails: str, line: str) -> None:
    process = start(fails)
    _, errors = process.communicate(timeout=patience(30.0))
    assert (process.returncode, errors) == (2, line)


def test_an_interrupt_while_it_is_made_is_quiet(ros_domain: dict[str, str]) -> None:
    process = start("interrupted")
    _, errors = process.communicate(timeout=patience(30.0))
    assert (process.returncode, errors) == (0, "")


def test_bug_shows_its_traceback(ros_domain: dict[str, str]) -> None:
    process = start("bug")
    _, errors = process.communicate(timeout=patience(30.0))
    assert process.returncode == 1
    assert "ZeroDivisionError" in errors

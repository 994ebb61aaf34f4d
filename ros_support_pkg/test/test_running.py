"""How nodes start and end, in processes of their own, as people see it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from patience import patience
from unreadable_files import UNREADABLE

PROGRAM = """
'''Example node: an example, for tests.

This is not for the user.
'''
import sys, rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rcl_interfaces.msg import Log
from ros_support_pkg.parameters import ParameterError
from ros_support_pkg.running import run_node

class Mistake(Exception):
    pass

EVERYTHING = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)

class Example(Node):
    def __init__(self):
        import logging
        log = logging.getLogger("below")
        if "{fails}".startswith("logs"):
            log.warning("said before there is a node")
        if "{fails}" == "logs and fails":
            raise Mistake("no node")
        super().__init__("example")
        if "{fails}".startswith("logs"):
            log.warning("said while it is made")
            self.create_subscription(Log, "/rosout", self.hear, EVERYTHING)
        if "{fails}" == "mistake":
            raise Mistake("camera 'x' is unknown, known is 'y'")
        if "{fails}" == "interrupted":
            # As after Ctrl-C: the context ends, Python's exception comes while that is handled.
            import os, signal
            from rclpy._rclpy_pybind11 import RCLError
            rclpy.ok = lambda: os.kill(os.getpid(), signal.SIGINT)
            raise RCLError("context is invalid")
        if "{fails}".startswith("has no context for"):
            from interfaces_pkg.action import AskVlm
            from rclpy.action import ActionClient, ActionServer
            from std_srvs.srv import Trigger
            rclpy.shutdown()
            {
                "a publisher": lambda: self.create_publisher(Log, "x", 1),
                "a subscription": lambda: self.create_subscription(Log, "x", print, 1),
                "a client": lambda: self.create_client(Trigger, "x"),
                "a service": lambda: self.create_service(Trigger, "x", print),
                "a timer": lambda: self.create_timer(1.0, print),
                "a guard condition": lambda: self.create_guard_condition(print),
                "a node": lambda: Node("another"),
                "an action client": lambda: ActionClient(self, AskVlm, "x"),
                "an action server": lambda: ActionServer(self, AskVlm, "x", print),
            }["{fails}".removeprefix("has no context for ")]()
        if "{fails}" == "parameter":
            raise ParameterError("parameter 'x' is 1, allowed is 2")
        if "{fails}" == "bug":
            raise ZeroDivisionError
        if "{fails}" in ("thread", "thread while stuck"):
            import threading
            self.is_up = threading.Event()
            threading.Thread(target=self.listen, name="listener", daemon=True).start()
        if "{fails}" == "thread while stuck":
            import threading, ros_support_pkg.running
            ros_support_pkg.running.EXIT_TIMEOUT_S = 0.5
            self.create_timer(0.05, threading.Event().wait)
        if "{fails}" == "publishing":
            import threading
            self.publisher = self.create_publisher(Log, "words", 1)
            self.thread = threading.Thread(target=self.publish, args=[Log()], daemon=True)
            self.thread.start()
        self.create_timer(0.05, self.tell)

    def hear(self, said):
        print("heard", said.level, said.name, said.msg, flush=True)

    def publish(self, word):
        while True:
            self.publisher.publish(word)

    def tell(self):
        print("up", flush=True)
        if "{fails}" == "thread":
            self.is_up.set()
        if "{fails}".startswith("conversion"):
            # As pybind11 says it where Python's exception comes inside a conversion of its.
            if "{fails}".endswith("at the end"):
                rclpy.shutdown()
            if "{fails}".endswith("before the end"):
                import contextlib, signal
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
                rclpy.ok = lambda: True  # as before rclpy's thread has ended the context
            raise RuntimeError("Unable to convert call argument '0' to Python object")
        if "{fails}" == "publishing":
            raise KeyboardInterrupt  # as after Ctrl-C, before rclpy's thread has ended the context

    def listen(self):
        if "{fails}" == "thread":
            self.is_up.wait()  # so that there is a node to release
        raise OSError("the wait was cut short")

    def destroy_node(self):
        super().destroy_node()
        if "{fails}" == "publishing":
            self.thread.join()  # which has met what there was to meet
        print("released", flush=True)

sys.exit(run_node(Example, expected_errors=(Mistake,)))
"""


def start(
    fails: str = "", arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{fails}", fails), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )


#: Loaded before rcl: a thread that has woken another is not given the processor for a while.
HELD_UP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

int rcl_trigger_guard_condition(void *guard_condition)
{
  void *rcl = dlopen("librcl.so", RTLD_LAZY | RTLD_NOLOAD);
  int (*trigger)(void *) = (int (*)(void *))dlsym(rcl, "rcl_trigger_guard_condition");
  int status = trigger(guard_condition);
  if (syscall(SYS_gettid) != getpid()) usleep(100000);
  return status;
}
"""


@pytest.fixture
def held_up(tmp_path: Path) -> dict[str, str]:
    """Environment of a process whose threads are held up so, and whose freed memory is filled."""
    source, library = tmp_path / "held_up.c", tmp_path / "held_up.so"
    source.write_text(HELD_UP)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "MALLOC_PERTURB_": "85"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_freed_before_rclpys_thread_has_dealt_with_the_signal(
    ros_domain: dict[str, str], held_up: dict[str, str], number: signal.Signals
) -> None:
    """Otherwise it crashes: mostly under this thumb, and now and then on a loaded machine."""
    processes = [start(environment=held_up) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
    for process in processes:
        output, errors = process.communicate(timeout=patience(10.0))
        assert output.endswith("released\n")
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_cleanly(ros_domain: dict[str, str], number: signal.Signals) -> None:
    process = start()
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=patience(10.0))
    assert output.endswith("released\n")
    assert (process.returncode, errors) == (0, "")


def test_a_thread_that_publishes_meets_the_end_of_the_context_and_nothing_else(
    ros_domain: dict[str, str],
) -> None:
    """Not a publisher that is gone while all else is well, which would be a failure of ours."""
    process = start("publishing")
    output, errors = process.communicate(timeout=patience(10.0))
    assert output.endswith("released\n")
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("when", "status"), [("at the end", 0), ("before the end", 0), ("while all is well", 1)]
)
def test_ctrl_c_inside_a_conversion_is_an_end_like_any(
    ros_domain: dict[str, str], when: str, status: int
) -> None:
    """Now and then a node that was stopped while it took a message ended with a traceback."""
    process = start(f"conversion {when}")
    output, errors = process.communicate(timeout=patience(10.0))
    assert output.endswith("released\n")
    assert (process.returncode, "Unable to convert" in errors) == (status, status != 0)


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


def test_what_is_logged_while_a_node_is_made_is_in_its_log(ros_domain: dict[str, str]) -> None:
    process = start("logs")
    assert process.stdout is not None
    heard: list[str] = []
    while sum(line.startswith("heard") for line in heard) < 2:
        heard.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=patience(10.0))
    assert [line for line in heard if line.startswith("heard")] == [
        "heard 30 example said before there is a node\n",
        "heard 30 example said while it is made\n",
    ]
    assert errors.count("[WARN]") == 2, errors


def test_what_was_logged_is_not_lost_where_no_node_comes_of_it(ros_domain: dict[str, str]) -> None:
    process = start("logs and fails")
    _, errors = process.communicate(timeout=patience(30.0))
    assert errors == "said before there is a node\nerror: no node\n"


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_starts_nothing(ros_domain: dict[str, str], word: str) -> None:
    process = start("bug", arguments=[word, "--ros-args", "-p", "x:=1"])
    output, errors = process.communicate(timeout=patience(30.0))
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("usage: ")
    assert "\n\nExample node: an example, for tests.\n\n" in output
    assert "docs/ros_api.md" in output


def test_words_after_ros_args_are_no_call_for_help(ros_domain: dict[str, str]) -> None:
    process = start("mistake", arguments=["--ros-args", "-p", "x:=-h"])
    process.communicate(timeout=patience(30.0))
    assert process.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_mistake_that_is_started_again_waits(
    ros_domain: dict[str, str], number: signal.Signals
) -> None:
    """`ros2 launch` starts it again at once, for ever."""
    process = start("mistake", environment={"LAUNCH_RESPAWNS": "true"})
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == "error: camera 'x' is unknown, known is 'y'\n"
        assert process.stderr.readline().startswith("the node ends in 60 s: started again at once")
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(patience(10.0)) == 2
        assert process.stderr.read() == ""


def test_an_interrupt_while_it_is_made_is_quiet(ros_domain: dict[str, str]) -> None:
    process = start("interrupted")
    _, errors = process.communicate(timeout=patience(30.0))
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "made",
    [
        "a publisher",
        "a subscription",
        "a client",
        "a service",
        "a timer",
        "a guard condition",
        "a node",
        "an action client",
        "an action server",
    ],
)
def test_whatever_is_being_made_when_the_context_ends_is_an_end_like_any(
    ros_domain: dict[str, str], made: str
) -> None:
    """A node that was stopped while it made its action's client ended with a traceback."""
    process = start(f"has no context for {made}")
    _, errors = process.communicate(timeout=patience(30.0))
    assert process.returncode == 0
    assert "Traceback" not in errors  # rclpy itself warns of what an action could not free


def test_bug_shows_its_traceback(ros_domain: dict[str, str]) -> None:
    process = start("bug")
    _, errors = process.communicate(timeout=patience(30.0))
    assert process.returncode == 1
    assert "ZeroDivisionError" in errors


@pytest.mark.parametrize("fails", ["thread", "thread while stuck"])
def test_a_thread_that_fails_ends_its_process(ros_domain: dict[str, str], fails: str) -> None:
    process = start(fails)
    output, errors = process.communicate(timeout=patience(30.0))
    assert process.returncode == 1
    assert "thread 'listener' ended by OSError: the wait was cut short" in errors
    assert "in listen" in errors, "the traceback goes with it"
    assert output.endswith("released\n") or fails == "thread while stuck", "in an orderly way"


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_parameter_file_is_named(
    ros_domain: dict[str, str], tmp_path: Path, what: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(UNREADABLE[what])
    process = start(arguments=["--ros-args", "--params-file", str(path)])
    output, errors = process.communicate(timeout=patience(30.0))
    assert (process.returncode, output) == (2, "")
    assert errors.startswith(f"error: parameter file {path} cannot be read: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        (["-p", "x:=[1, a]"], "error: parameter override rule '-p x:=[1, a]': Sequence should"),
        (["--params-file", "/no.yaml"], "error: parameter file /no.yaml cannot be read: Error op"),
        (["--frobnicate"], "error: arguments ['--frobnicate'] after --ros-args are unknown to"),
    ],
)
def test_an_unreadable_argument_is_named(
    ros_domain: dict[str, str], argument: list[str], line: str
) -> None:
    process = start(arguments=["--ros-args", *argument])
    _, errors = process.communicate(timeout=patience(30.0))
    assert process.returncode == 2
    assert errors.startswith(line)
    assert errors.count("\n") == 1

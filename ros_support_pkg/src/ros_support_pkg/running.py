"""The one way in which a node of this workspace starts, spins and ends."""

import contextlib
import faulthandler
import gc
import logging
import os
import re
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError, UnknownROSArgsError
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import LoggingSeverity, get_logger_level, set_logger_level
from rclpy.node import Node
from rclpy.signals import uninstall_signal_handlers

from ros_support_pkg.log_handler import RosLogHandler
from ros_support_pkg.memory import giving_back
from ros_support_pkg.parameters import ParameterError
from ros_support_pkg.starting import interrupt_from_now_on, was_interrupted
from ros_support_pkg.threads import watching_threads

#: Destroying a Fast DDS participant may spin for ever with the GIL held (eProsima/Fast-DDS#6513);
#: the C watchdog of faulthandler then ends the process, before launch sends SIGTERM after 5 s.
EXIT_TIMEOUT_S = 4.0
_STOP_S = 1.0  # until an executor has ended what it was doing

#: Exit status after a user's mistake, as command-line tools have it.
EXIT_USAGE = 2

#: The launch files say by this variable whether a node is started again when it has ended.
RESPAWN_MARK = "LAUNCH_RESPAWNS"

#: `ros2 launch` starts again whatever ended, with whatever status: after a mistake the node waits
#: so long, lest a line of it comes every other second for ever.
RESPAWN_AFTER_MISTAKE_S = 60.0

#: Exit status after a failure of ours: a thread ended by an exception.
EXIT_FAILURE = 1

#: How rcl refuses an argument: what it is, what is wrong with it, and places in its own source.
_REFUSAL = re.compile(
    r"Couldn't parse (?P<what>[^:]+): '(?P<option>--?\S+) (?P<value>.*)'\. Error: (?P<reason>.*)",
    re.DOTALL,
)
_SOURCE_PLACES = re.compile(r"(\\n)?,? at [^ ,]*\.c(pp)?:\d+")


class ArgumentsError(Exception):
    """Say which argument or parameter file cannot be read, and why: one line for the user."""


@dataclass(frozen=True)
class NodeProgram:
    """A node as a program: how it is made, and what runs it. As entry point, see `sharing`.

    Attributes:
        make_node: the node's class; takes what `rclpy.node.Node` takes by name.
        expected_errors: exceptions of it that are the user's to mend: they become one line on
            standard error and status 2, without a traceback. ParameterError always does.
    """

    make_node: Callable[..., Node]
    expected_errors: tuple[type[Exception], ...] = ()
    make_executor: Callable[[], Executor] = SingleThreadedExecutor

    def __call__(self) -> int:
        """Run it alone, as `run_node` does; return the exit status."""
        return run_node(
            self.make_node, expected_errors=self.expected_errors, make_executor=self.make_executor
        )


@dataclass(frozen=True)
class Member:
    """One of the nodes of a process.

    Attributes:
        words: arguments of its own, as ROS has them: `--ros-args --params-file FILE ...`.
        name: in messages before there is a node; "" where the process has one node only.
    """

    program: NodeProgram
    words: tuple[str, ...] = ()
    name: str = ""

    def make(self) -> Node:
        """Make the node.

        Raises:
            ArgumentsError: one of its words, or a parameter file of them, cannot be read.
        """
        if not self.words:
            return self.program.make_node()
        try:
            return self.program.make_node(cli_args=list(self.words))
        except (RCLError, UnknownROSArgsError) as error:
            if not isinstance(error, UnknownROSArgsError) and not _REFUSAL.search(str(error)):
                raise
            raise ArgumentsError(_in_words(error)) from None


def run_node(
    make_node: Callable[..., Node],
    *,
    expected_errors: Sequence[type[Exception]] = (),
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
    args: Sequence[str] | None = None,
) -> int:
    """Run a node until SIGINT, SIGTERM or the end of its context; return the exit status.

    `--help` and `-h` before `--ros-args` start nothing: see `_say_what_it_is`.

    Args:
        expected_errors, make_executor: see `NodeProgram`.

    Raises:
        SystemExit: help was asked for; with status 0.
    """
    _say_what_it_is(make_node, sys.argv if args is None else args)
    return run_members(
        (Member(NodeProgram(make_node, tuple(expected_errors), make_executor)),), args
    )


def run_members(members: Sequence[Member], args: Sequence[str] | None) -> int:
    """Run nodes in this process, each by an executor of its own; return the exit status.

    They begin together and end together: at a signal, when one ends the context, or when one fails.
    One that a user's mistake keeps from starting is left out where they would be started again:
    again and again, the mistake would keep the others from their work.

    Args:
        args: for all of them; None: those of the process.
    """
    try:
        status = _run(members, args)
        if status == EXIT_USAGE and _is_respawned():
            wait_to_be_stopped(RESPAWN_AFTER_MISTAKE_S)
        return status
    except KeyboardInterrupt:
        # rclpy ends the context in the signal's handler; Python raises a moment later, maybe only
        # while what came of that is being dealt with.
        _end_context()
        faulthandler.cancel_dump_traceback_later()
        return 0


def _say_what_it_is(make_node: Callable[[], Node], words: Sequence[str]) -> None:
    """Print name, purpose and where the parameters stand, and leave, if help is asked for.

    What a node does is said by the first paragraph of its module's docstring.

    Raises:
        SystemExit: it was; with status 0.
    """
    own = list(words)
    if "--ros-args" in own:
        own = own[: own.index("--ros-args")]
    if not {"-h", "--help"} & set(own):
        return
    name = Path(sys.argv[0]).name
    purpose = (sys.modules[make_node.__module__].__doc__ or name).strip().split("\n\n")[0]
    print(  # noqa: T201 - this is what was asked for
        f"usage: {name} [--ros-args [-p NAME:=VALUE] [--params-file FILE] [-r FROM:=TO]]\n\n"
        f"{purpose}\n\n"
        f"Parameters, with defaults, units and ranges: config/{name}.param.yaml;\n"
        "parameters, topics and services: docs/ros_api.md.\n"
        "Usually `bringup --config config.yaml` starts it."
    )
    raise SystemExit(0)


def wait_to_be_stopped(longest_s: float) -> None:
    """Wait for SIGINT or SIGTERM, at most so long [s]."""
    # By a pipe: whichever thread the system gives the signal to, this one hears of it.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _say(f"the node ends in {longest_s:g} s: started again at once it would only say the same")
    select.select([reading], [], [], longest_s)


def _run(members: Sequence[Member], args: Sequence[str] | None) -> int:
    running: list[_Running] = []
    log = RosLogHandler(one.program.make_node.__module__ for one in members)
    watching = watching_threads(rclpy.try_shutdown, _is_end_of_context, EXIT_TIMEOUT_S)
    with giving_back(), watching as threads:
        member = members[0]
        try:
            interrupt_from_now_on()
            _init(args)
            logging.basicConfig(level=logging.INFO, handlers=[log])
            for member in members:
                one = _Running(member.program.make_executor())
                running.append(one)
                try:
                    one.node = member.make()
                except _mistakes(member) as error:
                    if not _is_respawned() or len(running) == 1 and member is members[-1]:
                        raise
                    _leave_out(running.pop(), member, error)
                    continue
                log.attach(one.node, member.program.make_node.__module__)
                one.executor.add_node(one.node)
                if one is not running[0]:
                    one.spin_in_thread()
            running[0].executor.spin()
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        except _mistakes(member) as error:
            log.tell_without_node()
            _say(f"error: {member.name}: {error}" if member.name and running else f"error: {error}")
            return EXIT_USAGE
        except Exception:
            # A signal ends the context under the feet of who waits or is being made: an RCLError,
            # of an action a ValueError. Where Python's KeyboardInterrupt comes while pybind11 makes
            # a message, it says RuntimeError, maybe before rclpy's thread has ended the context.
            if rclpy.ok() and not was_interrupted():
                raise
        finally:
            threads.arm(EXIT_TIMEOUT_S)
            log.tell_without_node()
            _end_context()
            for one in running:
                one.stop()
            for one in reversed(running):
                if one.node is not None:
                    one.node.destroy_node()
            threads.disarm()
    return EXIT_FAILURE if threads.has_failed else 0


def _mistakes(member: Member) -> tuple[type[Exception], ...]:
    """Return the exceptions that are the user's to mend."""
    return (ArgumentsError, ParameterError, *member.program.expected_errors)


def _is_respawned() -> bool:
    return os.environ.get(RESPAWN_MARK) == "true"


def _say(text: str) -> None:
    """Tell the user where there may be no node's log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class _Running:
    """A node with what runs it."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.node: Node | None = None
        self._thread: threading.Thread | None = None

    def spin_in_thread(self) -> None:
        """Run it beside the main thread, which runs another."""
        assert self.node is not None
        self._thread = threading.Thread(
            target=self._spin, name=f"executor of {self.node.get_name()}", daemon=True
        )
        self._thread.start()

    def _spin(self) -> None:
        try:
            self.executor.spin()
        except ExternalShutdownException:
            pass
        except Exception:
            if rclpy.ok() and not was_interrupted():  # as in `_run`
                raise

    def stop(self) -> None:
        """Have it run nothing any more; the context has ended."""
        self.executor.shutdown(timeout_sec=_STOP_S)
        if self._thread is not None:
            self._thread.join(_STOP_S)


def _leave_out(one: _Running, member: Member, error: Exception) -> None:
    """Say why a node is not there; what it had already made of itself goes."""
    _say(
        f"error: {member.name}: {error}; the other nodes of this process go on without it until "
        "they are started again"
    )
    one.stop()
    traceback.clear_frames(error.__traceback__)
    gc.collect()  # half a node holds itself, and would be seen as one


def _end_context() -> None:
    """Ignore signals from here on, and end the context when rclpy's thread for signals is done.

    That thread goes through a list of what it wakes without a lock. The first that it wakes may be
    the main thread, which, after Ctrl-C, frees the list at once: a crash in
    rcl_trigger_guard_condition (rclpy 7.1, src/rclpy/signal_handler.cpp) where the thread was not
    given the processor meanwhile. What still publishes in a thread finds the context ended.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    uninstall_signal_handlers()  # joins the thread
    rclpy.try_shutdown()


def _init(args: Sequence[str] | None) -> None:
    """Begin with ROS.

    Raises:
        ArgumentsError: an argument or a parameter file cannot be read.
    """
    level = get_logger_level("rcl")
    set_logger_level("rcl", LoggingSeverity.FATAL)  # it would only say that something is wrong
    try:
        rclpy.init(args=list(args) if args is not None else None)
    except (RCLError, UnknownROSArgsError) as error:
        raise ArgumentsError(_in_words(error)) from None
    finally:
        if get_logger_level("rcl") == LoggingSeverity.FATAL:  # no argument has set it
            set_logger_level("rcl", level)


def _in_words(error: RuntimeError) -> str:
    said = _SOURCE_PLACES.sub("", str(error)).strip()
    if isinstance(error, UnknownROSArgsError):
        return f"arguments {said} after --ros-args are unknown to ROS"
    refused = _REFUSAL.search(said)
    if refused is None:
        return said
    reason = refused["reason"]
    if refused["option"] != "--params-file":
        return f"{refused['what']} '{refused['option']} {refused['value']}': {reason}"
    return (
        f"parameter file {refused['value']} cannot be read: {reason}; allowed is YAML, indented by "
        "spaces, of the form 'node: ros__parameters: name: value', lists of one type"
    )


def _is_end_of_context(error: BaseException) -> bool:
    """Return whether Ctrl-C has taken the context from under a thread: no news."""
    return isinstance(error, RCLError | InvalidHandle) and not rclpy.ok()


@contextlib.contextmanager
def tolerating_shutdown(node: Node) -> Iterator[None]:
    """Let a thread of its own publish while Ctrl-C may end the context."""
    try:
        yield
    except RCLError:
        if node.context.ok():
            raise

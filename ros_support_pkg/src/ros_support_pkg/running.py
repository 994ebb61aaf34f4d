"""The one way in which a node of this workspace starts, spins and ends."""

import contextlib
import faulthandler
import logging
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import rclpy
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError, UnknownROSArgsError
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.logging import LoggingSeverity, get_logger_level, set_logger_level
from rclpy.node import Node
from rclpy.signals import uninstall_signal_handlers

from ros_support_pkg.parameters import ParameterError
from ros_support_pkg.starting import interrupt_from_now_on, was_interrupted
from ros_support_pkg.threads import watching_threads

#: Destroying a Fast DDS participant may spin for ever with the GIL held (eProsima/Fast-DDS#6513);
#: the C watchdog of faulthandler then ends the process, before launch sends SIGTERM after 5 s.
EXIT_TIMEOUT_S = 4.0

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


def run_node(
    make_node: Callable[[], Node],
    *,
    expected_errors: Sequence[type[Exception]] = (),
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
    args: Sequence[str] | None = None,
) -> int:
    """Run a node until SIGINT, SIGTERM or the end of its context; return the exit status.

    `--help` and `-h` before `--ros-args` start nothing: see `_say_what_it_is`.

    Args:
        expected_errors: exceptions of the constructor that are the user's to mend: they become one
            line on standard error and status 2, without a traceback. ParameterError always does.

    Raises:
        SystemExit: help was asked for; with status 0.
    """
    _say_what_it_is(make_node, sys.argv if args is None else args)
    try:
        status = _run(make_node, expected_errors, make_executor, args)
        if status == EXIT_USAGE and os.environ.get(RESPAWN_MARK) == "true":
            _wait_to_be_stopped(RESPAWN_AFTER_MISTAKE_S)
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


def _wait_to_be_stopped(longest_s: float) -> None:
    """Wait for SIGINT or SIGTERM, at most so long [s]."""
    # By a pipe: whichever thread the system gives the signal to, this one hears of it.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    print(  # noqa: T201 - there is no node's log any more
        f"the node ends in {longest_s:g} s: started again at once it would only say the same",
        file=sys.stderr,
        flush=True,
    )
    select.select([reading], [], [], longest_s)


def _run(
    make_node: Callable[[], Node],
    expected_errors: Sequence[type[Exception]],
    make_executor: Callable[[], Executor],
    args: Sequence[str] | None,
) -> int:
    node: Node | None = None
    executor: Executor | None = None
    log = _RosLogHandler()
    with watching_threads(rclpy.try_shutdown, _is_end_of_context, EXIT_TIMEOUT_S) as threads:
        try:
            interrupt_from_now_on()
            _init(args)
            executor = make_executor()
            logging.basicConfig(level=logging.INFO, handlers=[log])
            node = make_node()
            log.attach(node)
            executor.add_node(node)
            executor.spin()
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        except (ArgumentsError, ParameterError, *expected_errors) as error:  # type: ignore[misc]
            log.tell_without_node()
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - there may be no node's log
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
            if executor is not None:
                executor.shutdown(timeout_sec=1.0)
            if node is not None:
                node.destroy_node()
            threads.disarm()
    return EXIT_FAILURE if threads.has_failed else 0


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


class _RosLogHandler(logging.Handler):
    """Brings what the layers below log to the node's log; they know only Python's logging.

    What they say while the node is being made waits for it: its log, and with it /rosout, is there
    only then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logger: RcutilsLogger | None = None
        self._waiting: list[logging.LogRecord] = []

    def attach(self, node: Node) -> None:
        """Say to the node's log what has waited for it, and from now on all."""
        with self._held():
            self._logger = node.get_logger()
            for record in self._taken():
                self.emit(record)

    def tell_without_node(self) -> None:
        """Print on standard error what still waits: there was no node."""
        with self._held():
            for record in self._taken():
                print(record.getMessage(), file=sys.stderr)  # noqa: T201

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _taken(self) -> list[logging.LogRecord]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def emit(self, record: logging.LogRecord) -> None:
        if self._logger is None:
            self._waiting.append(record)
            return
        text = record.getMessage()
        # rclpy ties a level to the line of the call: one line for each level.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)

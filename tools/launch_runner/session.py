"""A launch file under test: started by the runner, watched by its output, gone at the end.

It reads only lines that `ros2 launch` prints as well, so `command=("ros2", "launch")` runs the same
test on a machine that has it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from patience import patience

T = TypeVar("T")

#: Command of the runner; the launch file and its arguments follow.
RUNNER = (sys.executable, str(Path(__file__).resolve().parent), "--with-parent")
_STARTED = re.compile(r"\[INFO\] \[(?P<label>[^]]+)\]: process started with pid \[(?P<pid>\d+)\]")
_ENDED = re.compile(
    r"\[(?:INFO|ERROR)\] \[(?P<label>[^]]+)\]: process has (?:finished cleanly|died) "
    r"\[pid \d+(?:, exit code (?P<status>-?\d+))?"
)
_STOP_TIMEOUT_S = 15.0  # the ladder of signals takes 10 s
_LINES_IN_MESSAGE = 40


@dataclass(frozen=True)
class ProcessState:
    """A process of the graph: `status` is None while it runs, -N after signal N."""

    label: str
    pid: int
    status: int | None = None


class LaunchSession:
    """Context manager around one running launch file.

    `target` is a path or (package, file name); `arguments` the launch arguments; `env` is laid over
    the environment of the test. All output is captured, that of `output: log` too. Start it in a
    thread that lives as long as the session (the kernel stops the runner when that thread ends).

    Processes are named by label (`camera-1`), or by name (`camera`) where only one has it; one that
    nodes share (`ros_support_pkg.sharing`) by the name of each of them, too.
    Every wait raises TimeoutError after `timeout_s` seconds (of the reference machine, see
    `patience`), or at once when the launch has ended; the message holds the last lines of output.
    """

    def __init__(
        self,
        target: str | Path | tuple[str, str],
        arguments: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
        command: Sequence[str] = RUNNER,
    ) -> None:
        names = target if isinstance(target, tuple) else (str(target),)
        values = [f"{name}:={value}" for name, value in (arguments or {}).items()]
        self._command = [*command, *names, *values]
        self._env = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "OVERRIDE_LAUNCH_PROCESS_OUTPUT": "both",
            **(env or {}),
        }
        self._has_own_log_dir = "ROS_LOG_DIR" not in (env or {})
        self._timeout_s = timeout_s
        self._lines: list[str] = []
        self._processes: dict[str, ProcessState] = {}
        self._shared: dict[str, tuple[str, ...]] = {}
        self._has_ended = False
        self._changed = threading.Condition()
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> LaunchSession:
        if self._has_own_log_dir:
            self._env["ROS_LOG_DIR"] = self._cleanup.enter_context(tempfile.TemporaryDirectory())
        self._popen = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="launch output", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._cleanup:
            try:
                self.stop(_STOP_TIMEOUT_S)
            finally:
                self._kill_all()
                # A fixture is not told how its test ended; pytest shows this where it failed.
                if error is not None or "PYTEST_CURRENT_TEST" in os.environ:
                    print("\n".join(["--- output of the launch ---", *self.lines]))

    @property
    def pid(self) -> int:
        """The process id of the runner."""
        return self._popen.pid

    @property
    def lines(self) -> list[str]:
        """Every line of output so far."""
        with self._changed:
            return list(self._lines)

    @property
    def processes(self) -> dict[str, ProcessState]:
        """The latest state of every process that was started, by label."""
        with self._changed:
            return dict(self._processes)

    def lines_of(self, process: str) -> list[str]:
        """The lines that one process has printed, without their prefix."""
        prefix = f"[{self._find(process).label}] "
        return [line.removeprefix(prefix) for line in self.lines if line.startswith(prefix)]

    def wait_for_line(
        self, pattern: str, *, start: int = 0, timeout_s: float | None = None
    ) -> re.Match[str]:
        """Wait until a line, `lines[start]` or later, contains the regular expression."""

        def search() -> re.Match[str] | None:
            matches = (re.search(pattern, line) for line in self._lines[start:])
            return next((match for match in matches if match), None)

        return self.wait_until(search, f"line with '{pattern}'", timeout_s=timeout_s)

    def wait_for_start(self, process: str, *, timeout_s: float | None = None) -> ProcessState:
        """Wait until a process has been started."""
        return self.wait_until(
            lambda: self._look_up(process), f"start of {process}", timeout_s=timeout_s
        )

    def wait_for_end(self, process: str, *, timeout_s: float | None = None) -> ProcessState:
        """Wait until a process has ended."""

        def ended() -> ProcessState | None:
            state = self._look_up(process)
            return state if state and state.status is not None else None

        return self.wait_until(ended, f"end of {process}", timeout_s=timeout_s)

    def wait_until(
        self, condition: Callable[[], T | None], what: str, *, timeout_s: float | None = None
    ) -> T:
        """Wait until `condition()` is true and return it; it is asked after each line of output."""
        result: T | None = None

        def is_decided() -> bool:
            nonlocal result
            result = condition()
            return bool(result) or self._has_ended

        with self._changed:
            self._changed.wait_for(is_decided, self._limit_s(timeout_s))
            if result:
                return result
            reason = "the launch ended without it" if self._has_ended else "timed out"
            tail = "\n".join(self._lines[-_LINES_IN_MESSAGE:])
        raise TimeoutError(f"waiting for {what}: {reason}; last lines:\n{tail}")

    def send(self, process: str, number: signal.Signals) -> None:
        """Send a signal to one process of the graph."""
        os.kill(self._find(process).pid, number)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._popen.send_signal(signal.SIGINT)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until the launch has ended; return its exit status."""
        try:
            status = self._popen.wait(self._limit_s(timeout_s))
        except subprocess.TimeoutExpired:
            tail = "\n".join(self.lines[-_LINES_IN_MESSAGE:])
            raise TimeoutError(f"waiting for the end of the launch; last lines:\n{tail}") from None
        self._reader.join()
        return status

    def stop(self, timeout_s: float | None = None) -> int:
        """Press Ctrl-C and wait; return the exit status. Does nothing after the end."""
        if self._popen.poll() is None:
            self.interrupt()
        return self.wait(timeout_s)

    def _limit_s(self, timeout_s: float | None) -> float:
        return patience(self._timeout_s if timeout_s is None else timeout_s)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for text in self._popen.stdout:
            with self._changed:
                self._note(text.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def _note(self, line: str) -> None:
        self._lines.append(line)
        if started := _STARTED.match(line):
            label = started["label"]
            self._processes[label] = ProcessState(label, int(started["pid"]))
            if nodes := _nodes_of(int(started["pid"])):
                self._shared[label] = nodes
        elif (ended := _ENDED.match(line)) and ended["label"] in self._processes:
            known = self._processes[ended["label"]]
            status = int(ended["status"] or 0)
            self._processes[known.label] = ProcessState(known.label, known.pid, status)

    def _look_up(self, process: str) -> ProcessState | None:
        found = [
            state
            for label, state in self._processes.items()
            if process in (label, label.rpartition("-")[0])
        ]
        # Only then: a process of its own has the node's name.
        found = found or [
            self._processes[label] for label, nodes in self._shared.items() if process in nodes
        ]
        if len(found) > 1:
            raise ValueError(f"'{process}' names {len(found)} processes; use one of their labels")
        return found[0] if found else None

    def _find(self, process: str) -> ProcessState:
        with self._changed:
            state = self._look_up(process)
            known = ", ".join(self._processes) or "none"
        if state is None:
            raise KeyError(f"'{process}' is no process of this launch; known: {known}")
        return state

    def _kill_all(self) -> None:
        """Leave nothing behind, whatever went wrong."""
        if self._popen.poll() is None:
            # Under `ros2 launch` the processes are in its group, under the runner in their own.
            running = [state.pid for state in self.processes.values() if state.status is None]
            for group in (self.pid, *running):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            self._popen.wait()
        self._reader.join(self._limit_s(_STOP_TIMEOUT_S))
        assert self._popen.stdout is not None
        self._popen.stdout.close()


def _nodes_of(pid: int) -> tuple[str, ...]:
    """Return the nodes that share a process, as its command line says; none where it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ()
    after = words[words.index("--with") + 1 :] if "--with" in words else []
    return tuple(filter(None, after[0].split(","))) if after else ()

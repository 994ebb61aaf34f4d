"""The main process of a container, or of a shell: starts one command and ends all that came of it.

`ros2 launch` answers SIGTERM by leaving its nodes alone, and a container's first process that does
not handle a signal never sees it. This one hands SIGTERM, SIGINT and SIGHUP on as the SIGINT that
`ros2 launch` ends its nodes by, in order; takes over what loses its parent (it is a subreaper), and
reaps it. What does not end is asked again, and killed at last.

Signals are waited for (sigtimedwait), not handled: nothing is interrupted half way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

import psutil

#: [s] that `ros2 launch` takes by itself, 5 s to SIGTERM and 5 s more to SIGKILL.
USUAL_TIMEOUT_S = 10.0
#: [s] after the first signal, where that is so; a container is given 20 s.
_TERM_S, _KILL_S = 12.0, 16.0
#: [s] the same for processes that lost their parent.
_ORPHANS_TERM_S, _ORPHANS_KILL_S = 5.0, 8.0
_POLL_S = 0.5
_AGAIN_S = 1.0  # a signal so soon after the one before is the same: sent to the group and to us
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # man 2 prctl


def run_as_main_process(
    command: Sequence[str], environment: Mapping[str, str], timeout_s: float = USUAL_TIMEOUT_S
) -> int:
    """Run a command to its end, and what it leaves behind; return its exit status (128 + signal).

    Args:
        timeout_s: that the command takes at most to end what it started.

    Raises:
        OSError: it cannot be started.
    """
    waited = {*_STOPPING, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,  # so that `ros2 launch` hands signals on to its nodes
            start_new_session=True,  # Ctrl-C comes to us alone, and from us
            preexec_fn=_prepare_child,
        )
        supervisor = _Supervisor(child.pid, timeout_s - USUAL_TIMEOUT_S)
        while not supervisor.is_over:
            supervisor.step(signal.sigtimedwait(waited, _POLL_S))
        child.returncode = supervisor.status  # it is reaped
        return supervisor.status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Supervisor:
    """The command and its descendants, from the first signal to the last process."""

    def __init__(self, pid: int, later_s: float) -> None:
        self._pid = pid
        self._later_s = later_s  # than usual
        self._status: int | None = None
        self._stop_s: float | None = None
        self._signal_s = 0.0
        self._sent: dict[int, int] = {}  # the last signal to each process that is left
        self.is_over = False

    @property
    def status(self) -> int:
        """Exit status of the command; 0 before its end."""
        return self._status or 0

    def step(self, info: signal.struct_siginfo | None) -> None:
        """Take a signal, or None after a while without one."""
        now_s = time.monotonic()
        self._reap()
        left = _descendants()
        self.is_over = self._status is not None and not left
        if info is not None and info.si_signo in _STOPPING:
            self._stop(now_s)
        if self._stop_s is None:
            if self._status is None or not left:
                return
            self._stop_s = now_s  # the command is gone, its children are not
        self._end(left, now_s - self._stop_s)

    def _stop(self, now_s: float) -> None:
        """Ask the command to end; asked again, take the next step at once."""
        if self._stop_s is None:
            self._stop_s = now_s
            self._send(self._pid, signal.SIGINT)
        elif now_s - self._signal_s > _AGAIN_S:
            self._stop_s -= _TERM_S + self._later_s
        self._signal_s = now_s

    def _end(self, left: Sequence[int], since_s: float) -> None:
        is_orphaned = self._status is not None
        term_s, kill_s = _ORPHANS_TERM_S, _ORPHANS_KILL_S
        if not is_orphaned:
            term_s, kill_s = _TERM_S + self._later_s, _KILL_S + self._later_s
        for pid in left:
            if since_s >= kill_s:
                self._send(pid, signal.SIGKILL)
            elif since_s >= term_s:
                self._send(pid, signal.SIGTERM)
            elif is_orphaned:
                self._send(pid, signal.SIGINT)

    def _send(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a process, once."""
        if self._sent.get(pid) != number:
            self._sent[pid] = number
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self) -> None:
        """Reap all that has ended: our child, and what was handed to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._status = 128 - code if code < 0 else code
                if self._stop_s is not None:
                    self._stop_s = time.monotonic()  # what is left has its own times


def _descendants() -> list[int]:
    """Return the process ids of all below us, those that have ended and are not reaped, too."""
    return [process.pid for process in psutil.Process().children(recursive=True)]


def _prepare_child() -> None:
    """Give the child the usual signals, and an end with ours, in its process before it starts."""
    for number in (*_STOPPING, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_STOPPING, signal.SIGCHLD})
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)

"""One child process: its start, its lines of output, its process group, its end. Linux only."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from typing import IO

from launch_runner.plan import ProcessPlan

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_DRAIN_TIMEOUT_S = 1.0
_libc = ctypes.CDLL(None)  # loaded here: nothing may be loaded between fork and exec


def end_with_parent(parent_pid: int, number: signal.Signals) -> None:
    """Have the kernel send this process `number` when its parent's starting thread ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), number)


class _Lines(asyncio.Protocol):
    """Cuts what a pipe delivers into lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self.closed = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            self._on_line(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._rest:
            self._on_line(self._rest)
        self.closed.set_result(None)


class Child:
    """A started process, leader of its own session and process group.

    The kernel kills it if the runner dies; what it has started itself is killed when it ends.
    """

    def __init__(self, plan: ProcessPlan, on_line: Callable[[str, bool], None]) -> None:
        """Start the process. `on_line` gets each line, and whether it came from stderr.

        Raises OSError when the program cannot be run.
        """
        runner_pid = os.getpid()
        self._popen = subprocess.Popen(
            plan.command,
            env=dict(plan.environment),
            cwd=plan.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # Safe here: the runner has one thread.
            preexec_fn=lambda: end_with_parent(runner_pid, signal.SIGKILL),
        )
        self.pid = self._popen.pid
        self._on_line = on_line

    async def wait(self) -> int:
        """Pass on output until the process has ended; return its status, -N after signal N."""
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        readers = [
            await self._connect(self._popen.stdout, is_stderr=False),
            await self._connect(self._popen.stderr, is_stderr=True),
        ]
        await _ended(self.pid)
        # Not reaped yet, so the number cannot belong to anybody else.
        self.send(signal.SIGKILL)
        status = self._popen.wait()
        # A grandchild in a session of its own may hold the pipes open for ever.
        await asyncio.wait([lines.closed for _, lines in readers], timeout=_DRAIN_TIMEOUT_S)
        for transport, _ in readers:
            transport.close()
        return status

    async def _connect(
        self, pipe: IO[bytes], is_stderr: bool
    ) -> tuple[asyncio.ReadTransport, _Lines]:
        def make_protocol() -> _Lines:
            return _Lines(lambda line: self._on_line(line, is_stderr))

        return await asyncio.get_running_loop().connect_read_pipe(make_protocol, pipe)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and to what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


async def _ended(pid: int) -> None:
    """Wait until a child has ended, without reaping it."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    ended = loop.create_future()
    loop.add_reader(descriptor, ended.set_result, None)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)

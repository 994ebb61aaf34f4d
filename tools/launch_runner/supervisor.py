"""Starts the processes of a plan, restarts those that want it, and stops them all.

Stopping is a ladder: SIGINT, after `sigterm_timeout` SIGTERM, after `sigkill_timeout` SIGKILL. It
begins with the first SIGINT or SIGTERM, or with the end of a required process; each further signal
takes the next step at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal

from launch_runner.child import Child
from launch_runner.console import Console
from launch_runner.plan import LaunchPlan, ProcessPlan

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CANNOT_START_STATUS = 127  # as shells have it
_USAGE_STATUS = 2  # as command-line tools and this workspace's nodes have it
#: Some mistakes mend themselves (an address that is not there yet): tried again after 1, 2, 4, ..
#: times `respawn_delay`.
_RETRIES_AFTER_MISTAKE = 5


class Supervisor:
    """Runs one plan once."""

    def __init__(self, plan: LaunchPlan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._running: dict[str, Child] = {}
        self._stopping = asyncio.Event()
        self._next_step = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until every process has ended.

        Returns 0, or the status of the required process whose end stopped the launch (128 + N
        after signal N).
        """
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        ladder = asyncio.create_task(self._stop())
        keeping = asyncio.ensure_future(self._keep_all())
        try:
            await asyncio.wait([ladder, keeping], return_when=asyncio.FIRST_COMPLETED)
            if ladder.done():
                await ladder  # raises where nothing could be stopped any more
            await keeping
        finally:
            ladder.cancel()
            for child in self._running.values():
                child.send(signal.SIGKILL)
        return self._status

    async def _keep_all(self) -> None:
        await asyncio.gather(*(self._keep(process) for process in self._plan.processes))

    def _on_signal(self, number: signal.Signals) -> None:
        name = "user interrupted with ctrl-c (SIGINT)" if number is signal.SIGINT else number.name
        again = " again, taking the next step" if self._stopping.is_set() else ""
        self._console.message("WARNING", "launch", name + again)
        if self._stopping.is_set():
            self._next_step.set()
        self._stopping.set()

    async def _keep(self, plan: ProcessPlan) -> None:
        """Run one process until it has ended for good."""
        mistakes = 0  # in a row
        while not self._stopping.is_set():
            status = await self._run_once(plan)
            mistakes = mistakes + 1 if status == _USAGE_STATUS else 0
            if self._stopping.is_set():
                return
            if plan.is_required:
                self._console.message("INFO", "launch", f"{plan.label} is required: shutting down")
                self._status = status if status >= 0 else 128 - status
                self._stopping.set()
            if not plan.respawn:
                return
            if mistakes > _RETRIES_AFTER_MISTAKE:
                text = f"{mistakes} times exit code {status}, a mistake: it is not started again"
                self._console.message("ERROR", plan.label, text)
                return
            delay_s = plan.respawn_delay_s * 2 ** max(0, mistakes - 1)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def _run_once(self, plan: ProcessPlan) -> int:
        def show(line: str, is_stderr: bool) -> None:
            self._console.line(f"[{plan.label}] {line}", plan.shows[is_stderr])

        try:
            child = Child(plan, show)
        except OSError as error:
            text = f"cannot start '{plan.command[0]}': {error.strerror}"
            self._console.message("ERROR", plan.label, text)
            return _CANNOT_START_STATUS
        self._running[plan.label] = child
        self._console.message("INFO", plan.label, f"process started with pid [{child.pid}]")
        try:
            status = await child.wait()
        finally:
            del self._running[plan.label]
        if status == 0:
            text = f"process has finished cleanly [pid {child.pid}]"
            self._console.message("INFO", plan.label, text)
        else:
            command = " ".join(plan.command)
            text = f"process has died [pid {child.pid}, exit code {status}, cmd '{command}']."
            self._console.message("ERROR", plan.label, text)
        return status

    async def _stop(self) -> None:
        await self._stopping.wait()
        self._send(signal.SIGINT)
        await self._wait_for_step(self._plan.sigterm_timeout_s, "SIGINT", "SIGTERM")
        self._send(signal.SIGTERM)
        await self._wait_for_step(self._plan.sigkill_timeout_s, "SIGTERM", "SIGKILL")
        self._send(signal.SIGKILL)

    async def _wait_for_step(self, timeout_s: float, sent: str, following: str) -> None:
        self._next_step.clear()
        try:
            await asyncio.wait_for(self._next_step.wait(), timeout_s)
        except asyncio.TimeoutError:
            for label in self._running:
                text = (
                    f"process[{label}] failed to terminate '{timeout_s:g}' seconds after "
                    f"receiving '{sent}', escalating to '{following}'"
                )
                self._console.message("ERROR", label, text)

    def _send(self, number: signal.Signals) -> None:
        for label, child in self._running.items():
            text = f"sending signal '{number.name}' to process[{label}]"
            self._console.message("INFO", label, text)
            child.send(number)

"""The development stack of one compose file: up, down, and what can be asked of it meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from free_port import free_port
from patience import wait_until

from containers.engine import ContainerError, Engine

ROBOT, STUB, GIMBAL = "semantic-detection", "vlm-stub", "mock-gimbal"
SERVICES = (ROBOT, STUB, GIMBAL)
#: Those with a health check.
CHECKED = (ROBOT, STUB)
TOKEN = "a token of this check"
HEALTHY_S = 60.0
_POLL_S = 0.2


class Stack:
    """Three containers, their network and volumes; the ports are free ones of the loopback."""

    def __init__(self, engine: Engine, project: str, files: Sequence[Path]) -> None:
        self.engine = engine
        self.project = project
        self.page_port, self.gimbal_port = free_port(), free_port()
        self._files = files
        self._environment = {
            "DASHBOARD_PORT": str(self.page_port),
            "MOCK_GIMBAL_PORT": str(self.gimbal_port),
            "DASHBOARD_TOKEN": TOKEN,
            "BASE_IMAGE": "localhost/base-of-debian:12",
        }

    def compose(self, *words: str, timeout_s: float = 120.0) -> float:
        """Run podman-compose for this stack; return how long it took, in s."""
        begin_s = time.monotonic()
        self.engine.compose(
            self.project,
            self._files,
            *words,
            environment=self._environment,
            timeout_s=timeout_s,
        )
        return time.monotonic() - begin_s

    def container(self, service: str) -> str:
        """Return a container's name."""
        return f"{self.project}_{service}_1"

    def state(self, service: str) -> dict[str, Any]:
        """Return what the engine says of a container's state."""
        state: dict[str, Any] = self.engine.inspect("inspect", self.container(service))["State"]
        return state

    def main_process(self, service: str) -> int:
        """Return the process id, on the host, of the container's first process; 0: none."""
        return int(self.state(service)["Pid"])

    def is_well(self, service: str) -> bool:
        """Ask as the engine would: the container's own health check."""
        words = ("podman", "healthcheck", "run", self.container(service))
        return self.engine.run(*words, is_checked=False).returncode == 0

    def wait_until_well(self, timeout_s: float = HEALTHY_S) -> float:
        """Wait for all health checks; return how long it took, in s.

        Raises:
            AssertionError: one never was, with what it said last.
        """
        begin_s = time.monotonic()
        for service in CHECKED:
            try:
                wait_until(partial(self.is_well, service), service, timeout_s, _POLL_S)
            except AssertionError as error:
                last = self.log(service).splitlines()[-3:]
                raise AssertionError(f"{error}; it says {' | '.join(last)}") from None
        return time.monotonic() - begin_s

    def exec(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container; the caller looks at its status."""
        return self.engine.run("podman", "exec", self.container(service), *words, is_checked=False)

    def log(self, service: str) -> str:
        """Return all that a container has printed, both streams."""
        done = self.engine.run("podman", "logs", self.container(service), is_checked=False)
        return done.stdout + done.stderr

    def kill(self, service: str) -> None:
        """End a container's first process at once, and with it all others: as the kernel would."""
        os.kill(self.main_process(service), signal.SIGKILL)

    def volume(self, name: str) -> Path:
        """Return where the files of a named volume lie on the host."""
        return Path(
            self.engine.inspect("volume", "inspect", f"{self.project}_{name}")["Mountpoint"]
        )

    def volumes(self) -> list[str]:
        """Return the names of all volumes, nameless ones by their number."""
        return sorted(self.engine.podman("volume", "ls", "--quiet").split())

    def memory_mb(self) -> dict[str, float]:
        """Return what the kernel counts for each container, without the page cache."""
        text = self.engine.podman("stats", "--no-stream", "--no-reset", "--format", "json")
        found = {one["name"]: one["mem_usage"].split("/")[0].strip() for one in json.loads(text)}
        units = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}
        return {
            service: float(used[:-2]) * units.get(used[-2:], 1e-6)
            for service in SERVICES
            if (used := found.get(self.container(service)))
        }

    def get(self, path: str, *, token: str = TOKEN) -> tuple[int, bytes]:
        """Ask the page, as a browser on this machine does; return status and body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.page_port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=5.0) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def section(self, name: str) -> dict[str, Any]:
        """Return the newest of one section of `/api/state`; {} where the page cannot be asked."""
        try:
            status, body = self.get(f"/api/state/{name}")
            found = json.loads(body) if status == 200 else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def containers(self) -> list[str]:
        """Return the names of the containers that there are, running or not."""
        return self.engine.podman("ps", "--all", "--format", "{{.Names}}").split()

    def down(self, *words: str) -> float:
        """Stop and remove; return how long it took, in s."""
        try:
            return self.compose("down", *words)
        except ContainerError as error:
            raise AssertionError(f"down: {error}") from error

"""Podman with a storage, networks and volumes of its own, and podman-compose upon it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Program or file -> Debian's package. netavark and aardvark-dns are no commands.
NEEDED = {
    "podman": "podman",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "catatonit": "catatonit",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "iptables": "iptables",
    "git": "git",
}
_PROCESSES_MAX = (
    32768  # the kernel refuses some larger ones where this process may not raise its own
)
_REMOVALS, _REMOVAL_S = 5, 300.0
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
init_path = "{catatonit}"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""


class ContainerError(Exception):
    """A command of the engine failed; the message is its last words."""


def missing() -> list[str]:
    """Return Debian's packages that this machine lacks; "root" where the user is not."""
    lacks = [package for name, package in NEEDED.items() if shutil.which(name) is None]
    return lacks if os.geteuid() == 0 else ["root", *lacks]


class Engine:
    """An engine whose files all lie below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("storage", "run", "tmp", "networks"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        files, processes = (
            resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
        )
        if processes == resource.RLIM_INFINITY or processes > _PROCESSES_MAX:
            processes = _PROCESSES_MAX
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        (folder / "containers.conf").write_text(
            _CONTAINERS.format(
                folder=folder,
                files=files,
                processes=processes,
                catatonit=shutil.which("catatonit"),
            )
        )
        self._environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",  # a build needs no right to make name spaces
        }

    def run(
        self,
        *words: str,
        timeout_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
        is_checked: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with this engine's files.

        Raises:
            ContainerError: it failed, or did not end in time.
        """
        try:
            done = subprocess.run(
                words,
                env={**self._environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ContainerError(f"{words[0]} {words[1]}: no end in {timeout_s:.0f} s") from None
        if is_checked and done.returncode != 0:
            said = " | ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
            raise ContainerError(f"{words[0]} {words[1]}: status {done.returncode}: {said}")
        return done

    def podman(self, *words: str, timeout_s: float = 120.0) -> str:
        """Run podman; return what it printed.

        Raises:
            ContainerError: see `run`.
        """
        return self.run("podman", *words, timeout_s=timeout_s).stdout

    def inspect(self, *words: str) -> Any:
        """Return what `podman ... inspect` says of one thing."""
        return json.loads(self.podman(*words))[0]

    def compose(
        self,
        project: str,
        files: Sequence[Path],
        *words: str,
        environment: Mapping[str, str],
        timeout_s: float = 120.0,
    ) -> str:
        """Run podman-compose, the one beside this Python; return what it printed.

        Raises:
            ContainerError: see `run`.
        """
        program = str(Path(sys.executable).with_name("podman-compose"))
        chosen = [word for file in files for word in ("-f", str(file))]
        return self.run(
            *(program, "-p", project, *chosen, *words),
            timeout_s=timeout_s,
            environment=environment,
        ).stdout

    def has_image(self, name: str) -> bool:
        """Return whether an image is there."""
        return self.run("podman", "image", "exists", name, is_checked=False).returncode == 0

    def remove(self, *, with_storage: bool) -> None:
        """End and remove every container, volume and network; with the storage all else, too."""
        for _ in range(_REMOVALS):  # one that is just being started again may slip through
            self._try("rm", "--all", "--force", "--time", "0", "--volumes")
            if not self._try("ps", "--all", "--quiet").strip():
                break
        self._try("volume", "prune", "--force")
        self._try("network", "prune", "--force")
        if not with_storage:
            return
        self._try("rmi", "--all", "--force")
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            place = line.split()[1]
            if Path(place).is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _try(self, *words: str) -> str:
        """Run podman; what it did not manage shows in what is there afterwards."""
        try:
            return self.run("podman", *words, timeout_s=_REMOVAL_S, is_checked=False).stdout
        except ContainerError as error:
            return str(error)

"""A real llama-server on a Unix socket, as `make vlm-check` has built it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from patience import patience, wait_until

from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.transport.client import read_health

#: Where the server and its model lie; "": they were not built.
FOLDER = os.environ.get("LLAMA_FOLDER", "")
ALIAS = "gemma-3-270m"
NOT_BUILT = "no llama-server: `make vlm-check` builds one and sets LLAMA_FOLDER"


@dataclass
class LlamaServer:
    """A process that serves; its files go with `close`."""

    path: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def status(self) -> str:
        """What our client reads of its health: "ok", "loading" or "none"."""
        try:
            return str(read_health(self.path)["status"])
        except ServiceError:
            return "none"

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.is_gone or self.status == "ok", "llama-server to be ready", 60.0)
        assert not self.is_gone, self.log.read_text(errors="replace")[-2000:]

    @property
    def is_gone(self) -> bool:
        return self.process.poll() is not None

    @property
    def is_busy(self) -> bool:
        """Whether one of its slots has work, as it says itself."""
        _, slots = request(self.path, "GET", "/slots")
        return any(slot["is_processing"] for slot in slots)

    @property
    def cpu_s(self) -> float:
        """Seconds that all its threads have computed."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def kill(self) -> None:
        """End it like a crash, which leaves the socket's file."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if not self.is_gone:
            self.process.send_signal(signal.SIGCONT)  # a stopped one does not hear the other
            self.process.terminate()
        try:
            self.process.wait(30.0)
        except subprocess.TimeoutExpired:
            self.kill()


#: As docs/vlm_protocol.md says: llama-server neither locks its socket nor removes one that a crash
#: left, and gives it the mode that is left of 0777.
GUARD = ("flock", "--no-fork", "--nonblock")
_CLEARED = 'rm -f "$0" && umask 007 && exec "$@"'


def start(path: str, *options: str, is_guarded: bool = True) -> LlamaServer:
    """Start a server; it loads its model for a while."""
    log = Path(path + ".log")
    words = [*GUARD, path + ".lock", "sh", "-c", _CLEARED, path] if is_guarded else []
    words += [f"{FOLDER}/llama-server", "--model", f"{FOLDER}/model.gguf", "--alias", ALIAS]
    words += ["--host", path, "--parallel", "1", "--cache-ram", "0", "--threads", "1", *options]
    with log.open("ab") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    return LlamaServer(path, process, log)


@contextlib.contextmanager
def begun(*options: str) -> Iterator[LlamaServer]:
    """Start a server, which loads its model for a while; end it."""
    # Not pytest's folder: a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        server = start(f"{folder}/vlm.sock", *options)
        try:
            yield server
        finally:
            server.close()


@contextlib.contextmanager
def serving(*options: str) -> Iterator[LlamaServer]:
    """Start a server, wait until it is ready, end it."""
    with begun(*options) as server:
        server.wait_until_ready()
        yield server


def request(path: str, method: str, target: str, document: Any = None) -> tuple[int, Any]:
    """Return status and JSON of the answer to a request without our client."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    with contextlib.closing(connection):
        connection.sock.settimeout(patience(120.0))
        connection.sock.connect(path)
        body = None if document is None else json.dumps(document).encode()
        connection.request(method, target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
    try:
        return answer.status, json.loads(data)
    except ValueError:
        return answer.status, data


def chat(path: str, **fields: Any) -> tuple[int, Any]:
    """Return what it answers to a question with these fields."""
    document = {"messages": [{"role": "user", "content": "Is there a tent?"}], "max_tokens": 8}
    return request(path, "POST", limits.CHAT_PATH, {**document, **fields})

"""Arbiter, detector, VLM service and a client as processes that can be stopped and killed.

`play_role` is one of them. The arbiter's core and thread, the kernel lock,
the epoch file, the VLM server and its client are the real ones; the detector's lifecycle and the
lease's services come over Unix sockets instead of ROS, because a node takes seconds to start. The
GPU is a `StandInGpu`: it notices when two are inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from semantic_detection_pkg.gpu import owners
from semantic_detection_pkg.gpu.core.messages import Answer, DetectorIs, Life, Transition
from semantic_detection_pkg.gpu.core.turns import ArbiterRules
from semantic_detection_pkg.gpu.errors import LockError
from semantic_detection_pkg.gpu.lock import KernelLock
from semantic_detection_pkg.gpu.runner import ArbiterRunner
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.replies import Token
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.model import FakeModel
from vlm_bridge_pkg.service.server import Options, VlmServer
from vlm_bridge_pkg.service.turn import Guards
from vlm_bridge_pkg.transport.client import VlmCall

#: Short patience: the rounds are many.
RULES = ArbiterRules(
    pause_timeout_s=0.5,
    answer_timeout_s=0.3,
    grace_period_s=0.3,
    max_lease_s=0.3,
    min_dwell_s=0.02,
    max_share=1.0,
    max_failures=3,
    initial_backoff_s=0.2,
    max_backoff_s=0.5,
    retry_s=0.05,
    retry_max_s=0.3,
)
_PF_EXITING = 0x4  # include/linux/sched.h; set before a dying process gives its locks back
_ROBOT = owners.robot("/")
_WORDS = ("yes", *([" indeed"] * 11))
_WORD_S = 0.005
_CALL_TIMEOUT_S = 0.2  # a client gives its lease back before the service has noticed
_ANSWER_TIMEOUT_S = 1.0


class StandInGpu:
    """Records who is inside. A process that has died is not, one that is stopped is."""

    def __init__(self, folder: Path) -> None:
        self._inside = folder / "inside"
        self._inside.mkdir(exist_ok=True)
        self.overlaps = folder / "overlaps"

    @contextlib.contextmanager
    def computing(self, who: str) -> Iterator[None]:
        """Be inside for a `with` block; whoever else is inside is written down."""
        mine = self._inside / f"{who}.{os.getpid()}.{_start_time(os.getpid())}"
        # Enter first, then look: of two that enter at once, one at least sees the other.
        mine.touch()
        try:
            others = [other for other in self.who() if other != mine.name]
            if others:
                with self.overlaps.open("a") as file:
                    file.write(f"{mine.name} met {others}\n")
            yield
        finally:
            mine.unlink()

    def who(self) -> list[str]:
        """Return the names of those inside that live."""
        return [name for name in os.listdir(self._inside) if _lives(name)]


def _start_time(pid: int) -> str:
    return _status(pid)[19]


def _status(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third, the state, on (man 5 proc)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _lives(name: str) -> bool:
    _, pid, start_time = name.rsplit(".", 2)
    try:
        fields = _status(int(pid))
    except OSError:
        return False
    is_ending = fields[0] in "ZX" or bool(int(fields[6]) & _PF_EXITING)
    return fields[19] == start_time and not is_ending


def exchange(path: Path, message: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
    """Send one line, read one line; None where nobody answers in time."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(message).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
            return answer
        except (OSError, ValueError):
            return None


def serve(path: Path, answer: Any) -> None:
    """Answer lines for ever, each on a thread of its own."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                reply = answer(json.loads(self.rfile.readline()))
                self.wfile.write(json.dumps(reply).encode() + b"\n")

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    path.unlink(missing_ok=True)
    Server(str(path), Handler).serve_forever()


def detector(folder: Path, lock_file: Path) -> None:
    """Be on the GPU while active, as the real one is; nobody starts it but the arbiter."""
    gpu, lock = StandInGpu(folder), KernelLock(lock_file, _ROBOT)
    life, inside, guard = Life.UNCONFIGURED, contextlib.ExitStack(), threading.Lock()

    def change(transition: Transition | None) -> Life:
        nonlocal life
        match life, transition:
            case Life.UNCONFIGURED, Transition.CONFIGURE:
                life = Life.INACTIVE
            case Life.INACTIVE, Transition.CLEANUP:
                life = Life.UNCONFIGURED
            case Life.INACTIVE, Transition.ACTIVATE:
                with contextlib.suppress(LockError):
                    lock.acquire(0.1)
                    inside.enter_context(gpu.computing("detector"))
                    life = Life.ACTIVE
            case Life.ACTIVE, Transition.DEACTIVATE:
                inside.close()
                lock.release()
                life = Life.INACTIVE
        return life

    def answer(message: dict[str, Any]) -> dict[str, Any]:
        name = message["transition"]
        with guard:
            return {"life": change(Transition(name) if name else None).value}

    serve(folder / "detector.sock", answer)


class _DetectorPort:
    """The arbiter's way to the detector; one exchange at a time, as its executor would."""

    def __init__(self, path: Path, runner: ArbiterRunner) -> None:
        self._orders: SimpleQueue[tuple[int, Transition | None]] = SimpleQueue()
        self._path, self._runner = path, runner
        threading.Thread(target=self._work, name="detector port", daemon=True).start()

    def query_state(self, serial: int) -> None:
        self._orders.put((serial, None))

    def order(self, serial: int, transition: Transition) -> None:
        self._orders.put((serial, transition))

    def _work(self) -> None:
        while True:
            serial, transition = self._orders.get()
            message = {"transition": transition.value if transition else None}
            answer = exchange(self._path, message, _ANSWER_TIMEOUT_S)
            life = Life(answer["life"]) if answer else Life.UNKNOWN
            self._runner.tell(DetectorIs(serial, life))


def arbiter(folder: Path, lock_file: Path) -> None:
    epoch_file = folder / "gpu.epoch"
    runner = ArbiterRunner(RULES, lock_file, epoch_file, (_ROBOT, owners.model(epoch_file)))
    runner.start(_DetectorPort(folder / "detector.sock", runner))

    def answer(message: dict[str, Any]) -> dict[str, Any]:
        replies: SimpleQueue[Answer] = SimpleQueue()
        holder = message["holder"]
        if "epoch" in message:
            runner.release(holder, message["epoch"], replies.put)
        else:
            runner.ask(holder, "test", 0, 1.0, 1.0, replies.put)
        reply = replies.get()
        return {"epoch": reply.lease.epoch if reply.lease else 0, "reason": reply.reason}

    serve(folder / "arbiter.sock", answer)


class _ComputingModel(FakeModel):
    """A model whose work is on the stand-in GPU."""

    def __init__(self, gpu: StandInGpu) -> None:
        super().__init__(_WORDS)
        self._gpu = gpu

    def generate(self, request: ChatRequest) -> Generator[Token, None, None]:
        with self._gpu.computing("vlm"):
            for token in super().generate(request):
                time.sleep(_WORD_S)
                yield token


def vlm(folder: Path, lock_file: Path) -> None:
    guards = Guards(lock_file, folder / "gpu.epoch")
    server = VlmServer(folder / "vlm.sock", _ComputingModel(StandInGpu(folder)), Options(guards))
    server.load()
    server.serve_forever()


def client(folder: Path, _: Path) -> None:
    """Ask without end; write down each answer."""
    holder, path = f"client-{os.getpid()}", folder / "arbiter.sock"
    request = ChatRequest("Is it there?", is_streaming=True)
    while True:
        lease = exchange(path, {"holder": holder}, 3.0)
        if not lease or not lease["epoch"]:
            time.sleep(0.02)
            continue
        with contextlib.suppress(ServiceError):
            call = VlmCall(str(folder / "vlm.sock"))
            call.ask(request, epoch=lease["epoch"], timeout_s=_CALL_TIMEOUT_S)
            with (folder / "answers").open("a") as file:
                file.write(f"{lease['epoch']}\n")
        exchange(path, {"holder": holder, "epoch": lease["epoch"]}, 1.0)


ROLES = {"arbiter": arbiter, "detector": detector, "vlm": vlm, "client": client}


def play_role(role: str, folder: Path, has_lock: bool) -> None:
    """Be one party, for ever; what it says goes to a file.

    Args:
        has_lock: all share one lock file; else each has its own, to see what the lock is for.
    """
    with (folder / f"{role}.log").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    ROLES[role](folder, folder / ("gpu.lock" if has_lock else f"{role}.lock"))

"""Service and stub over a real socket, with the client, with raw bytes, with random requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from patience import patience, wait_until

from semantic_detection_pkg.gpu.epoch_file import write_epoch
from semantic_detection_pkg.gpu.lock import KernelLock, is_free
from vlm_bridge_pkg.errors import ConfigurationError, ServiceError
from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.protocol.pictures import read_picture
from vlm_bridge_pkg.protocol.refusal import STATUS
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.model import FakeModel
from vlm_bridge_pkg.service.server import Options, VlmServer
from vlm_bridge_pkg.service.turn import Guards
from vlm_bridge_pkg.stub.faults import FAULTS, Script, ScriptedModel, StubHandler
from vlm_bridge_pkg.stub.llama import LLAMA_REFUSALS
from vlm_bridge_pkg.transport.client import VlmCall, read_health

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
QUESTION = ChatRequest("Is it there?", read_picture(JPEG), is_streaming=True)


@contextlib.contextmanager
def serving(server: VlmServer) -> Iterator[VlmServer]:
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.released.set()


@pytest.fixture
def stub(tmp_path: Path, script: Script) -> Iterator[VlmServer]:
    """A stub under a lease and a lock; the newest epoch is 7."""
    write_epoch(tmp_path / "gpu.epoch", 7)
    guards = Guards(tmp_path / "gpu.lock", tmp_path / "gpu.epoch")
    options = Options(guards, read_timeout_s=patience(0.5))
    server = VlmServer(tmp_path / "vlm.sock", ScriptedModel(script), options, StubHandler)
    server.load()
    with serving(server):
        yield server


def ask(server: VlmServer, *, epoch: int | None = 7, timeout_s: float | None = None) -> str:
    call = VlmCall(str(server.server_address))
    return call.ask(QUESTION, epoch=epoch, timeout_s=timeout_s or patience(5.0)).text


def health(server: VlmServer) -> dict[str, Any]:
    return read_health(str(server.server_address), patience(5.0))


def raw(
    server: VlmServer,
    body: bytes,
    headers: str = "",
    path: str = limits.CHAT_PATH,
    *,
    repeats: int = 1,
) -> int:
    """Status of the answer to a request written by hand; -1: none came.

    Args:
        repeats: the body is that many times `body`.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.server_address))
        connection.settimeout(patience(5.0))
        length = repeats * len(body)
        head = f"POST {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n"
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(head.encode())
            for _ in range(repeats):
                connection.sendall(body)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
        except (http.client.HTTPException, OSError):
            return -1
        return response.status


def wait_until_free(server: VlmServer) -> None:
    wait_until(lambda: not server.turn.is_busy, "the service to be free again")


def test_a_streamed_answer(stub: VlmServer, script: Script) -> None:
    script.p_yes = 0.75
    texts: list[str] = []
    request = ChatRequest("?", is_streaming=True, wants_logprobs=True)
    call = VlmCall(str(stub.server_address))
    reply = call.ask(request, epoch=7, timeout_s=patience(5.0), on_text=texts.append)
    assert (reply.text, reply.model, reply.is_cut) == ("yes\nit is there", "stub", False)
    # Pieces that have come together are one text: how many there are is the machine's affair.
    assert all(text.startswith("yes") for text in texts)
    assert texts == sorted(set(texts), key=len)
    assert texts[-1] == reply.text
    assert np.exp(reply.first_logprobs["yes"]) == pytest.approx(0.75)


def test_an_answer_is_cut_at_the_limit(stub: VlmServer) -> None:
    request = ChatRequest("?", is_streaming=True, max_tokens=2)
    call = VlmCall(str(stub.server_address))
    assert call.ask(request, epoch=7, timeout_s=patience(5.0)).is_cut


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("hang", "timeout"),
        ("rubbish", "unreadable"),
        ("half", "cut_off"),
        ("busy", "busy"),
        ("stale", "stale_epoch"),
        ("huge", "unreadable"),
        ("failed", "model_failed"),
        ("blind", "no_vision"),
        ("overflow", "too_large"),
        ("cold", "loading"),
    ],
)
def test_each_fault_has_its_cause(stub: VlmServer, script: Script, fault: str, cause: str) -> None:
    script.fault, script.fault_count = fault, 1
    with pytest.raises(ServiceError) as error:
        ask(stub, timeout_s=0.5 if fault == "hang" else None)
    assert error.value.cause == cause
    script.released.set()
    wait_until_free(stub)
    assert ask(stub) == "yes\nit is there"


def test_every_fault_is_tested() -> None:
    tested = {"hang", "rubbish", "half", "busy", "stale", "huge", "failed"} | set(LLAMA_REFUSALS)
    assert set(FAULTS) - tested == {"none", "slow", "crash"}, "slow and crash below"


def test_a_cancel_reaches_the_service(stub: VlmServer, script: Script) -> None:
    script.piece_s = 0.05
    script.answers = ("yes " * 100,)
    call = VlmCall(str(stub.server_address))
    with pytest.raises(ServiceError) as error:
        call.ask(QUESTION, epoch=7, timeout_s=patience(20.0), on_text=lambda _: call.cancel())
    assert error.value.cause == "cancelled"
    wait_until_free(stub)


def test_one_at_a_time(stub: VlmServer, script: Script) -> None:
    script.fault = "hang"
    answers: list[str] = []
    first = threading.Thread(target=lambda: answers.append(ask(stub, timeout_s=patience(30.0))))
    first.start()
    wait_until(lambda: stub.turn.is_busy, "the first request")
    assert health(stub)["busy"], "health answers meanwhile"
    with pytest.raises(ServiceError, match="another request") as error:
        ask(stub)
    assert error.value.cause == "busy"
    script.released.set()
    first.join()
    assert answers == ["yes\nit is there"]


@pytest.mark.parametrize(
    ("epoch", "cause"), [(6, "stale_epoch"), (8, "stale_epoch"), (None, "epoch_missing")]
)
def test_only_the_newest_lease_computes(stub: VlmServer, epoch: int | None, cause: str) -> None:
    with pytest.raises(ServiceError) as error:
        ask(stub, epoch=epoch)
    assert error.value.cause == cause


def test_computes_with_the_lock_only(stub: VlmServer, script: Script, tmp_path: Path) -> None:
    detector = KernelLock(tmp_path / "gpu.lock")
    detector.acquire(0.0)
    with pytest.raises(ServiceError) as error:
        ask(stub)
    assert error.value.cause == "gpu_busy"
    detector.release()
    script.fault = "hang"  # between its first word and the next
    seen: list[bool] = []

    def look(_: str) -> None:
        seen.append(is_free(detector.path))
        script.released.set()

    call = VlmCall(str(stub.server_address))
    call.ask(QUESTION, epoch=7, timeout_s=patience(5.0), on_text=look)
    assert seen[0] is False
    assert is_free(detector.path), "with the end of the answer"


def test_the_end_of_an_answer_is_the_end_of_the_turn(
    stub: VlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has read a whole answer and asks again at once is never told that another is asking."""
    release = KernelLock.release

    def release_slowly(lock: KernelLock) -> None:
        time.sleep(0.05)  # as where other processes have the processor
        release(lock)

    monkeypatch.setattr(KernelLock, "release", release_slowly)
    assert [ask(stub) for _ in range(4)] == ["yes\nit is there"] * 4
    whole = json.dumps({**good(), "stream": False}).encode()
    assert [raw(stub, whole, "X-Lease-Epoch: 7\r\n") for _ in range(4)] == [200] * 4


def test_a_replaced_lock_file_stops_the_answer(
    stub: VlmServer, script: Script, tmp_path: Path
) -> None:
    script.fault = "hang"  # between its first word and the next

    def replace(_: str) -> None:
        (tmp_path / "gpu.lock").unlink(missing_ok=True)
        script.released.set()

    call = VlmCall(str(stub.server_address))
    with pytest.raises(ServiceError) as error:
        call.ask(QUESTION, epoch=7, timeout_s=patience(5.0), on_text=replace)
    assert error.value.cause == "gpu_busy"


def good() -> dict[str, object]:
    return json.loads(QUESTION.to_json())


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("bad_request", {"messages": []}),
        ("bad_request", {"messages": [{"role": "robot", "content": "x"}]}),
        *(("bad_request", {"messages": [{"role": r, "content": "x"}]}) for r in ([], {}, 7, None)),
        ("bad_request", {"messages": [{"role": "user", "content": ""}]}),
        ("bad_request", {"messages": [{"role": "user", "content": [{"type": "sound"}]}]}),
        ("bad_request", {"max_tokens": 0}),
        ("bad_request", {"max_tokens": 1e9}),
        ("bad_request", {"temperature": "hot"}),
        ("bad_request", {"stream": 1}),
        ("unknown_field", {"functions": []}),
        ("too_large", {"messages": [{"role": "user", "content": "x" * 5000}]}),
    ],
)
def test_requests_that_are_refused(stub: VlmServer, code: str, change: dict[str, object]) -> None:
    body = json.dumps({**good(), **change}).encode()
    assert raw(stub, body, "X-Lease-Epoch: 7\r\n") == STATUS[code]
    assert ask(stub)


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.org/x.jpg",
        "data:image/jpeg;base64,####",
        "data:image/webp;base64,AAAA",
        "data:image/jpeg;base64,AAAA",
        "data:image/jpeg;base64,/9j/4AAQ",
    ],
)
def test_pictures_that_are_none(stub: VlmServer, uri: str) -> None:
    part = {"type": "image_url", "image_url": {"url": uri}}
    text = {"type": "text", "text": "?"}
    body = {"messages": [{"role": "user", "content": [part, text]}]}
    assert raw(stub, json.dumps(body).encode(), "X-Lease-Epoch: 7\r\n") == 400


def test_bad_bytes(stub: VlmServer) -> None:
    assert raw(stub, b"{") == 400
    assert raw(stub, b"[]") == 400
    assert raw(stub, b"[" * 100_000) == 400
    assert raw(stub, b"{}", path="/elsewhere") == 404
    assert raw(stub, QUESTION.to_json(), "X-Lease-Epoch: seven\r\n") == 400
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(stub.server_address))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
        assert b" 411 " in connection.recv(100)
    assert ask(stub)


def test_a_defect_is_answered(stub: VlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks hears of it; a connection that just ends tells nobody anything."""
    with monkeypatch.context() as patch:
        patch.setattr(stub.model, "generate", None)
        body = json.dumps({**good(), "stream": False}).encode()
        assert raw(stub, body, "X-Lease-Epoch: 7\r\n") == 500
    assert ask(stub)


def test_the_deadline_of_a_request(stub: VlmServer, script: Script) -> None:
    script.piece_s = 0.05
    body = json.dumps({**good(), "stream": False}).encode()
    assert raw(stub, body, "X-Lease-Epoch: 7\r\nX-Deadline-Ms: 60\r\n") == 504
    assert raw(stub, body, "X-Lease-Epoch: 7\r\nX-Deadline-Ms: 60000\r\n") == 200


def test_other_methods_and_when_to_come_back(stub: VlmServer, script: Script) -> None:
    script.fault = "busy"
    for head, line in (
        (b"GET /v1/chat/completions HTTP/1.1\r\n\r\n", b" 405 "),
        (b"DELETE / HTTP/1.1\r\n\r\n", b" 405 "),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", b'"id": "stub"'),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nX-Lease-Epoch: 7\r\nContent-Length: %d\r\n\r\n"
            % len(QUESTION.to_json())
            + QUESTION.to_json(),
            b"Retry-After: 1",
        ),
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(stub.server_address))
            connection.settimeout(patience(5.0))
            connection.sendall(head)
            received = b""
            while line not in received and (piece := connection.recv(1000)):
                received += piece
            assert line in received


def test_a_body_of_100_megabytes(stub: VlmServer) -> None:
    before = memory_bytes()
    assert raw(stub, b"x" * 1_000_000, repeats=100) == 413
    assert memory_bytes() - before < 50_000_000, "nobody keeps it"
    assert ask(stub)


def memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_slow_client_is_told(stub: VlmServer) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(stub.server_address))
        connection.settimeout(patience(5.0))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")
        assert b" 408 " in connection.recv(100)
    assert ask(stub)


def test_slow_clients_keep_nobody_out(stub: VlmServer) -> None:
    """More of them than connections are allowed; each is given the time for one request."""
    slow = [socket.socket(socket.AF_UNIX) for _ in range(limits.MAX_CONNECTIONS + 4)]
    try:
        for connection in slow:
            connection.connect(str(stub.server_address))
            with contextlib.suppress(OSError):
                connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nX: ")

        def is_served() -> bool:
            with contextlib.suppress(ServiceError):
                return bool(ask(stub))
            return False

        wait_until(is_served, "an answer")
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_ten_thousand_random_requests(tmp_path: Path) -> None:
    """Sound, damaged and senseless ones, whole and in part; the service answers after them."""
    dice = random.Random(1)
    options = Options(read_timeout_s=0.2)
    server = VlmServer(tmp_path / "vlm.sock", FakeModel(), options)
    server.load()
    sound = QUESTION.to_json()
    with serving(server):
        for number in range(10_000):
            body = bytearray(sound if number % 2 else dice.randbytes(dice.randrange(300)))
            for _ in range(dice.randrange(4)):
                if body:
                    body[dice.randrange(len(body))] = dice.randrange(256)
            head = f"POST {limits.CHAT_PATH} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            data = head.encode() + bytes(body)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(server.server_address))
                with contextlib.suppress(OSError):
                    connection.sendall(data[: dice.choice((len(data), dice.randrange(len(data))))])
                    if number % 50 == 0:
                        connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    if number % 50 == 0:
                        connection.settimeout(patience(5.0))
                        assert connection.recv(5) in (b"HTTP/", b"")
        wait_until_free(server)

        def answers() -> bool:
            with contextlib.suppress(ServiceError):
                return ask(server, epoch=None).startswith("yes")
            return False

        wait_until(answers, "an answer")


def test_a_second_service_refuses(stub: VlmServer) -> None:
    path = Path(str(stub.server_address))
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(ConfigurationError, match="is served by another process already"):
        VlmServer(path, FakeModel())
    assert ask(stub), "the first one still has its socket"


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigurationError, match="exists and is no socket"):
        VlmServer(tmp_path / "file", FakeModel())
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(ConfigurationError, match="longer than 107 bytes"):
        VlmServer(tmp_path / ("x" * 100), FakeModel())
    with pytest.raises(ConfigurationError, match="No such file"):
        VlmServer(tmp_path / "nowhere" / "deeper" / "vlm.sock", FakeModel())


def test_a_model_that_hangs_ends_the_process(tmp_path: Path, script: Script) -> None:
    ended: list[str] = []

    def on_hang(what: str) -> None:
        ended.append(what)
        script.released.set()

    script.fault = "hang"
    longest_s = patience(0.1)
    options = Options(hang_timeout_s=longest_s, on_hang=on_hang)
    server = VlmServer(tmp_path / "vlm.sock", ScriptedModel(script), options, StubHandler)
    server.load()
    with serving(server):
        ask(server, epoch=None)
    assert set(ended) == {f"a piece of an answer took longer than {longest_s:g} s"}


def test_low_memory_and_loading_are_answered(tmp_path: Path) -> None:
    guards = Guards(free_memory_bytes=lambda: 100 << 20, min_free_bytes=900 << 20)
    server = VlmServer(tmp_path / "vlm.sock", FakeModel(), Options(guards))
    with serving(server):
        assert health(server)["status"] == "loading"
        with pytest.raises(ServiceError) as error:
            ask(server)
        assert error.value.cause == "loading"
        server.load()
        assert health(server)["status"] == "ok"
        with pytest.raises(ServiceError, match="100 MiB are free, 900 MiB are needed") as error:
            ask(server)
        assert error.value.cause == "low_memory"


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as error:
        VlmCall(str(tmp_path / "vlm.sock")).ask(QUESTION, epoch=1, timeout_s=1.0)
    assert error.value.cause == "no_service"


def test_programs_start_crash_and_start_again(tmp_path: Path) -> None:
    path = str(tmp_path / "vlm.sock")
    stub = ["vlm_bridge_pkg.cli.vlm_stub", "--socket", path, "--piece-s", "0"]
    crashing = run_until_ready(*stub, "--fault", "crash")
    with pytest.raises(ServiceError) as error:
        VlmCall(path).ask(QUESTION, epoch=None, timeout_s=patience(10.0))
    assert error.value.cause == "cut_off"
    assert crashing.wait(patience(10.0)) == 66
    assert Path(path).exists(), "the crash left a socket file"
    service = run_until_ready("vlm_bridge_pkg.service", "--socket", path, "--fake")
    try:
        assert (
            VlmCall(path).ask(QUESTION, epoch=None, timeout_s=patience(10.0)).text.startswith("yes")
        )
        second = subprocess.run(
            [sys.executable, "-m", *stub], capture_output=True, text=True, timeout=patience(30.0)
        )
        assert second.returncode == 2
        assert second.stderr == f"error: socket {path} is served by another process already\n"
        service.send_signal(signal.SIGTERM)
        assert service.wait(patience(10.0)) == 0
        assert not Path(path).exists()
    finally:
        service.kill()
        service.wait()


def run_until_ready(*words: str) -> subprocess.Popen[str]:
    """A program of this package that listens."""
    process = subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    while not (lines and lines[-1].startswith("ready")):
        lines.append(process.stderr.readline())
        assert lines[-1], f"{words[0]} ended: {lines}"
    return process

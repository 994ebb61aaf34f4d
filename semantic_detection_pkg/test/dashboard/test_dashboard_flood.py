"""Slow, unfinished and too many requests: the page goes on, and STOP is carried out."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from dashboard_client import TIMEOUT_S, Served, serve
from patience import patience
from websockets.exceptions import InvalidStatus

from semantic_detection_pkg.dashboard.api import connections, live
from semantic_detection_pkg.dashboard.core.connection_rules import (
    ConnectionLimits,
    OpenConnections,
)

VICTIM = Path(__file__).parents[3] / "test" / "support" / "dashboard_victim.py"
FILES = 1024
HALF_OPEN = 1200
#: On the reference machine; of a flood that is over.
STOP_S = 2.0
SPARE_FILES = 400  # left for everything else that the process opens


@dataclass(frozen=True)
class Victim:
    """A dashboard in a process of its own."""

    address: tuple[str, int]
    pid: int

    @property
    def files(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A dashboard that may open 1,024 files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < HALF_OPEN + 200:
        pytest.skip(
            f"too few files: this needs {HALF_OPEN + 200}, the owner allows {hard} (ulimit -Hn)"
        )
    process = subprocess.Popen(
        [sys.executable, str(VICTIM), str(tmp_path_factory.mktemp("victim")), str(FILES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = urlsplit(process.stdout.readline().strip())
        assert address.hostname
        assert address.port
        yield Victim((address.hostname, address.port), process.pid)
        process.stdin.close()
        assert process.wait(patience(20.0)) == 0
    finally:
        process.kill()
        process.wait()


def stop(address: tuple[str, int], timeout_s: float) -> tuple[int, float]:
    """Ask for a stop as a page does; status and seconds."""
    start_s = time.monotonic()
    line = http.client.HTTPConnection(*address, timeout=timeout_s)
    with contextlib.closing(line):
        line.request("POST", "/api/gimbal/stop")
        return line.getresponse().status, time.monotonic() - start_s


BEGINNINGS = {
    "nothing": b"",
    "half a head": b"GET /api/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    "half a body": b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 1000\r\n\r\n{",
    "half a handshake": b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n",
}


_HANDSHAKE = (
    b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
#: Of each what is sent, piece by piece; between two of them something comes back.
FLOODS = {
    **{name: (data,) for name, data in BEGINNINGS.items()},
    "pages that confirm nothing": (_HANDSHAKE,),
    "pages that say what nobody can read": (_HANDSHAKE, b"\x81\x82\0\0\0\0{]"),
}


@pytest.mark.long
@pytest.mark.parametrize("sources", [1, 300], ids=["of one address", "of 300 addresses"])
@pytest.mark.parametrize("beginning", FLOODS)
def test_stop_is_reached_through_half_open_connections(
    victim: Victim, beginning: str, sources: int
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    with contextlib.ExitStack() as open_sockets:
        for number in range(HALF_OPEN):
            one = open_sockets.enter_context(socket.socket())
            one.bind((f"127.0.{number % sources // 250}.{number % sources % 250 + 1}", 0))
            one.settimeout(TIMEOUT_S)
            with contextlib.suppress(ConnectionError):  # evicted for one that came after it
                one.connect(victim.address)
                first, *rest = FLOODS[beginning]
                one.sendall(first)
                for piece in rest:
                    one.recv(4096)
                    one.sendall(piece)
            if number % 400 == 399:
                status, took_s = stop(victim.address, TIMEOUT_S)
                assert status == 200
                assert took_s < patience(STOP_S)
                assert victim.files < FILES - SPARE_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "REQUEST_TIMEOUT_S", 0.5)
        with serve(tmp_path_factory.mktemp("flood")) as served:
            yield served


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_request_must_come_in_whole_in_time(served: Served, beginning: str) -> None:
    """Also one that comes byte by byte."""
    data = BEGINNINGS[beginning]
    host, _, port = served.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as slow:
        slow.sendall(data)
        end_s = time.monotonic() + TIMEOUT_S
        said = b""
        slow.settimeout(0.05)
        while time.monotonic() < end_s:
            try:
                if not (piece := slow.recv(4096)):
                    break
                said += piece
            except TimeoutError:
                with contextlib.suppress(ConnectionError):
                    slow.sendall(b" " if data else b"")
            except ConnectionError:
                break
        assert time.monotonic() < end_s, "it is still open"
    assert said.startswith(b"HTTP/1.1 408 ") or (not data and not said)
    assert served.get("/api/state").status == 200


def test_requests_in_a_row_have_a_deadline_each(served: Served) -> None:
    line = http.client.HTTPConnection(served.host, timeout=TIMEOUT_S)
    with contextlib.closing(line):
        for _ in range(4):
            line.request("GET", "/api/state/robot")
            assert line.getresponse().read()
            time.sleep(0.2)  # longer than the deadline, all together
    assert served.post("/api/gimbal/stop").status == 200


def test_who_does_not_read_its_answer_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_READ_TIMEOUT_S", 0.3)
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "large.html").write_bytes(b"x" * 30_000_000)
    with serve(tmp_path) as served:
        host, _, port = served.host.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as deaf:
            head = f"GET /evidence/large.html HTTP/1.1\r\nHost: {served.host}\r\n\r\n"
            deaf.sendall(head.encode())
            time.sleep(2.0)
            got = 0
            with contextlib.suppress(ConnectionError):
                while piece := deaf.recv(1 << 20):
                    got += len(piece)
            assert got < 30_000_000


def test_pages_beyond_the_limit_are_refused_before_they_are_let_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "VIEWERS_MAX", 1)
    with served.page() as page:
        assert page.news()["n"] > 0
        with pytest.raises(InvalidStatus) as refused, served.page():
            pass
        assert refused.value.response.status_code == 503
        assert page.news()["n"] > 0


def test_the_oldest_without_a_whole_request_goes_first() -> None:
    opened: OpenConnections[str] = OpenConnections(ConnectionLimits(per_address=3, total=5))
    for name in "abc":
        assert opened.enter("one", name) == []
    opened.set_busy("one", "a", is_busy=True)
    assert opened.enter("one", "d") == ["b"]
    assert opened.enter("two", "e") == []
    opened.set_busy("two", "e", is_busy=True)
    assert opened.enter("three", "f") == []
    assert opened.enter("four", "g") == ["c"], "of the address that has most"
    opened.leave("one", "b")  # gone already
    assert len(opened) == 5
    for name in "adg":
        opened.set_busy("one", name, is_busy=True)
    assert opened.enter("one", "h") == ["f"], "unfinished before one that is answered"
    assert opened.enter("one", "i") == ["h"]


@pytest.mark.parametrize(("files", "total"), [(1024, 256), (64, 32), (10**6, 512), (-1, 512)])
def test_limits_leave_files_for_everything_else(files: int, total: int) -> None:
    limits = ConnectionLimits.of_files(files)
    assert limits.total == total
    assert limits.per_address <= total // 2

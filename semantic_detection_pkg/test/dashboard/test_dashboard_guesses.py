"""Who guesses the token is slowed, by address and in every way; who holds a session is not."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from dashboard_client import TIMEOUT_S, TOKEN, Served, serve
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from semantic_detection_pkg.dashboard.api.settings import DashboardSettings, read_token
from semantic_detection_pkg.dashboard.core.guesses import (
    FREE_GUESSES,
    GUESS_PERIOD_S,
    GuessLimiter,
    network_of,
)

WRONG = 4 * FREE_GUESSES


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path, token=TOKEN) as served:
        yield served


def request(
    served: Served,
    source: str,
    path: str = "/api/state",
    headers: Mapping[str, str | bytes] | None = None,
    body: object = None,
) -> int:
    """Ask from an address of this machine; the status."""
    line = http.client.HTTPConnection(served.host, timeout=TIMEOUT_S, source_address=(source, 0))
    with contextlib.closing(line):
        sent: dict[str, str | bytes] = dict(headers or {})
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        line.request("GET" if body is None else "POST", path, data, sent)
        return line.getresponse().status


def by_header(served: Served, source: str, token: str) -> int:
    return request(served, source, headers={"Authorization": f"Bearer {token}"})


def by_header_of_stop(served: Served, source: str, token: str) -> int:
    headers: dict[str, str | bytes] = {"Authorization": f"bearer {token}"}
    return request(served, source, "/api/gimbal/stop", headers, {})


def by_forwarded_header(served: Served, source: str, token: str) -> int:
    """Whoever forwards for himself has a new address each time, as far as he says."""
    number = sum(token.encode()) % 250
    headers: dict[str, str | bytes] = {
        "Authorization": f"Bearer {token}",
        "X-Forwarded-For": f"192.0.2.{number}",
    }
    return request(served, source, headers=headers)


def by_query(served: Served, source: str, token: str) -> int:
    return request(served, source, f"/api/state?token={token.replace(' ', '+')}")


def by_cookie(served: Served, source: str, token: str) -> int:
    cookie = f"{served.dashboard.access.cookie}={token.replace(' ', '')}"
    return request(served, source, headers={"Cookie": cookie})


def by_session(served: Served, source: str, token: str) -> int:
    return request(served, source, "/api/session", body={"token": token})


def by_websocket(served: Served, source: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"ws://{served.host}/api/live"
    try:
        with connect(
            url, additional_headers=headers, source_address=(source, 0), open_timeout=TIMEOUT_S
        ):
            return 200
    except InvalidStatus as refused:
        return refused.response.status_code


WAYS: list[Callable[[Served, str, str], int]] = [
    by_header,
    by_header_of_stop,
    by_forwarded_header,
    by_query,
    by_cookie,
    by_session,
    by_websocket,
]


@pytest.mark.parametrize("guess", WAYS)
def test_guesses_are_slowed_and_only_for_who_guesses(
    guarded: Served, guess: Callable[[Served, str, str], int]
) -> None:
    start_s = time.monotonic()
    statuses = [guess(guarded, "127.0.0.2", f"wrong token {number}") for number in range(WRONG)]
    earned = int((time.monotonic() - start_s) / GUESS_PERIOD_S) + 1
    assert statuses[:FREE_GUESSES] == [401] * FREE_GUESSES
    assert statuses[FREE_GUESSES:].count(429) >= WRONG - FREE_GUESSES - earned
    assert by_session(guarded, "127.0.0.2", TOKEN) == 429, "not even looked at"
    assert by_header(guarded, "127.0.0.2", TOKEN) == 429
    assert by_header(guarded, "127.0.0.3", TOKEN) == 200, "others are let in at once"


def test_who_holds_a_session_can_stop_while_somebody_guesses(guarded: Served) -> None:
    opened = guarded.post("/api/session", {"token": TOKEN})
    session = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    for number in range(WRONG):
        by_header(guarded, "127.0.0.1", f"wrong token {number}")
    assert by_header(guarded, "127.0.0.1", TOKEN) == 429
    assert guarded.post("/api/gimbal/stop", **session).status == 200
    with guarded.page(**session) as page:
        assert page.news()["me"]["may_control"]


def test_the_wait_is_told(guarded: Served) -> None:
    for number in range(WRONG):
        reply = guarded.get("/api/state", Authorization=f"Bearer wrong {number}")
    assert reply.status == 429
    assert 0 < int(reply.headers["retry-after"]) <= GUESS_PERIOD_S
    assert reply.json["detail"].startswith("too many wrong tokens from this address: wait ")


def test_an_old_cookie_shuts_nobody_out(guarded: Served) -> None:
    """A browser asks again and again with the cookie of a dashboard that is no more."""
    old = {"Cookie": f"{guarded.dashboard.access.cookie}=of-yesterday"}
    assert {guarded.get("/api/state", **old).status for _ in range(WRONG)} == {401}
    assert guarded.post("/api/session", {"token": TOKEN}, **old).status == 204


def test_guesses_come_back_one_by_one() -> None:
    limiter = GuessLimiter(free_guesses=3, guess_period_s=10.0)
    for number in range(3):
        assert limiter.wait_s("a", 0.0) == 0.0
        limiter.add_wrong("a", b"%d" % number, 0.0)
    assert limiter.wait_s("a", 0.0) == 10.0
    assert limiter.wait_s("a", 9.0) == pytest.approx(1.0)
    assert limiter.wait_s("b", 0.0) == 0.0
    limiter.add_wrong("a", b"1", 9.0)  # of before
    assert limiter.wait_s("a", 10.0) == 0.0
    limiter.add_wrong("a", b"3", 10.0)
    assert limiter.wait_s("a", 10.0) == 10.0
    limiter.add_wrong("a", b"4", 1e6)
    assert limiter.wait_s("a", 1e6) == 0.0, "all came back, not more than there were"


def test_the_memory_of_guesses_is_bounded() -> None:
    limiter = GuessLimiter()
    for number in range(10_000):
        limiter.add_wrong(f"10.0.{number // 250}.{number % 250}", b"x", 0.0)
        limiter.add_wrong("10.9.9.9", b"%d" % number, 0.0)
    assert len(limiter._addresses) < 5000
    assert len(limiter._addresses["10.9.9.9"].wrong) < 100


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("?", "?"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "token", ["Schlüsselwörter", "пароль робота", "鍵の言葉です長い", "🔑🔑🔑🔑🔑🔑🔑🔑"]
)
def test_a_token_may_have_any_letters(tmp_path: Path, token: str) -> None:
    with serve(tmp_path, token=token) as served:
        header = {"Authorization": b"Bearer " + token.encode()}
        assert request(served, "127.0.0.1", headers=header) == 200
        assert request(served, "127.0.0.1", "/api/gimbal/stop", header, {}) == 200
        assert by_session(served, "127.0.0.1", token) == 204
        assert by_session(served, "127.0.0.1", unicodedata.normalize("NFD", token)) == 204
        with contextlib.suppress(UnicodeEncodeError):
            latin = {"Authorization": b"Bearer " + token.encode("latin-1")}
            assert request(served, "127.0.0.1", headers=latin) == 200
        with connect_raw(served, b"Bearer " + token.encode()) as head:
            assert head.startswith(b"HTTP/1.1 101 ")
        wrong = {"Authorization": b"Bearer " + token[:-1].encode() + b"\xff"}
        assert request(served, "127.0.0.1", headers=wrong) == 401
        assert by_session(served, "127.0.0.1", token[:-1]) == 401


@contextlib.contextmanager
def connect_raw(served: Served, authorization: bytes) -> Iterator[bytes]:
    """Begin a WebSocket whose header has bytes of any kind; what comes back first."""
    host, _, port = served.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as raw:
        raw.sendall(
            f"GET /api/live HTTP/1.1\r\nHost: {served.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: ".encode()
            + authorization
            + b"\r\n\r\n"
        )
        yield raw.recv(4096)


@pytest.mark.parametrize(
    "body", [b'{"token": "\\ud800 wrong"}', b'{"token": "\xff\xfe"}', b'{"token": 1}']
)
def test_a_token_that_is_no_text_is_refused(guarded: Served, body: bytes) -> None:
    reply = guarded.request("POST", "/api/session", body, {"Content-Type": "application/json"})
    assert reply.status in (400, 401, 422)


def test_a_token_file_of_another_system(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xef\xbb\xbfSchl\xc3\xbcssel\xc3\xbc\r\n")
    assert read_token(str(path)) == "Schlüsselü"
    assert DashboardSettings(token=read_token(str(path))).token

"""Servers that are none of a model: pages of web servers, other protocols, endless bodies."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from patience import patience

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.picture_questions import PictureAnswer
from vlm_bridge_pkg.asking import BridgeAsker
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.limits import MODELS_PATH
from vlm_bridge_pkg.transport.client import read_models

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
NGINX = b"<html>\n<head><title>502 Bad Gateway</title><style>h1 {}</style></head></html>"


def completion(text: str, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message}], **more}).encode()


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers a question by what its server was given."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.server.models  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(max(len(body), 1000)))
        self.end_headers()
        self.wfile.write(body)
        if len(body) < 1000:
            self.server.is_over.wait(patience(30.0))  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, body = self.server.answer  # type: ignore[attr-defined]
        self.server.number += 1  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    models = b" " * 1000
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    number = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Odd)
        self.is_over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def ask(self, status: int, body: bytes, **headers: str) -> PictureAnswer:
        self.answer = (status, headers, body)
        return BridgeAsker(self.url, "", patience(10.0)).ask(JPEG, "tent")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("vlm_bridge_pkg.asking._LOST_S", 0.0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def speak() -> Iterator[Callable[[bytes], str]]:
    """Return what listens at an address, says so much to whoever comes, and leaves."""
    listening: list[socket.socket] = []

    def begin(words: bytes) -> str:
        one = socket.create_server(("127.0.0.1", 0))
        listening.append(one)
        threading.Thread(target=serve, args=[one, words], daemon=True).start()
        return f"127.0.0.1:{one.getsockname()[1]}"

    yield begin
    for one in listening:
        one.close()


def serve(listening: socket.socket, words: bytes) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(1)
            connection.sendall(words)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, NGINX, "status 500, 502 Bad Gateway"),
        (403, b"<html>Forbidden</html>", "status 403, Forbidden"),
        (500, b"", "status 500"),
        (500, b'{"error": null}', 'status 500, {"error": null}'),
        (500, b'{"error": {}}', 'status 500, {"error": {}}'),
        (500, b'{"error": {"code": 7}}', '{"code": 7}'),
        (500, b"[1, 2]", "status 500, [1, 2]"),
        (500, b"[" * 4000, "status 500, [[["),
        (500, b"\xff\xfe\x00 oops", "status 500, \ufffd\ufffd\\x00 oops"),
        (404, b"404 page not found", "404 page not found: nothing is at /v1/chat/completions"),
        (500, b'{"error": "x\\u001b[2Jy\\n\\u202ez"}', "x\\x1b[2Jy \\u202ez"),
        (200, NGINX, "the answer is no completion: 502 Bad Gateway"),
        (200, b"", "the answer broke off before its first word"),
        (204, b"", "status 204"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    server: Server, status: int, body: bytes, said: str
) -> None:
    answer = server.ask(status, body)
    assert (answer.verdict, answer.is_answered) == (Verdict.UNSURE, False)
    assert said in answer.reason
    assert "<" not in answer.reason
    assert answer.reason.isprintable()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_server_that_has_moved_is_said_to_have(server: Server, status: int) -> None:
    answer = server.ask(status, b"", Location="https://elsewhere/v1/chat/completions")
    assert (answer.is_answered, answer.is_hopeless) == (False, True)
    assert "it is at https://elsewhere/v1/chat/completions now; give its address" in answer.reason


@pytest.mark.parametrize(
    "body",
    [
        completion("yes\n\ud800 a tent", model="m\udfff"),
        completion('{"answer": "yes", "reason": "\\ud800 a tent"}'),
        b'{"choices": [{"message": {"content": "yes\\n\xed\xa0\x80 a tent"}}]}',
        b'data: {"choices": [{"delta": {"content": "yes\\n\\udc00 a tent"}}]}\n\ndata: [DONE]\n\n',
    ],
)
def test_half_a_character_is_no_reason_to_fail(server: Server, body: bytes) -> None:
    """JSON can spell what UTF-8 has not; no message and no file takes it."""
    answer = server.ask(200, body)
    assert (answer.verdict, answer.is_answered) == (Verdict.YES, True)
    assert answer.reason == "\ufffd a tent"
    for text in (answer.reason, answer.text, answer.model):
        text.encode("utf-8")


@pytest.mark.parametrize("status", [429, 503])
def test_one_with_codes_of_its_own_for_busy_is_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("vlm_bridge_pkg.asking._PAUSES_S", (0.01,))
    server.answer = (status, {}, b'{"error": {"message": "Slow down", "code": "rate_limit"}}')
    answer = BridgeAsker(server.url, "", 0.5).ask(JPEG, "tent")
    assert (answer.cause, answer.is_hopeless, answer.reason) == ("busy", False, "Slow down")
    assert server.number > 1


def test_who_gives_no_end_of_an_answer_is_told_nothing_of_questions(server: Server) -> None:
    answer = server.ask(200, b"data: " + b"x" * 300_000)
    assert answer.cause == "unreadable"
    assert answer.reason == "the answer is over 262144 bytes"


@pytest.mark.parametrize("words", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02F"])
def test_what_speaks_another_protocol(
    speak: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    monkeypatch.setattr("vlm_bridge_pkg.asking._LOST_S", 0.0)
    place = speak(words)
    plain = BridgeAsker(f"http://{place}", "", patience(10.0)).ask(JPEG, "tent")
    assert (plain.cause, plain.is_answered) == ("cut_off", False)
    assert "https://" in plain.reason
    assert ("without a word" in plain.reason) is not words
    secret = BridgeAsker(f"https://{place}", "", patience(10.0)).ask(JPEG, "tent")
    assert (secret.cause, secret.is_answered) == ("no_service", False)
    assert secret.reason.isprintable()


def test_http_spoken_to_as_https_is_said_to_be(server: Server) -> None:
    secret = BridgeAsker(server.url.replace("http", "https"), "", patience(10.0))
    assert "it speaks no TLS; is http:// meant?" in secret.ask(JPEG, "tent").reason


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "a"}, {"id": null}, {"id": 7}]}', ("a",)),
        (b'{"data": [{"id": "a\\ud800"}]}', ("a\ufffd",)),
        (b'{"data": null}', ()),
        (b"[" * 50_000, ()),
    ],
)
def test_names_of_models_are_texts(server: Server, body: bytes, names: tuple[str, ...]) -> None:
    server.models = body.ljust(1000)
    assert read_models(server.url) == names


def test_names_of_models_that_drip_have_an_end(server: Server) -> None:
    """Of the whole answer, not of each piece of it."""
    server.models = b"{"
    began_s = time.monotonic()
    with pytest.raises(ServiceError, match="hangs"):
        read_models(server.url, timeout_s=0.3)
    assert time.monotonic() - began_s < patience(5.0)
    assert MODELS_PATH == "/v1/models"

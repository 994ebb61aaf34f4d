"""What a stream's refusal is called, against a server that speaks RTSP over real sockets."""

import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import pytest

from semantic_detection_pkg.camera.sources import decoding, opencv_decoder, rtsp
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.camera.sources.rtsp_probe import why_not
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError

NONCE, REALM = "d4f1", "camera"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Server:
    """Answers every request with a status; with a password it asks for it first."""

    def __init__(self, status: int = 200, user: str = "", password: str = "", scheme="Digest"):
        self.status, self.user, self.password, self.scheme = status, user, password, scheme
        self.greeting = b""
        self.requests: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        received = b""
        while True:
            try:
                piece = connection.recv(4096)
            except OSError:
                return
            if not piece:
                return
            received += piece
            while b"\r\n\r\n" in received:
                head, _, received = received.partition(b"\r\n\r\n")
                self.requests.append(head.decode())
                connection.sendall(self.greeting or self._answer(head.decode()))

    def _answer(self, head: str) -> bytes:
        number = re.search(r"CSeq: (\d+)", head)[1]
        if self.user and not self._is_allowed(head):
            challenge = f'{self.scheme} realm="{REALM}", nonce="{NONCE}"'
            text = f"RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\nWWW-Authenticate: {challenge}"
            return f"{text}\r\n\r\n".encode()
        text = f"RTSP/1.0 {self.status} Whatever\r\nCSeq: {number}\r\nContent-Length: 5"
        return f"{text}\r\n\r\nv=0\r\n".encode()

    def _is_allowed(self, head: str) -> bool:
        if self.scheme == "Basic":
            return "Authorization: Basic dTpwQHNz" in head  # u:p@ss
        method, uri = head.split()[:2]
        secret, asked = md5(f"{self.user}:{REALM}:{self.password}"), md5(f"{method}:{uri}")
        wanted = md5(f"{secret}:{NONCE}:{asked}")
        return f'response="{wanted}"' in head


@contextmanager
def serving(**options) -> Iterator[Server]:
    server = Server(**options)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "no such stream"),
        (403, "forbids"),
        (453, "too many viewers"),
        (503, "busy"),
        (551, "status 551"),
    ],
)
def test_each_refusal_has_its_words(status, words):
    with serving(status=status) as server:
        assert words in why_not(f"rtsp://127.0.0.1:{server.port}/live", 5.0)


@pytest.mark.parametrize("scheme", ["Digest", "Basic"])
def test_a_password_is_told_from_none_and_from_a_wrong_one(scheme):
    with serving(user="u", password="p@ss", scheme=scheme) as server:
        place = f"127.0.0.1:{server.port}/live"
        assert "asks for a user and password" in why_not(f"rtsp://{place}", 5.0)
        wrong = why_not(f"rtsp://u:secret@{place}", 5.0)
        assert "refuses this user or password" in wrong
        assert "%40 for @" in wrong
        assert why_not(f"rtsp://u:p%40ss@{place}", 5.0) == ""
        assert not any("p%40ss" in request or "secret" in request for request in server.requests)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "refuses the connection" in why_not(f"rtsp://127.0.0.1:{port}/x", 5.0)
    assert (
        why_not("rtsp://no-such-host.invalid/x", 5.0)
        == "the host 'no-such-host.invalid' is unknown"
    )


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://u:secret",
        "rtsp://u:secret/stream",
        "rtsp://u:secret host/s",
        "rtsp://u:secret@",
        "rtsp://u:secret@h:abc/s",
        "rtsp://u:secret@h:99999/s",
        "rtsp://u:secret@h:0/s",
        "rtsp://u:secret@[fe80/s",
        "rtsp:///s",
    ],
)
def test_an_address_that_no_camera_can_have_is_refused_for_good(address):
    with pytest.raises(ConfigurationError, match=r"HOST:PORT/PATH.* %40 for @") as raised:
        open_camera(address)

    assert "secret" not in str(raised.value)


def test_something_else_answers():
    with serving() as server:
        server.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        assert "no RTSP camera" in why_not(f"rtsp://127.0.0.1:{server.port}/x", 5.0)


def test_a_camera_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert why_not(f"rtsp://127.0.0.1:{port}/x", 0.2) == "no answer within 0.2 s"


def test_the_reason_comes_without_the_password():
    with serving(user="u", password="other") as server:
        address = f"rtsp://u:sec@ret@127.0.0.1:{server.port}/live"
        with pytest.raises(SourceLostError) as lost:
            open_camera(f"{address}#timeout=2")
    said = str(lost.value)
    assert "refuses this user or password" in said
    assert "sec@ret" not in said
    assert "sec%40ret" not in said


@pytest.mark.parametrize(("options", "transport"), [("", "tcp"), ("#transport=udp", "udp")])
def test_tcp_unless_udp_is_asked_for(monkeypatch, options, transport):
    seen = []

    def open_decoder(*_, options: dict[str, str], **__) -> None:
        seen.append(options["rtsp_transport"])
        raise SourceLostError("cannot be opened")

    monkeypatch.setattr(rtsp, "open_decoder", open_decoder)
    monkeypatch.setattr(rtsp, "why_not", lambda *_: "")
    with pytest.raises(SourceLostError, match=f"no picture came over {transport}"):
        open_camera(f"rtsp://127.0.0.1/live{options}")
    assert seen == [transport]


def test_opencv_takes_options_from_the_environment_and_gives_it_back(monkeypatch):
    seen = []

    def open_capture(*_) -> None:
        seen.append(os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"])
        raise SourceLostError("cannot be opened")

    monkeypatch.setattr(opencv_decoder, "open_capture", open_capture)
    for before in (None, "max_delay;0"):
        if before is not None:
            monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", before)
        with pytest.raises(SourceLostError):
            opencv_decoder.OpenCvDecoder.open("x", "x", 1.0, {"rtsp_transport": "tcp", "a": "b"})
        assert os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS") == before
    assert seen == ["rtsp_transport;tcp|a;b", "rtsp_transport;tcp|a;b|max_delay;0"]


@pytest.mark.parametrize("decoder", ["av", "opencv"])
def test_ffmpeg_asks_for_tcp(monkeypatch, decoder):
    """The setting reaches the FFmpeg of each decoder: its SETUP names the transport."""
    monkeypatch.setattr(decoding, "has_av", lambda: decoder == "av")
    if decoder == "opencv" and not any(
        one == cv2.CAP_FFMPEG for one in cv2.videoio_registry.getBackends()
    ):
        pytest.skip(
            "this OpenCV has no FFmpeg: the wheel of the set-up has, a board's own is left as it is"
        )
    description = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        "a=rtpmap:96 H264/90000\r\na=control:t0\r\n"
    )
    with serving() as server:

        def answer(head: str) -> bytes:
            number = re.search(r"CSeq: (\d+)", head)[1]
            body = description if head.startswith("DESCRIBE") else ""
            kind = "Content-Type: application/sdp\r\n" if body else ""
            status = "461 Unsupported" if head.startswith("SETUP") else "200 OK"
            return (
                f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{kind}"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode()

        server._answer = answer
        with pytest.raises(SourceLostError):
            open_camera(f"rtsp://127.0.0.1:{server.port}/live#timeout=3")
        setups = [one for one in server.requests if one.startswith("SETUP")]
    assert setups
    assert "RTP/AVP/TCP" in setups[0]


def test_an_unknown_transport_is_refused():
    with pytest.raises(ConfigurationError, match="transport='quic': must be one of tcp, udp"):
        open_camera("rtsp://127.0.0.1/x#transport=quic")

"""The HTTP server: the protocol of docs/vlm_protocol.md on a Unix socket, in front of one model."""

from __future__ import annotations

import io
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import Any, cast

from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.protocol.refusal import RequestRefused
from vlm_bridge_pkg.protocol.replies import END_OF_STREAM, Token, chunk, completion
from vlm_bridge_pkg.protocol.requests import ChatRequest, read_request
from vlm_bridge_pkg.service.connection import DeadlineReader, is_gone
from vlm_bridge_pkg.service.listening import Listener
from vlm_bridge_pkg.service.model import Model
from vlm_bridge_pkg.service.turn import Guards, ModelTurn
from vlm_bridge_pkg.service.watchdog import end_process, limited

_log = logging.getLogger(__name__)

_PIECE_BYTES = 1 << 16
_JSON, _EVENTS = "application/json", "text/event-stream"


@dataclass(frozen=True)
class Options:
    """How the server behaves; times in seconds.

    Attributes:
        hang_timeout_s: for which a piece of work may take at most before the process ends.
        on_hang: what ends it.
        read_timeout_s: within which a request must have come in.
    """

    guards: Guards = field(default_factory=Guards)
    hang_timeout_s: float = 30.0
    on_hang: Callable[[str], None] = end_process
    read_timeout_s: float = limits.READ_TIMEOUT_S


class VlmServer(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves one model. `serve_forever` runs it, `close` ends it."""

    daemon_threads = True
    block_on_close = False  # a model that hangs must not keep the process

    def __init__(
        self,
        path: str | Path,
        model: Model,
        options: Options | None = None,
        handler: type[ChatHandler] | None = None,
    ) -> None:
        """Listen. The model is loaded by `load`, so that `/health` answers meanwhile.

        Raises:
            ConfigurationError: another process serves there, or the path cannot be used.
        """
        self.model = model
        self.options = options or Options()
        self.turn = ModelTurn(self.options.guards)
        self.is_ready = False
        self.numbers = count(1)
        self._open = threading.BoundedSemaphore(limits.MAX_CONNECTIONS)
        self._listener = Listener(path)
        super().__init__(str(path), handler or ChatHandler)

    def load(self) -> None:
        """Load the model; requests are refused until it is done."""
        self.model.load()
        self.is_ready = True

    def close(self) -> None:
        """End `serve_forever`, which must be running, and remove the socket."""
        self.shutdown()
        self._listener.close()

    def fileno(self) -> int:
        return self._listener.socket.fileno()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = self._listener.socket.accept()
        return connection, "client"

    def process_request(self, request: Any, client_address: Any) -> None:
        # Too many at once are closed unheard: slow clients must not fill the process.
        if not self._open.acquire(blocking=False):
            self.close_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.release()

    def close_request(self, request: Any) -> None:
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        _log.exception("a connection failed")


class ChatHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "vlm_service"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()  # the one that waits for ever
        self._unread = 0
        self._has_started = False
        self._reader = DeadlineReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        self._reader.allow(self.vlm.options.read_timeout_s)
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # nobody is there to be answered

    @property
    def vlm(self) -> VlmServer:
        return cast(VlmServer, self.server)

    def do_GET(self) -> None:
        if self.path == limits.HEALTH_PATH:
            state = "ok" if self.vlm.is_ready else "loading"
            health = {"status": state, "model": self.vlm.model.name, "busy": self.vlm.turn.is_busy}
            self.send(200 if self.vlm.is_ready else 503, json.dumps(health).encode())
        elif self.path == limits.MODELS_PATH:
            model = {"id": self.vlm.model.name, "object": "model", "created": 0, "owned_by": ""}
            self.send(200, json.dumps({"object": "list", "data": [model]}).encode())
        elif self.path == limits.CHAT_PATH:
            self._refuse(RequestRefused("method_not_allowed", "GET is not allowed, POST is"))
        else:
            self._refuse(self._not_found())

    def do_POST(self) -> None:
        try:
            if self.path != limits.CHAT_PATH:
                raise self._not_found()
            has_schemas = getattr(self.vlm.model, "has_schemas", False)
            request = read_request(self._body(), has_schemas=has_schemas)
            epoch = self._header(limits.EPOCH_HEADER)
            deadline_ms = self._header(limits.DEADLINE_HEADER)
            if not self.vlm.is_ready:
                raise RequestRefused("loading", "the model is being loaded")
            end_s = None if deadline_ms is None else time.monotonic() + deadline_ms / 1000
            with self.vlm.turn.taken(epoch):
                last_words = self.answer(request, end_s)
            # Who has read a whole answer may ask again, and finds the model free.
            last_words()
        except RequestRefused as refusal:
            self._refuse(refusal)
        except OSError:
            raise  # of the connection: nobody is there to be answered
        except Exception as error:  # a defect of ours: the client is told, the log has the rest
            _log.exception("a request failed")
            self._refuse(RequestRefused("internal", f"the service failed: {error!r:.200}"))

    def _not_found(self) -> RequestRefused:
        return RequestRefused(
            "not_found", f"{self.path[:80]!r} is not there, {limits.CHAT_PATH} is"
        )

    def _body(self) -> bytes:
        length = self._header("Content-Length")
        if length is None:
            raise RequestRefused("length_required", "header Content-Length is missing")
        self._unread = length
        if length > limits.MAX_BODY_BYTES:
            raise RequestRefused(
                "too_large", f"the body has {length} bytes, allowed are {limits.MAX_BODY_BYTES}"
            )
        try:
            body = self.rfile.read(length)
        except TimeoutError as error:
            raise RequestRefused("slow_client", "the body did not come in time") from error
        if len(body) < length:
            raise ConnectionResetError("the client has gone")
        self._unread = 0
        self.connection.settimeout(self.vlm.options.read_timeout_s)  # for the answer's way out
        return body

    def _header(self, name: str) -> int | None:
        text = self.headers.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            raise RequestRefused("bad_request", f"header {name} is {text[:40]!r}, not a number")
        return int(text)

    def answer(self, request: ChatRequest, end_s: float | None) -> Callable[[], object]:
        """Answer a request that has its turn, but for the end of the answer.

        Args:
            end_s: on the monotonic clock; None: the answer may take any time.

        Returns:
            What sends the end of the answer; to be called when the turn is over.
        """
        number = next(self.vlm.numbers)
        name = self.vlm.model.name
        tokens: list[Token] = []
        for token in self._tokens(request, end_s):
            if request.is_streaming and not tokens:
                self.start_stream()
            tokens.append(token)
            if request.is_streaming:
                self.wfile.write(chunk(token, name, False, number))
        is_cut = len(tokens) >= request.max_tokens
        if not request.is_streaming:
            return lambda: self.send(200, completion(tokens, name, is_cut, number))
        if not tokens:
            self.start_stream()
        return lambda: self.wfile.write(chunk(None, name, is_cut, number) + END_OF_STREAM)

    def _tokens(self, request: ChatRequest, end_s: float | None) -> Iterator[Token]:
        """Yield the model's answer piece by piece, as long as somebody waits for it."""
        pieces = self.vlm.model.generate(request)
        try:
            for _ in range(request.max_tokens):
                if is_gone(self.connection):
                    raise ConnectionResetError("the client has gone")
                if end_s is not None and time.monotonic() >= end_s:
                    raise RequestRefused("deadline", "the time for the answer is over")
                self.vlm.turn.check_lock()
                with self._limited():
                    token = self._next(pieces)
                if token is None:
                    return
                yield token
        finally:
            with self._limited():  # the GPU is idle when this returns
                pieces.close()

    def _limited(self) -> AbstractContextManager[None]:
        options = self.vlm.options
        return limited(options.hang_timeout_s, "a piece of an answer", options.on_hang)

    def _next(self, pieces: Iterator[Token]) -> Token | None:
        try:
            return next(pieces, None)
        except (RequestRefused, ConnectionError):
            raise
        except Exception as error:
            _log.exception("the model failed")
            raise RequestRefused("model_failed", f"the model failed: {error}") from error

    def start_stream(self) -> None:
        """Send the head of a streamed answer."""
        self.send_response(200)
        self.send_header("Content-Type", _EVENTS)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")  # the end of the connection ends the stream
        self.end_headers()
        self.close_connection = True
        self._has_started = True

    def send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Send a whole answer, JSON."""
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, refusal: RequestRefused) -> None:
        _log.info("refused, %s: %s", refusal.code, refusal)
        self.close_connection = True  # what is left of the request is not read
        if self._has_started:
            self.wfile.write(b"data: " + refusal.body() + b"\n\n")
            return
        headers = [("Connection", "close")]
        if refusal.status == 503:
            headers.append(("Retry-After", "1"))
        self.send(refusal.status, refusal.body(), *headers)
        self._drain()

    def _drain(self) -> None:
        """Throw away the rest of a body: a client that is still sending does not hear."""
        while self._unread > 0 and (piece := self.rfile.read1(_PIECE_BYTES)):
            self._unread -= len(piece)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server refuses by itself in the form of every other refusal."""
        self.request_version = self.protocol_version  # of a request line that could not be read
        self.close_connection = True
        text = message or explain or "the request is no HTTP"
        if code == 501:
            code, text = 405, f"{self.command[:20]} is not allowed, GET and POST are"
        error = {"message": text, "type": "invalid_request_error", "code": "bad_request"}
        self.send(int(code), json.dumps({"error": error}).encode(), ("Connection", "close"))

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)

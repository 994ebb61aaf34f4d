"""The client of the VLM service: HTTP over a Unix socket, with an end and a way to cancel.

The same client speaks to the stub, to the NanoLLM service, to `llama-server --host SOCKET` and to
vLLM with `--uds`; away from the robot also to `http://HOST:PORT` and `https://HOST`. Standard
library only, so the robot's container needs no HTTP library.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from semantic_detection_pkg.common.core.foreign_text import read_json
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.protocol.refusal import STATUS
from vlm_bridge_pkg.protocol.replies import Reply, StreamReader, in_plain_words, refused
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.transport.connections import (
    CONNECT_TIMEOUT_S,
    FAR_CONNECT_TIMEOUT_S,
    Connection,
    connection_to,
)

_PIECE_BYTES = 4096
_GET_BYTES = 1 << 16  # llama-server tells much of each model


class VlmCall:
    """One question to the service. Made by one thread, cancelled by any."""

    def __init__(self, path: str) -> None:
        """Take the path of a Unix socket or a URL; raises as `connection_to`."""
        self._connection = connection_to(path)
        self._path = path
        self._is_connected = False
        self._cut = threading.Lock()
        self._cause = ""

    def ask(
        self,
        request: ChatRequest,
        *,
        epoch: int | None,
        timeout_s: float,
        on_text: Callable[[str], None] = lambda _: None,
    ) -> Reply:
        """Put the question and wait for the whole answer.

        Args:
            request: must be a streaming one: only then a cancel reaches the service at once.
            epoch: of the GPU's lease; None: there is none.
            timeout_s: [s] for everything.
            on_text: is given all text so far, whenever there is more.

        Raises:
            ServiceError: cause is "no_service", "timeout", "cancelled", "cut_off", "unreadable",
                "too_large", or the code of a refusal.
        """
        headers = {
            "Content-Type": "application/json",
            "Authorization": "Bearer none",  # some servers insist on one
            limits.DEADLINE_HEADER: str(max(0, int(timeout_s * 1000))),
        }
        if epoch is not None:
            headers[limits.EPOCH_HEADER] = str(epoch)
        timer = threading.Timer(timeout_s, self._end, ["timeout"])
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(request, headers, on_text)
        except (OSError, http.client.HTTPException) as error:
            raise self._translated(error, timeout_s) from error
        finally:
            timer.cancel()
            self._connection.close()

    def cancel(self) -> None:
        """End the call: the service sees the connection close and stops."""
        self._end("cancelled")

    def _exchange(
        self, request: ChatRequest, headers: dict[str, str], on_text: Callable[[str], None]
    ) -> Reply:
        connection = self._connection
        connection.connect()
        self._is_connected = True
        if self._cause:
            raise ConnectionAbortedError
        connection.request("POST", connection.base + limits.CHAT_PATH, request.to_json(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _refusal(response, self._path)
        stream = StreamReader()
        while piece := response.read1(_PIECE_BYTES):
            before = stream.text
            stream.feed(piece)
            if stream.text != before:
                on_text(stream.text)
            if stream.is_complete:
                break
        if self._cause:
            raise ConnectionAbortedError
        return stream.reply()

    def _end(self, cause: str) -> None:
        with self._cut:
            self._cause = self._cause or cause
            _shut(self._connection)

    def _translated(self, error: Exception, timeout_s: float) -> ServiceError:
        if self._cause == "timeout":
            return ServiceError("timeout", f"no whole answer of {self._path} in {timeout_s:.1f} s")
        if self._cause:
            return ServiceError(self._cause, f"the question to {self._path} was cancelled")
        if isinstance(error, BlockingIOError):  # of a Unix socket whose queue is full
            return ServiceError("no_service", f"{self._path} takes no connection: its server hangs")
        if not self._is_connected:
            return ServiceError("no_service", f"nobody serves {self._path}: {_why(error)}")
        return ServiceError("cut_off", f"the answer of {self._path} broke off: {_why(error)}")


def _why(error: Exception) -> str:
    """Return what went wrong on the way, in words that tell what to change."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "it speaks no TLS; is http:// meant?"
        case http.client.RemoteDisconnected() | ConnectionResetError():
            return "it closed the connection without a word; one of https:// does so, too"
        case http.client.BadStatusLine():
            return f"it speaks no HTTP, but says {str(error)[:40]!r}; is it one of https://?"
    return getattr(error, "strerror", None) or str(error) or "no answer"


def read_health(path: str, timeout_s: float = CONNECT_TIMEOUT_S) -> dict[str, Any]:
    """Read what the service says of itself: "status" is "ok" or "loading".

    Raises:
        ServiceError: no_service, or unreadable.
    """
    status, body = _get(path, limits.HEALTH_PATH, timeout_s)
    default = {"status": "ok" if status == 200 else "loading"}
    try:
        health = read_json(body) if body.strip() else default  # vLLM says nothing but 200
    except ValueError as error:
        raise ServiceError("unreadable", f"{path} says of its health {body[:60]!r}") from error
    return health if isinstance(health, dict) and "status" in health else default


def read_models(path: str, timeout_s: float = FAR_CONNECT_TIMEOUT_S) -> tuple[str, ...]:
    """Read the names of the models that the service has; empty: it does not say.

    Raises:
        ServiceError: no_service.
    """
    _, body = _get(path, limits.MODELS_PATH, timeout_s)
    try:
        names = [one["id"] for one in read_json(body)["data"]]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(name for name in names if isinstance(name, str))


def _get(path: str, what: str, timeout_s: float) -> tuple[int, bytes]:
    """Return status and body, of which no more than a piece is read."""
    connection = connection_to(path)
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        _shut(connection)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        connection.connect()
        connection.request("GET", connection.base + what)
        response = connection.getresponse()
        status, body = response.status, response.read(_GET_BYTES)
    except (OSError, http.client.HTTPException) as error:
        if not is_over.is_set() and not isinstance(error, TimeoutError | BlockingIOError):
            raise ServiceError("no_service", f"nobody serves {path}: {error}") from error
        raise ServiceError("no_service", f"the server of {path} hangs: {error}") from error
    finally:
        timer.cancel()
        connection.close()
    if is_over.is_set():  # a piece came, and then no more
        raise ServiceError("no_service", f"the server of {path} hangs: no whole answer")
    return status, body


def _shut(connection: Connection) -> None:
    """Wake whoever reads with an end of file; closing would free its descriptor."""
    if connection.wire is not None:
        with contextlib.suppress(OSError):
            connection.wire.shutdown(socket.SHUT_RDWR)


#: What a status means where the body does not say.
_CAUSES = {404: "no_service", 409: "stale_epoch", 413: "too_large", 429: "busy", 503: "busy"}
_CAUSES |= {502: "no_service", 504: "timeout"}  # of what stands before a server that is gone
#: Statuses that count, whatever code of its own the server has for them.
_PASSING = (429, 503)


def _refusal(response: http.client.HTTPResponse, path: str) -> ServiceError:
    body = response.read(_PIECE_BYTES)
    status = response.status
    default = "no_service" if 300 <= status < 400 else _CAUSES.get(status, "refused")
    try:
        error = read_json(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if not error:
        error = f"{path}: " + ", ".join(filter(None, (f"status {status}", in_plain_words(body))))
        if elsewhere := response.getheader("Location", ""):
            error += f": it is at {elsewhere[:200]} now; give its address"
        elif status == 404:
            error += f": nothing is at {limits.CHAT_PATH}"
    refusal = refused(error, default)
    if status in _PASSING and refusal.cause not in STATUS:
        return ServiceError(default, str(refusal), is_refusal=True)
    return refusal

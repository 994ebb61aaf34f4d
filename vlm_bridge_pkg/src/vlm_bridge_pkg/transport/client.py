"""The client of the VLM service: HTTP over a Unix socket, with an end and a way to cancel.

The same client speaks to the stub, to the NanoLLM service, to `llama-server --host SOCKET` and to
vLLM with `--uds`. Standard library only, so the robot's container needs no HTTP library.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.protocol.replies import Reply, StreamReader, refused
from vlm_bridge_pkg.protocol.requests import ChatRequest

_CONNECT_TIMEOUT_S = 0.5
_PIECE_BYTES = 4096


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path
        #: The base class forgets `sock` when a reply has begun that ends with the connection.
        self.wire: socket.socket | None = None

    def connect(self) -> None:
        self.wire = self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_TIMEOUT_S)
        self.sock.connect(self._path)
        self.sock.settimeout(None)  # the call as a whole has its end


class VlmCall:
    """One question to the service. Made by one thread, cancelled by any."""

    def __init__(self, path: str) -> None:
        self._connection = _UnixConnection(path)
        self._path = path
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
        self._connection.connect()
        if self._cause:
            raise ConnectionAbortedError
        self._connection.request("POST", limits.CHAT_PATH, request.to_json(), headers)
        response = self._connection.getresponse()
        if response.status != 200:
            raise _refusal(response)
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
            # The reading thread wakes with an end of file; closing would free its descriptor.
            if self._connection.wire is not None:
                with contextlib.suppress(OSError):
                    self._connection.wire.shutdown(socket.SHUT_RDWR)

    def _translated(self, error: Exception, timeout_s: float) -> ServiceError:
        if self._cause == "timeout":
            return ServiceError("timeout", f"no whole answer of {self._path} in {timeout_s:.1f} s")
        if self._cause:
            return ServiceError(self._cause, f"the question to {self._path} was cancelled")
        if isinstance(error, FileNotFoundError | ConnectionRefusedError | PermissionError):
            return ServiceError("no_service", f"nobody serves {self._path}: {error.strerror}")
        if isinstance(error, BlockingIOError):  # of a Unix socket whose queue is full
            return ServiceError("no_service", f"{self._path} takes no connection: its server hangs")
        return ServiceError("cut_off", f"the answer of {self._path} broke off: {error!r}")


def read_health(path: str, timeout_s: float = _CONNECT_TIMEOUT_S) -> dict[str, Any]:
    """Read what the service says of itself: "status" is "ok" or "loading".

    Raises:
        ServiceError: no_service, or unreadable.
    """
    connection = _UnixConnection(path)
    try:
        connection.connect()
        connection.sock.settimeout(timeout_s)
        connection.request("GET", limits.HEALTH_PATH)
        response = connection.getresponse()
        body = response.read(_PIECE_BYTES)
        default = {"status": "ok" if response.status == 200 else "loading"}
        health = json.loads(body) if body.strip() else default  # vLLM says nothing but 200
        return health if isinstance(health, dict) and "status" in health else default
    except (TimeoutError, BlockingIOError) as error:
        raise ServiceError("no_service", f"the server of {path} hangs: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError("no_service", f"nobody serves {path}: {error}") from error
    except ValueError as error:
        raise ServiceError("unreadable", f"{path} says of its health {body[:60]!r}") from error
    finally:
        connection.close()


#: What a status means where the body does not say.
_CAUSES = {404: "no_service", 409: "stale_epoch", 413: "too_large", 429: "busy", 503: "busy"}


def _refusal(response: http.client.HTTPResponse) -> ServiceError:
    body = response.read(_PIECE_BYTES)
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = f"status {response.status}, {body[:80]!r}"
    return refused(error, _CAUSES.get(response.status, "refused"))

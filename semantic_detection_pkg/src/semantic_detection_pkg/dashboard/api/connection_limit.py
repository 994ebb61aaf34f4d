"""What every request passes first: origin, size, the right to look. Headers of every answer.

Who asks is looked at once, here; `scope["may_control"]` says it to all that come after.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX
from semantic_detection_pkg.dashboard.api.access import Access, TooManyGuessesError

BODY_BYTES_MAX = 64 * 1024
#: Requests that may bring more, from who may control.
LARGE_BODIES = {"/api/examples": EXAMPLE_BYTES_MAX}

#: What may be had without the right to look: the page itself shows nothing before it has it.
_OPEN_PATHS = ("/", "/healthz", "/openapi.json", "/api/session")
_OPEN_FOLDERS = ("/static/",)

_Refusal = tuple[HTTPStatus, str, dict[str, str]]

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
#: Evidence pages hold what a model wrote: in the sandbox they cannot act in our name.
_EVIDENCE_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'self' 'unsafe-inline' data: blob:; "
    "connect-src 'none'"
)


class Gate:
    """ASGI middleware: refuses before anything is read or done."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._refusal(connection)
        if refusal is not None:
            await _refuse(scope, receive, send, *refusal)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            body = _BoundedBody(receive, body_bytes_max(scope))
            await self._app(scope, body.receive, _with_headers(scope, send))

    def _refusal(self, request: HTTPConnection) -> _Refusal | None:
        if not self._access.is_own_page(request.headers):
            return HTTPStatus.FORBIDDEN, "requests from pages of other origins are refused", {}
        length = request.headers.get("content-length", "0")
        path = request.scope["path"]
        limit = LARGE_BODIES.get(path, BODY_BYTES_MAX)
        if not length.isdecimal() or int(length) > limit:
            return (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a body of {length[:20]} bytes; at most {limit} are allowed",
                {},
            )
        if path in _OPEN_PATHS or path.startswith(_OPEN_FOLDERS):
            return None
        try:
            request.scope["may_control"] = self._access.may_control(request)
        except TooManyGuessesError as error:
            return HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": str(error.wait_s)}
        if request.scope["may_control"] or self._access.is_viewing_open:
            return None
        return (
            HTTPStatus.UNAUTHORIZED,
            "looking needs the token",
            {"WWW-Authenticate": "Bearer"},
        )


def body_bytes_max(scope: Mapping[str, Any]) -> int:
    """Return how large the body of a request may be that has passed the gate."""
    may_bring_more = scope.get("may_control", False)
    return LARGE_BODIES.get(scope["path"], BODY_BYTES_MAX) if may_bring_more else BODY_BYTES_MAX


class _BoundedBody:
    """Counts a body that does not tell its length."""

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._bytes = 0
        self._bytes_max = bytes_max

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._bytes_max:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a body of more than {self._bytes_max} bytes",
            )
        return message


def _with_headers(scope: Scope, send: Send) -> Send:
    is_evidence = scope["path"].startswith("/evidence/")

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            policy = _EVIDENCE_POLICY if is_evidence else _PAGE_POLICY
            headers["Content-Security-Policy"] = policy
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return send_with_headers


async def _refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: HTTPStatus,
    detail: str,
    headers: dict[str, str],
) -> None:
    # Without `websocket.http.response` a refused WebSocket gets a bare 403.
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": 1008, "reason": detail})
        return
    answer = JSONResponse({"detail": detail}, status, {"Connection": "close", **headers})
    await answer(scope, receive, send)

"""`/api/live`: the WebSocket of one page.

    server to page  text    {"n", "now_ms", "me", "ages", "sections": what changed}
                    binary  uint32 header length, header {"n", "stamp_ns", "age_ms", ...}, JPEG
    page to server  text    {"ack": n}                    message n was shown
                            {"look": true}                pictures are wanted
                            {"rate": [yaw, pitch], "seen_ms": now_ms}   [rad/s]; turn the gimbal;
                            the first of a pull and the last are zero

What cannot be read closes this one socket.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from semantic_detection_pkg.dashboard.api.commands import Turn
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.hub import Viewer, now_ms
from semantic_detection_pkg.dashboard.api.operators import Party

#: Close codes of RFC 6455.
_UNREADABLE = 1008
_GONE = 1001

VIEWERS_MAX = 64

#: A rate that answers what was seen longer ago was held up on the line: the hand may be gone.
_RATE_AGE_MAX_MS = 1000

router = APIRouter()
_numbers = itertools.count(1)

_Rate = Annotated[float, Field(ge=-4.0, le=4.0)]


class FromPage(BaseModel):
    """One message of a page; one of the three."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    ack: int | None = None
    look: bool | None = None
    rate: tuple[_Rate, _Rate] | None = None
    seen_ms: int = 0


@router.websocket("/api/live")
async def live(socket: WebSocket) -> None:
    """Serve one page until it or its line is gone."""
    dashboard: Dashboard = socket.app.state.dashboard
    if dashboard.hub.viewers >= VIEWERS_MAX:
        detail = f"{VIEWERS_MAX} pages are open already"
        await socket.send_denial_response(
            JSONResponse({"detail": detail}, HTTPStatus.SERVICE_UNAVAILABLE)
        )
        return
    await socket.accept()
    address = socket.client.host if socket.client else "?"
    party = Party(secrets.token_urlsafe(16), f"viewer {next(_numbers)} at {address}")
    viewer = Viewer(party, may_control=socket.scope["may_control"])  # the gate has looked
    dashboard.operators.enter(party)
    dashboard.hub.enter(viewer)
    tasks = [
        asyncio.create_task(viewer.run(socket, dashboard.board, dashboard.operators)),
        asyncio.create_task(_listen(socket, dashboard, viewer)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await _close(socket, task)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        dashboard.hub.leave(viewer)
        was_operator = dashboard.operators.holds(party.id)
        dashboard.operators.leave(party)
        if was_operator:
            dashboard.announce_operator()


async def _listen(socket: WebSocket, dashboard: Dashboard, viewer: Viewer) -> None:
    while True:
        message = FromPage.model_validate_json(await socket.receive_text())
        if message.ack is not None:
            dashboard.confirm(viewer.confirm(message.ack))
        if message.look is not None:
            dashboard.hub.set_looking(viewer, message.look)
        if message.rate is not None and _is_obeyed(dashboard, viewer, message.seen_ms):
            _turn(dashboard, *message.rate)


def _is_obeyed(dashboard: Dashboard, viewer: Viewer, seen_ms: int) -> bool:
    is_fresh = now_ms() - seen_ms <= _RATE_AGE_MAX_MS
    return viewer.may_control and is_fresh and dashboard.operators.holds(viewer.party.id)


def _turn(dashboard: Dashboard, yaw_rate_rad_s: float, pitch_rate_rad_s: float) -> None:
    """Turn the gimbal; after a stop, a hand that still pulls does not start it again."""
    if yaw_rate_rad_s == pitch_rate_rad_s == 0.0:
        dashboard.is_halted = False
    if not dashboard.is_halted:
        rates = {"yaw_rate_rad_s": yaw_rate_rad_s, "pitch_rate_rad_s": pitch_rate_rad_s}
        dashboard.robot.turn(Turn(**rates))


async def _close(socket: WebSocket, task: asyncio.Task[None]) -> None:
    error = task.exception()
    if isinstance(error, WebSocketDisconnect | RuntimeError):
        return  # the line is gone, whichever half noticed first
    if isinstance(error, ValidationError | KeyError):  # KeyError: bytes where text is due
        await socket.close(_UNREADABLE, "a message that cannot be read")
    elif error is None:
        await socket.close(_GONE, "nothing was confirmed for too long")
    else:
        raise error

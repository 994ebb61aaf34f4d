"""`/api/missions`: recorded missions as timelines, and their frames; `/missions` shows them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse

from semantic_detection_pkg.dashboard.api.dashboard import Dashboard

_PAGE = Path(__file__).resolve().parents[1] / "static" / "missions.html"
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "the token is missing or wrong"},
    429: {"description": "too many wrong tokens came from this address"},
}

router = APIRouter(tags=["look"], responses=_REFUSALS)


@router.get("/missions", include_in_schema=False)
async def page() -> FileResponse:
    """Return the page of the recorded missions."""
    return FileResponse(_PAGE)


@router.get("/api/missions")
async def missions(request: Request) -> list[dict[str, Any]]:
    """Return the missions of what the recorder has finished, newest first; times in ns as text."""
    dashboard: Dashboard = request.app.state.dashboard
    found = await asyncio.to_thread(dashboard.recorded.missions)
    return [one.to_plain() for one in found]


@router.get(
    "/api/missions/frame",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}},
        404: {"description": "no frame is recorded there"},
        422: {"description": "a value is not allowed"},
    },
)
async def frame(
    request: Request,
    at_ns: Annotated[str, Query(pattern=r"^[0-9]{1,19}$", description="[ns] when received")],
    step: Annotated[
        Literal["next", "previous", "of"],
        Query(
            description="the first frame from that time on, the last one before it, or the one "
            "that was captured then"
        ),
    ] = "next",
) -> Response:
    """Return a recorded frame with what was detected in it drawn in."""
    dashboard: Dashboard = request.app.state.dashboard
    recorded, time_ns = dashboard.recorded, int(at_ns)
    if step == "of":
        made = await asyncio.to_thread(recorded.frame_of, time_ns)
    else:
        made = await asyncio.to_thread(recorded.frame, time_ns, is_before=step == "previous")
    if made is None:
        raise HTTPException(404, "no frame is recorded there")
    objects = "" if made.objects is None else str(made.objects)
    return Response(
        made.jpeg,
        media_type="image/jpeg",
        headers={
            "X-Stamp-Ns": str(made.stamp_ns),
            "X-Received-Ns": str(made.received_ns),
            "X-Objects": objects,
            "Cache-Control": "private, max-age=300",
        },
    )

"""The web application: routes, the page's files, evidence, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from semantic_detection_pkg.dashboard.api import (
    api,
    examples,
    ground_map,
    live,
    maps,
    missions,
    reviews,
)
from semantic_detection_pkg.dashboard.api.connection_limit import Gate
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard

STATIC_DIR = Path(__file__).resolve().parents[1] / "static"

#: The robot's side writes a beat once a second; older than this, it does not run any more.
_BEAT_AGE_MAX_S = 3.0


def make_app(dashboard: Dashboard, fail: Callable[[BaseException], None]) -> FastAPI:
    """Make the application over these parts.

    Args:
        fail: told what the dashboard's own work ended by, in the event loop.
    """

    def look(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            fail(error)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(dashboard.run())
        task.add_done_callback(look)
        yield
        task.cancel()
        await asyncio.wait([task])

    app = FastAPI(
        title="Semantic detection dashboard",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from the network
        redoc_url=None,
    )
    app.state.dashboard = dashboard
    routers = (api.look, api.access, api.control, api.steer, live.router, maps.router)
    more = (examples.router, reviews.router, missions.router, ground_map.router)
    for router in (*routers, *more):
        app.include_router(router)
    _add_pages(app, dashboard)
    app.add_exception_handler(RequestValidationError, _explain)
    app.add_middleware(Gate, access=dashboard.access)
    return app


def _add_pages(app: FastAPI, dashboard: Dashboard) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC_DIR / "index.html")

    @app.get("/healthz", tags=["look"], responses={503: {}})
    async def healthz() -> JSONResponse:
        """Tell whether the dashboard and its connection to the robot run."""
        age_s = dashboard.board.ages_s().get("beat")
        is_well = age_s is not None and age_s <= _BEAT_AGE_MAX_S
        status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"is_well": is_well, "beat_age_s": age_s}, status)

    @app.get("/metrics", tags=["look"], response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return all figures, for Prometheus."""
        body, content_type = dashboard.metrics.text(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    app.mount("/static", StaticFiles(directory=STATIC_DIR))
    app.mount("/evidence", _Evidence(dashboard.settings.evidence_dir))


class _Evidence(StaticFiles):
    """The recorder's folder, which may come later; folders show their page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False, html=True)

    async def check_config(self) -> None:
        """Check nothing: the folder need not be there, then nothing is found in it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except (OSError, ValueError):  # a name that no file can have
            return JSONResponse({"detail": "there is no such file"}, HTTPStatus.NOT_FOUND)


async def _explain(_: Request, error: Exception) -> JSONResponse:
    """Return one line on what is wrong, without the value: it may be NaN, or a secret."""
    assert isinstance(error, RequestValidationError)
    lines = [
        f"{'.'.join(str(part) for part in problem['loc'])}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    ]
    return JSONResponse({"detail": "; ".join(lines)}, HTTPStatus.UNPROCESSABLE_ENTITY)

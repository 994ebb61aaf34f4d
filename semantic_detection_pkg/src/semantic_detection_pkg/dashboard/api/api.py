"""`/api/...`: the board as JSON, control by requests. Looking is let in by the gate before."""

from __future__ import annotations

from asyncio import to_thread
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from semantic_detection_pkg.dashboard.api.access import TooManyGuessesError, address_of
from semantic_detection_pkg.dashboard.api.commands import (
    Center,
    Command,
    CommandStatus,
    MarkEvent,
    Outcome,
    PauseScan,
    Point,
    PointScan,
    SetProposals,
    SetWords,
    StartScan,
    Stop,
    StopScan,
    ToBearings,
    WeightedPart,
    Zoom,
)
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.metrics import values_of
from semantic_detection_pkg.dashboard.api.operators import ControlHeldError
from semantic_detection_pkg.dashboard.core.weights_map import parts_of, rings_of

_STATUS = {
    CommandStatus.DONE: HTTPStatus.OK,
    CommandStatus.REFUSED: HTTPStatus.CONFLICT,
    CommandStatus.ABSENT: HTTPStatus.SERVICE_UNAVAILABLE,
    CommandStatus.LATE: HTTPStatus.GATEWAY_TIMEOUT,
}
_PICTURE_TIMEOUT_S = 2.0


class Refusal(BaseModel):
    """Why not."""

    detail: str


class CommandReply(BaseModel):
    """What the robot said."""

    message: str


class Credentials(BaseModel):
    """What opens a session."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(max_length=1000)]


class Control(BaseModel):
    """Take control, or give it back."""

    model_config = ConfigDict(extra="forbid")
    is_taken: bool
    is_forced: bool = Field(False, description="take it from who holds it")


class MapOfWeights(BaseModel):
    """A map of where what is sought is likelier."""

    model_config = ConfigDict(extra="forbid")
    geojson: dict[str, Any] = Field(
        description="RFC 7946: polygons, each with a property 'weight' against 1 elsewhere"
    )


class WeightedParts(BaseModel):
    """Parts of the area, for the start of a scan."""

    parts: list[WeightedPart]


#: What any request may be refused for, as the OpenAPI document has it.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status.value: {"model": Refusal, "description": text}
    for status, text in (
        (HTTPStatus.UNAUTHORIZED, "the token is missing or wrong"),
        (HTTPStatus.FORBIDDEN, "the request comes from a page of another origin"),
        (HTTPStatus.CONFLICT, "somebody else holds control, or the robot refuses"),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "a value is not allowed"),
        (HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens came from this address"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "nobody is there who could do it"),
        (HTTPStatus.GATEWAY_TIMEOUT, "no answer in time"),
    )
}


def _dashboard(request: Request) -> Dashboard:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


Shared = Annotated[Dashboard, Depends(_dashboard)]
ViewerId = Annotated[
    str, Header(alias="X-Viewer", max_length=100, description="`me.id` of the live connection")
]


def may_control(request: Request) -> None:
    """Let through who may control, refuse others."""
    if not request.scope["may_control"]:  # the gate has looked
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED, "control needs the token", {"WWW-Authenticate": "Bearer"}
        )


def holds_control(dashboard: Shared, viewer_id: ViewerId = "") -> None:
    """Let through the page that holds control, refuse others."""
    try:
        dashboard.operators.check(viewer_id)
    except ControlHeldError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error


look = APIRouter(prefix="/api", tags=["look"], responses=REFUSALS)
access = APIRouter(prefix="/api", tags=["access"], responses=REFUSALS)
control = APIRouter(
    prefix="/api", tags=["control"], responses=REFUSALS, dependencies=[Depends(may_control)]
)
steer = APIRouter(
    prefix="/api",
    tags=["control"],
    responses=REFUSALS,
    dependencies=[Depends(may_control), Depends(holds_control)],
)


@look.get("/state")
async def state(dashboard: Shared) -> dict[str, Any]:
    """Return all sections of the board; what is absent is left out."""
    return values_of(dashboard.board)


@look.get("/state/{section}", responses={404: {"model": Refusal}})
async def one_section(dashboard: Shared, section: str) -> Any:
    """Return one section of the board."""
    value = dashboard.board.get(section)
    if value is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"section {section!r} is absent")
    return value


@look.get("/picture", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def picture(
    dashboard: Shared,
    plain: Annotated[bool, Query(description="as the camera gave it, in its full size")] = False,
) -> Response:
    """Return the next picture with what was found in it."""
    made = await dashboard.hub.next_picture(_PICTURE_TIMEOUT_S)
    if made is not None and plain and (jpeg := await to_thread(dashboard.pictures.plain)):
        return Response(jpeg, media_type="image/jpeg")
    if made is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "no picture comes from the camera")
    return Response(made.jpeg, media_type="image/jpeg")


@look.get(
    "/findings/{finding_id}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 404: {"model": Refusal}},
)
async def thumbnail(
    dashboard: Shared, finding_id: Annotated[str, Path(max_length=200)]
) -> Response:
    """Return what a finding looks like: of a picture that was shown, or that the recorder has."""
    jpeg = dashboard.findings.thumbnail(finding_id)
    if jpeg is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no picture of finding {finding_id!r} is kept")
    return Response(jpeg, media_type="image/jpeg")


@access.post("/session", status_code=HTTPStatus.NO_CONTENT)
async def open_session(dashboard: Shared, request: Request, body: Credentials) -> Response:
    """Exchange the token for a cookie that lets this browser look and control."""
    try:
        session = dashboard.access.open_session(body.token, address_of(request))
    except TooManyGuessesError as error:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": str(error.wait_s)}
        ) from error
    if session is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED, "this is not the token", {"WWW-Authenticate": "Bearer"}
        )
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.set_cookie(dashboard.access.cookie, session, httponly=True, samesite="strict")
    return response


@access.delete("/session", status_code=HTTPStatus.NO_CONTENT)
async def close_session(dashboard: Shared, request: Request) -> Response:
    """Forget the cookie."""
    dashboard.access.close_session(request.cookies)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(dashboard.access.cookie)
    return response


@control.post("/operator", response_model=CommandReply)
async def take_or_give_control(
    dashboard: Shared, body: Control, viewer_id: ViewerId = ""
) -> JSONResponse:
    """Take control for the page with this live connection, or give it back."""
    try:
        if body.is_taken:
            dashboard.operators.take_control(viewer_id, is_forced=body.is_forced)
        else:
            dashboard.operators.give(viewer_id)
    except ControlHeldError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
    return answer_of(await dashboard.pass_control())


async def _carry_out(dashboard: Dashboard, command: Command) -> JSONResponse:
    return answer_of(await dashboard.ask(command))


def answer_of(outcome: Outcome) -> JSONResponse:
    """Return how a command ended, as an answer."""
    status = _STATUS[outcome.status]
    key = "message" if outcome.status is CommandStatus.DONE else "detail"
    return JSONResponse({key: outcome.message}, status)


@control.post("/gimbal/stop", response_model=CommandReply)
async def stop(dashboard: Shared) -> JSONResponse:
    """Stop the gimbal: whoever may control may do it, whoever holds control."""
    dashboard.is_halted = True
    return await _carry_out(dashboard, Stop())


@steer.post("/gimbal/point", response_model=CommandReply)
async def point(dashboard: Shared, body: Point) -> JSONResponse:
    """Point the gimbal to a bearing."""
    return await _carry_out(dashboard, body)


@steer.post("/gimbal/center", response_model=CommandReply)
async def center(dashboard: Shared) -> JSONResponse:
    """Point the gimbal to its middle."""
    return await _carry_out(dashboard, Center())


@steer.post("/gimbal/zoom", response_model=CommandReply)
async def zoom(dashboard: Shared, body: Zoom) -> JSONResponse:
    """Zoom to a magnification."""
    return await _carry_out(dashboard, body)


@steer.post("/vocabulary", response_model=CommandReply)
async def words(dashboard: Shared, body: SetWords) -> JSONResponse:
    """Choose what the detector looks for."""
    return await _carry_out(dashboard, body)


@steer.post("/proposals", response_model=CommandReply)
async def proposals(dashboard: Shared, body: SetProposals) -> JSONResponse:
    """Choose what the detector proposes without a word: anomalies, colours."""
    return await _carry_out(dashboard, body)


@steer.post("/scan/start", response_model=CommandReply)
async def start_scan(dashboard: Shared, body: StartScan) -> JSONResponse:
    """Search an area for what the words name."""
    dashboard.missions.send(body.as_goal())
    outcome = await dashboard.ask(body)
    if outcome.status is not CommandStatus.DONE:
        dashboard.missions.drop_sent()
    return answer_of(outcome)


@control.post("/scan/weights", response_model=WeightedParts)
async def weights_of_map(dashboard: Shared, body: MapOfWeights) -> JSONResponse:
    """Return the polygons of a GeoJSON as parts of the area, as seen from where the robot is."""
    try:
        rings = rings_of(body.geojson)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    latitudes, longitudes = zip(*(place for one in rings for place in one.places), strict=True)
    asked = ToBearings(latitudes_deg=latitudes, longitudes_deg=longitudes)
    outcome = await dashboard.ask(asked)
    if outcome.status is not CommandStatus.DONE:
        return answer_of(outcome)
    try:
        parts = parts_of(rings, outcome.bearings)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    shown = [
        {
            "vertices": [{"yaw_rad": yaw, "pitch_rad": pitch} for yaw, pitch in one.vertices],
            "weight": one.weight,
        }
        for one in parts
    ]
    return JSONResponse({"parts": shown})


@steer.post("/scan/pause", response_model=CommandReply)
async def pause_scan(dashboard: Shared, body: PauseScan) -> JSONResponse:
    """Hold the scan, or go on."""
    return await _carry_out(dashboard, body)


@steer.post("/scan/stop", response_model=CommandReply)
async def stop_scan(dashboard: Shared) -> JSONResponse:
    """End the scan."""
    return await _carry_out(dashboard, StopScan())


@steer.post("/scan/look", response_model=CommandReply)
async def look_at(dashboard: Shared, body: PointScan) -> JSONResponse:
    """Have the scan look at a bearing next."""
    return await _carry_out(dashboard, body)


@steer.post("/recorder/events", response_model=CommandReply)
async def mark_event(dashboard: Shared, body: MarkEvent) -> JSONResponse:
    """Keep what happened around now."""
    return await _carry_out(dashboard, body)

"""`/api/map/...`: the map on the page. Where bearings and cells lie, findings, tiles."""

from __future__ import annotations

import asyncio
import base64
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from semantic_detection_pkg.dashboard.api.api import (
    REFUSALS,
    Refusal,
    Shared,
    answer_of,
    may_control,
)
from semantic_detection_pkg.dashboard.api.commands import (
    CommandStatus,
    Pitch,
    ToBearings,
    Vertex,
    Yaw,
)
from semantic_detection_pkg.dashboard.api.maps import position_of
from semantic_detection_pkg.dashboard.core.map_ground import (
    MapGround,
    MapPlace,
    cell_corners,
    ellipse_outline,
    is_placed_coverage,
)
from semantic_detection_pkg.dashboard.core.tiles import ZOOM_MAX, is_tile, media_type

CORNERS_MAX = 1000

router = APIRouter(prefix="/api", tags=["look"], responses=REFUSALS)

_Bearing = tuple[Yaw, Pitch]
_Latitude = Annotated[float, Field(ge=-90.0, le=90.0, description="[deg] WGS 84")]
_Longitude = Annotated[float, Field(ge=-360.0, le=360.0, description="[deg]")]
_LatLon = tuple[float, float]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Seen(_Model):
    """Bearings that are to be drawn on the map."""

    outlines: Annotated[
        list[Annotated[list[_Bearing], Field(max_length=CORNERS_MAX)]], Field(max_length=200)
    ] = Field(default=[], description="corners of closed outlines, [yaw, pitch]")
    points: Annotated[list[_Bearing], Field(max_length=CORNERS_MAX)] = []


class MapRobot(_Model):
    """Where the robot is, and where it is headed: from north, clockwise."""

    latitude_deg: float
    longitude_deg: float
    heading_rad: float | None


class SeenPlaces(_Model):
    """Where they lie."""

    told: str = Field(description="what is not known, in a line")
    cells_version: int = Field(description="another one: the cells of the coverage lie elsewhere")
    is_local: bool = Field(description="the robot stands at 0, 0 and ahead is north")
    is_ground_known: bool
    robot: MapRobot | None
    outlines: list[list[_LatLon]] = Field(description="[latitude, longitude], empty: not known")
    points: list[tuple[float, float, bool] | None] = Field(
        description="latitude, longitude, whether the ground is met there"
    )


class MapCells(_Model):
    """The coverage's cells on the ground; all empty where that is not known.

    `corners` are latitude and longitude in 1e-7 deg, rows + 1 times columns + 1 of them, as
    little-endian int32 in base64, the least one where there is none; `is_ground` a byte for each
    cell.
    """

    rows: int
    columns: int
    corners: str
    is_ground: str


class PlacedFinding(_Model):
    """A finding's position and the outline of its 1-sigma ellipse."""

    id: str
    latitude_deg: float
    longitude_deg: float
    ellipse: list[_LatLon]


class Places(_Model):
    """Places on the ground."""

    places: Annotated[list[tuple[_Latitude, _Longitude]], Field(min_length=1, max_length=200)]


class Bearings(_Model):
    """How the robot sees them."""

    bearings: list[Vertex]


@router.post("/map/places")
async def places(dashboard: Shared, body: Seen) -> SeenPlaces:
    """Return where bearings lie on the map, and what of it is not known. Changes nothing."""
    count = sum(map(len, body.outlines))
    if count > CORNERS_MAX:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"outlines: {count} corners are too many, at most {CORNERS_MAX} are allowed",
        )
    is_placed = any(one.get("has_position") for one in dashboard.board.get("findings") or ())
    return await asyncio.to_thread(
        lambda: _seen_places(
            dashboard.map_book.ground(is_placed=is_placed), dashboard.map_book.cells_version, body
        )
    )


def _seen_places(ground: MapGround, cells_version: int, body: Seen) -> SeenPlaces:
    robot = None
    if ground.place is not None:
        latitude, longitude, _ = ground.place
        robot = MapRobot(
            latitude_deg=latitude, longitude_deg=longitude, heading_rad=ground.heading_rad
        )
    points = ground.places(body.points)
    return SeenPlaces(
        told=ground.told,
        cells_version=cells_version,
        is_local=ground.is_local,
        is_ground_known=ground.is_ground_known,
        robot=robot,
        outlines=[_pairs(ground.outline(one)) for one in body.outlines],
        points=[(one.latitude_deg, one.longitude_deg, one.is_met) for one in points]
        or [None] * len(body.points),
    )


def _pairs(found: list[MapPlace]) -> list[_LatLon]:
    return [(one.latitude_deg, one.longitude_deg) for one in found]


@router.get("/map/cells")
async def cells(dashboard: Shared) -> MapCells:
    """Return where the cells of the newest coverage lie."""
    coverage = dashboard.map_book.coverage
    if coverage is None:
        return MapCells(rows=0, columns=0, corners="", is_ground="")
    is_local = not is_placed_coverage(coverage)
    corners, is_ground = await asyncio.to_thread(cell_corners, coverage, is_local=is_local)
    return MapCells(
        rows=coverage.rows,
        columns=coverage.columns,
        corners=_packed(corners, "<i4"),
        is_ground=_packed(is_ground, "u1"),
    )


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values, np.dtype(kind)).tobytes()).decode()


@router.get("/map/findings")
async def findings(dashboard: Shared) -> list[PlacedFinding]:
    """Return the findings whose position is known, with the ellipses of their accuracy."""

    def placed() -> list[PlacedFinding]:
        known = ((one["id"], position_of(one)) for one, _ in dashboard.findings.all())
        return [
            PlacedFinding(
                id=finding_id,
                latitude_deg=position.latitude_deg,
                longitude_deg=position.longitude_deg,
                ellipse=ellipse_outline(position),
            )
            for finding_id, position in known
            if position is not None
        ]

    return await asyncio.to_thread(placed)


@router.get(
    "/map/tiles/{zoom}/{column}/{row}",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}},
        404: {"model": Refusal, "description": "there is no such tile, or no file of tiles"},
    },
)
async def tile(
    dashboard: Shared,
    zoom: Annotated[int, Path(ge=0, le=ZOOM_MAX)],
    column: Annotated[int, Path(ge=0, description="from 180 degrees west on")],
    row: Annotated[int, Path(ge=0, description="from the north on")],
) -> Response:
    """Return a tile of the map."""
    if not is_tile(zoom, column, row):
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"there is no such tile: at zoom {zoom} columns and rows are 0..{(1 << zoom) - 1}",
        )
    found = await asyncio.to_thread(dashboard.tiles.tile, zoom, column, row)
    kind = None if found is None else media_type(found)
    if found is None or kind is None:
        told = (dashboard.board.get("tiles") or {"told": "there is no file of tiles"})["told"]
        raise HTTPException(HTTPStatus.NOT_FOUND, told or "the file has no such tile")
    return Response(found, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


@router.post(
    "/map/bearings",
    tags=["control"],
    response_model=Bearings,
    dependencies=[Depends(may_control)],
)
async def bearings(dashboard: Shared, body: Places) -> JSONResponse:
    """Return where places on the ground lie as seen from the robot, by the scan controller."""
    latitudes, longitudes = zip(*body.places, strict=True)
    asked = ToBearings(latitudes_deg=latitudes, longitudes_deg=longitudes)
    outcome = await dashboard.ask(asked)
    if outcome.status is not CommandStatus.DONE:
        return answer_of(outcome)
    found = [{"yaw_rad": yaw, "pitch_rad": pitch} for yaw, pitch in outcome.bearings]
    return JSONResponse({"bearings": found})

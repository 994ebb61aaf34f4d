"""`/api/findings/map/...`: what the page knows of a mission as a file for maps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response

from semantic_detection_pkg.common.core.position import Position, known_position
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.recorder.core.reviews import UNREVIEWED, FindingReview
from semantic_detection_pkg.recorder.evidence.rendering import utc
from semantic_detection_pkg.recorder.map_files.files import MAKERS, MEDIA_TYPES
from semantic_detection_pkg.recorder.map_files.items import MapFinding, MapMission, numbered

router = APIRouter(prefix="/api", tags=["look"])

#: What needs the recording stays with `report --export`.
Kind = Literal["kml", "kmz", "gpx", "geojson", "csv"]
_PLACE = ("latitude_deg", "longitude_deg", "altitude_m")
_ELLIPSE = ("ellipse_major_m", "ellipse_minor_m", "ellipse_heading_rad")


@router.get(
    "/findings/map/{kind}",
    response_class=Response,
    responses={
        200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}},
        401: {"description": "the token is missing or wrong"},
        404: {"description": "nothing was found in that mission"},
        422: {"description": "a value is not allowed"},
        429: {"description": "too many wrong tokens came from this address"},
    },
)
async def map_file(
    request: Request,
    kind: Kind,
    mission: Annotated[
        str,
        Query(
            pattern=r"^[0-9]{0,20}$",
            description="when it was begun [ns]: what its findings' ids start with; empty: all",
        ),
    ] = "",
) -> Response:
    """Return the findings of a mission as a file for maps."""
    dashboard: Dashboard = request.app.state.dashboard
    found = [
        map_finding(finding, jpeg, dashboard.reviews.of(finding["id"]))
        for finding, jpeg in dashboard.findings.all()
        if not mission or finding["id"].startswith(f"{mission}-")
    ]
    if mission and not found:
        raise HTTPException(404, f"no finding of mission {mission} is known")
    content = await asyncio.to_thread(MAKERS[kind], _mission(found))
    name = f"findings_{utc(int(mission))[:19]}.{kind}" if mission else f"findings.{kind}"
    name = name.replace(":", "").replace("-", "").replace(" ", "T")
    return Response(
        content,
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def map_finding(
    plain: dict[str, Any], jpeg: bytes, review: FindingReview = UNREVIEWED
) -> MapFinding:
    """Return a finding as map files tell it, of one as the page has it."""
    ran = [tier for tier in plain["tiers"] if tier.get("verdict") != "not_run"]
    bearing = plain["bearing"]
    return MapFinding(
        finding_id=plain["id"],
        class_name=plain["class_name"],
        state=str(plain["state"]),
        score=_number(plain.get("score"), 0.0),
        time_ns=int(plain["stamp_ns"]),
        position=position_of(plain),
        yaw_rad=_number(bearing.get("yaw_rad")),
        pitch_rad=_number(bearing.get("pitch_rad")),
        decided_by=f"tier {ran[-1].get('tier')}: {ran[-1].get('reason')}" if ran else "",
        jpeg=jpeg,
        review=review,
    )


def position_of(plain: dict[str, Any]) -> Position | None:
    """Return the position of a finding as the page has it; None: not known."""
    if plain.get("has_position") is not True:
        return None
    latitude, longitude, altitude = (_number(plain.get(name)) for name in _PLACE)
    major, minor, heading = (_number(plain.get(name)) for name in _ELLIPSE)
    return known_position(
        (latitude, longitude, altitude), _number(plain.get("range_m")), (major, minor, heading)
    )


def _mission(found: Iterable[MapFinding]) -> MapMission:
    findings = numbered(found)
    times = [one.time_ns for one in findings]
    words = tuple(dict.fromkeys(one.class_name for one in findings))
    return MapMission(min(times, default=0), max(times, default=0), words, findings)


def _number(value: Any, otherwise: float = math.nan) -> float:
    """Return a number of a file that may be somebody else's."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else otherwise

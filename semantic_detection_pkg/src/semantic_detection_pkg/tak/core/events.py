"""Cursor on Target: what an event says, and the events of a search.

An event has an identity, a type, a place, a lifetime, and details; a new one of the same identity
replaces it, and after its lifetime it is stale. Types and fields after MITRE's CoT Event schema 2.0
and what ATAK makes of the details. `ce` is 1 sigma, heights are above the ellipsoid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ros_support_pkg.core.words import CellResult, FindingState
from semantic_detection_pkg.common.core.coordinates import (
    accuracy_text,
    mgrs_of,
    radio_text,
    wrapped_longitude,
)
from semantic_detection_pkg.common.core.coverage_ground import Outline
from semantic_detection_pkg.common.core.geojson import Ring
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, FINDING_COLOURS
from semantic_detection_pkg.common.core.position import Position, RobotPlace, heading

UNKNOWN_M = 9_999_999.0  # as CoT writes what is not known
SPOT, CAMERA, SHAPE = "b-m-p-s-m", "b-m-p-s-p-loc", "u-d-f"
MEASURED, ESTIMATED = "m-g", "m-r"  # how: by a receiver, by a machine's reasoning

_COLOURS = {state.word: colour for state, colour in FINDING_COLOURS.items()}
_SHAPES_MAX = 60  # of the searched area; each has up to `_POINTS_MAX` corners
_POINTS_MAX = 200
_TEXT_MAX = 1500
_PROGRAM = {"device": "robot", "platform": "semantic detection", "os": "1", "version": "1"}


@dataclass(frozen=True)
class Detail:
    """An element of an event's details.

    Attributes:
        text: what stands in it.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class CotEvent:
    """What is told of one thing.

    Attributes:
        uid: its identity.
        kind: CoT type.
        how: CoT how.
        latitude_deg, longitude_deg: WGS 84.
        hae_m: above the ellipsoid.
        ce_m, le_m: 1 sigma, across and in height.
        lifetime_s: until it is stale; 0: at once, it is withdrawn.
        is_standing: it holds until something else is said, so it is told again in time.
    """

    uid: str
    kind: str
    how: str
    latitude_deg: float
    longitude_deg: float
    hae_m: float = UNKNOWN_M
    ce_m: float = UNKNOWN_M
    le_m: float = UNKNOWN_M
    lifetime_s: float = 60.0
    is_standing: bool = False
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True)
class Robot:
    """Who tells.

    Attributes:
        uid: unique among all that share the map.
    """

    uid: str
    callsign: str
    team: str = "Cyan"
    role: str = "Team Member"
    kind: str = "a-f-A-M-H-Q"


@dataclass(frozen=True)
class ToldFinding:
    """One finding.

    Attributes:
        number: in its mission; what it is called by.
        picture_url: where it can be looked at; empty: nowhere.
    """

    finding_id: str
    number: int
    class_name: str
    state: str
    score: float
    position: Position
    reason: str = ""
    picture_url: str = ""


def finding_event(robot: Robot, one: ToldFinding, lifetime_s: float) -> CotEvent:
    """Return what is told of a finding; `lifetime_s` 0 withdraws it."""
    position = one.position
    name = f"{one.number} {one.class_name}" if one.number else one.class_name
    colour = argb(_COLOURS.get(one.state, _COLOURS[FindingState.CANDIDATE.word]))
    grid = mgrs_of(position.latitude_deg, position.longitude_deg)
    lines = [
        f"{one.state}, score {one.score:.2f}, by {robot.callsign}",
        one.reason,
        grid,
        accuracy_text(position),
        radio_text(name, position),
        one.picture_url,
    ]
    details = [
        Detail("contact", {"callsign": name}),
        Detail("color", {"argb": colour}),
        Detail("usericon", {"iconsetpath": f"COT_MAPPING_SPOTMAP/{SPOT}/{colour}"}),
        Detail("precisionlocation", {"geopointsrc": "CALC", "altsrc": "CALC"}),
        _made_by(robot),
        Detail("remarks", text="\n".join(filter(None, lines))[:_TEXT_MAX]),
    ]
    if one.picture_url:
        link = {"url": one.picture_url, "mime": "image/jpeg", "relation": "r-u", "type": "b-i-x-i"}
        details.append(Detail("link", {**link, "remarks": "picture"}))
    return CotEvent(
        f"{robot.uid}.finding.{one.finding_id}",
        SPOT,
        ESTIMATED,
        position.latitude_deg,
        wrapped_longitude(position.longitude_deg),
        position.altitude_m,
        position.ellipse_major_m,
        UNKNOWN_M,
        lifetime_s,
        is_standing=True,
        details=tuple(details),
    )


def robot_event(robot: Robot, place: RobotPlace, lifetime_s: float) -> CotEvent:
    """Return where the robot is, as a member of the team, who can be sent things."""
    details = [
        Detail("takv", _PROGRAM),
        Detail("contact", {"callsign": robot.callsign, "endpoint": "*:-1:stcp"}),
        Detail("uid", {"Droid": robot.callsign}),
        Detail("__group", {"name": robot.team, "role": robot.role}),
        Detail("status", {"readiness": "true"}),
        Detail("precisionlocation", {"geopointsrc": "GPS", "altsrc": "GPS"}),
    ]
    if place.quaternion_xyzw is not None:
        course, _ = heading(place.quaternion_xyzw, 0.0, 0.0)
        details.append(Detail("track", {"course": f"{math.degrees(course):.1f}", "speed": "0.0"}))
    return CotEvent(
        robot.uid,
        robot.kind,
        MEASURED,
        place.latitude_deg,
        wrapped_longitude(place.longitude_deg),
        place.altitude_m,
        place.sigma_horizontal_m,
        place.sigma_vertical_m,
        lifetime_s,
        details=tuple(details),
    )


def camera_event(
    robot: Robot,
    place: RobotPlace,
    pose_rad: tuple[float, float, float],
    range_m: float,
    lifetime_s: float,
) -> CotEvent | None:
    """Return where the camera looks, which maps draw as a wedge; None where that is not known.

    Args:
        pose_rad: yaw and pitch of the gimbal, horizontal field of view.
        range_m: to the ground, along the middle of the picture; NaN: not known, nothing is drawn.
    """
    yaw_rad, pitch_rad, hfov_rad = pose_rad
    if place.quaternion_xyzw is None or not all(map(math.isfinite, pose_rad)):
        return None
    azimuth, elevation = heading(place.quaternion_xyzw, yaw_rad, pitch_rad)
    sensor = {
        "azimuth": f"{math.degrees(azimuth):.1f}",
        "elevation": f"{math.degrees(elevation):.1f}",
        "fov": f"{math.degrees(hfov_rad):.1f}",
        "type": "r-e",
        "version": "0.6",
        "north": "0",
        "model": "gimbal camera",
        "displayMagneticReference": "0",
        "hideFov": "false" if math.isfinite(range_m) else "true",
        "fovAlpha": "0.25",
        **{"fovRed": "1.0", "fovGreen": "0.7", "fovBlue": "0.3"},
    }
    if math.isfinite(range_m):
        across_m = range_m * math.cos(elevation)
        sensor["range"] = f"{max(1.0, across_m):.0f}"
    return CotEvent(
        f"{robot.uid}.camera",
        CAMERA,
        MEASURED,
        place.latitude_deg,
        wrapped_longitude(place.longitude_deg),
        place.altitude_m,
        place.sigma_horizontal_m,
        place.sigma_vertical_m,
        lifetime_s,
        details=(
            Detail("contact", {"callsign": f"{robot.callsign} camera"}),
            Detail("sensor", sensor),
            _made_by(robot),
        ),
    )


def area_events(robot: Robot, area: Sequence[Outline], lifetime_s: float) -> list[CotEvent]:
    """Return the searched area, and the holes in it, as shapes.

    Maps know no shapes with holes, so these are shapes of their own over it. Where there are too
    many, whole parts are left out with their holes, the small ones: never a hole alone.
    """
    events: list[CotEvent] = []
    for number, part in enumerate(sorted(area, key=lambda one: -len(one.outer)), start=1):
        rings = [part.outer, *part.holes]
        if len(events) + len(rings) > _SHAPES_MAX:
            continue
        for index, ring in enumerate(rings):
            is_hole = index > 0
            colour = CELL_COLOURS[CellResult.UNSEEN if is_hole else CellResult.EMPTY]
            events.append(
                _shape(
                    f"{robot.uid}.area.{number}.{index}",
                    "not searched" if is_hole else f"searched by {robot.callsign}",
                    ring[:: 1 + len(ring) // _POINTS_MAX],
                    colour,
                    lifetime_s,
                )
            )
    return events


def _shape(uid: str, name: str, ring: Ring, colour: int, lifetime_s: float) -> CotEvent:
    closed = ring if ring[0] == ring[-1] else [*ring, ring[0]]
    corners = tuple(
        Detail("link", {"point": f"{latitude:.7f},{longitude:.7f}"})
        for longitude, latitude in closed
    )
    return CotEvent(
        uid,
        SHAPE,
        ESTIMATED,
        closed[0][1],
        closed[0][0],
        lifetime_s=lifetime_s,
        is_standing=True,
        details=(
            *corners,
            Detail("strokeColor", {"value": argb(colour)}),
            Detail("strokeWeight", {"value": "2.0"}),
            Detail("fillColor", {"value": argb(colour, 0x30)}),
            Detail("contact", {"callsign": name}),
            Detail("labels_on", {"value": "false"}),
        ),
    )


def _made_by(robot: Robot) -> Detail:
    """Return the link to who tells."""
    whose = {"uid": robot.uid, "type": robot.kind, "parent_callsign": robot.callsign}
    return Detail("link", {**whose, "relation": "p-p"})


def argb(colour: int, alpha: int = 0xFF) -> str:
    """Return a colour as ATAK writes it: alpha, red, green, blue as one signed number."""
    value = alpha << 24 | colour
    return str(value - (1 << 32) if value >= 1 << 31 else value)

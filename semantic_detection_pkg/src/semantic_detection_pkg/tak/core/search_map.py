"""What of a search stands on the teams' maps: turns news of the graph into events."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np

from ros_support_pkg.core.words import FindingState, Verdict, read
from semantic_detection_pkg.common.core.coverage_ground import on_ground
from semantic_detection_pkg.common.core.finding_ids import parse_finding_id
from semantic_detection_pkg.common.core.position import (
    Place,
    RobotPlace,
    bearing_to,
    known_position,
)
from semantic_detection_pkg.tak.core.events import (
    CotEvent,
    Robot,
    ToldFinding,
    area_events,
    camera_event,
    finding_event,
    robot_event,
)

_LIFETIME_PERIODS = 10.0  # of robot and camera, which are told every period
_LOOK_HERE, _SEARCH_HERE = "look here", "search here"
_POINTS = ("a-", "b-m-p")  # types of what people put on a map
_SHAPES = ("u-d-f", "u-d-r", "u-d-c-c")  # and draw on it: polygon, rectangle, circle
_REASON_MAX = 300


@dataclass(frozen=True)
class Telling:
    """What is to be told, and identities of what is withdrawn."""

    events: tuple[CotEvent, ...] = ()
    withdrawn: tuple[str, ...] = ()


@dataclass
class SearchMap:
    """Remembers what was told.

    Attributes:
        states: of findings that are told.
        page_url: of the robot's page; empty: there is none to link to.
        update_period_s: between two words of robot and camera.
        finding_lifetime_s: of findings and of the searched area.
    """

    robot: Robot
    states: Collection[str]
    page_url: str
    update_period_s: float
    finding_lifetime_s: float
    _area: set[str] = field(default_factory=set)
    _coverage: Any = None

    def finding(self, message: Any) -> Telling:
        """Return what a message of type Finding changes."""
        event = self._finding_event(message)
        if read(message, "state", FindingState.CANDIDATE).word in self.states and event is not None:
            return Telling((event,))
        return Telling(withdrawn=(f"{self.robot.uid}.finding.{message.id}",))

    def coverage(self, message: Any) -> None:
        """Take in a message of type Coverage."""
        self._coverage = message

    def area(self) -> Telling:
        """Return the searched area of the newest coverage."""
        ground = None if self._coverage is None else on_ground(self._coverage)
        if ground is None:
            return Telling()
        events = area_events(self.robot, ground.outlines(), self.finding_lifetime_s)
        uids = {event.uid for event in events}
        gone, self._area = self._area - uids, uids
        return Telling(tuple(events), tuple(sorted(gone)))

    def whereabouts(
        self, place: RobotPlace, pose_rad: tuple[float, float, float] | None
    ) -> Telling:
        """Return where the robot is, and where its camera looks.

        Args:
            pose_rad: yaw, pitch and horizontal field of view; None: not known.
        """
        lifetime_s = _LIFETIME_PERIODS * self.update_period_s
        events = [robot_event(self.robot, place, lifetime_s)]
        if pose_rad is not None:
            range_m = self._range_m(pose_rad[0], pose_rad[1])
            camera = camera_event(self.robot, place, pose_rad, range_m, lifetime_s)
            events += [] if camera is None else [camera]
        return Telling(tuple(events))

    def is_look_here(
        self, uid: str, kind: str, callsign: str, remarks: str, sent_to: Sequence[str]
    ) -> bool:
        """Return whether somebody's point asks this robot to look there.

        It is sent to the robot, or named so and sent to all: what others put on the map for each
        other turns no camera.
        """
        if uid.startswith(self.robot.uid) or not kind.startswith(_POINTS):
            return False
        return self._is_for_us(_LOOK_HERE, (callsign, remarks), sent_to)

    def is_search_here(
        self, uid: str, kind: str, callsign: str, remarks: str, sent_to: Sequence[str]
    ) -> bool:
        """Return whether somebody's shape asks this robot to search it, likewise."""
        if uid.startswith(self.robot.uid) or not kind.startswith(_SHAPES):
            return False
        return self._is_for_us(_SEARCH_HERE, (callsign, remarks), sent_to)

    def bearing_of(
        self, place: RobotPlace, latitude_deg: float, longitude_deg: float, hae_m: float
    ) -> tuple[float, float]:
        """Return yaw and pitch [rad] of a point; without a height it is on the ground.

        Raises:
            ValueError: the attitude is not known, or neither its height nor the ground's.
        """
        if place.quaternion_xyzw is None:
            raise ValueError("the robot's attitude is not known")
        if not math.isfinite(hae_m):
            hae_m = place.altitude_m - self._height_m()
        base = Place(
            place.latitude_deg, place.longitude_deg, place.altitude_m, place.quaternion_xyzw
        )
        yaw_rad, pitch_rad, _ = bearing_to(base, latitude_deg, longitude_deg, hae_m)
        return yaw_rad, pitch_rad

    def _is_for_us(self, phrase: str, texts: Sequence[str], sent_to: Sequence[str]) -> bool:
        if sent_to:
            ours = self.robot.callsign.casefold()
            return any(one.strip().casefold() == ours for one in sent_to)
        return any(text.strip().casefold().startswith(phrase) for text in texts)

    def _finding_event(self, message: Any) -> CotEvent | None:
        if not message.has_position:
            return None
        position = known_position(
            (message.latitude_deg, message.longitude_deg, message.altitude_m),
            message.range_m,
            (message.ellipse_major_m, message.ellipse_minor_m, message.ellipse_heading_rad),
        )
        if position is None:
            return None
        name = parse_finding_id(message.id)
        ran = [
            one.reason
            for one in message.tiers
            if read(one, "verdict", Verdict.NOT_RUN) is not Verdict.NOT_RUN
        ]
        picture = f"/api/findings/{quote(message.id, safe='')}/thumbnail" if self.page_url else ""
        told = ToldFinding(
            message.id,
            name[1] if name else 0,
            message.class_name,
            read(message, "state", FindingState.CANDIDATE).word,
            float(message.score),
            position,
            ran[-1][:_REASON_MAX] if ran else "",
            f"{self.page_url.rstrip('/')}{picture}" if picture else "",
        )
        return finding_event(self.robot, told, self.finding_lifetime_s)

    def _range_m(self, yaw_rad: float, pitch_rad: float) -> float:
        """Return how far the ground is in a direction; NaN where nobody knows."""
        message = self._coverage
        if message is None or message.is_range_assumed or not message.cell_rad > 0.0:
            return math.nan
        column = math.floor((yaw_rad - message.yaw_min_rad) / message.cell_rad)
        row = math.floor((pitch_rad - message.pitch_min_rad) / message.cell_rad)
        at = row * message.columns + column
        is_inside = 0 <= column < message.columns and 0 <= row < message.rows
        if not is_inside or at >= len(message.range_m):
            return math.nan
        range_m = float(message.range_m[at])
        return range_m if 0.0 < range_m < math.inf else math.nan

    def _height_m(self) -> float:
        """Return how high the base is above the ground.

        Raises:
            ValueError: nobody knows.
        """
        message = self._coverage
        cells = 0 if message is None or message.is_range_assumed else message.rows * message.columns
        if cells and len(message.range_m) == cells:
            pitch = message.pitch_min_rad + message.cell_rad * (np.arange(message.rows) + 0.5)
            heights = np.asarray(message.range_m).reshape(message.rows, -1) * np.sin(pitch)[:, None]
            height_m = float(np.median(heights))
            if height_m > 0.0:
                return height_m
        raise ValueError("the point has no height, and the height above the ground is not known")

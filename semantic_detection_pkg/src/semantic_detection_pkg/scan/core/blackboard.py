"""Everything that the leaves of the tree see: senses, mission, and the wish they write to."""

from __future__ import annotations

import math

from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.scan.core.decision_builder import Wish
from semantic_detection_pkg.scan.core.goals import limits_of
from semantic_detection_pkg.scan.core.input_watchdog import LossWatch
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    Angle,
    Attitude,
    Fix,
    GimbalReading,
    GoalResult,
    PointHere,
    Rate,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.pointing import Motion, Rates, rates_towards
from semantic_detection_pkg.scan.core.settings import ScanSettings

NS_PER_S = 1_000_000_000
_ZOOM_TOLERANCE = 0.03  # of the zoom
_ZOOM_AGAIN_NS = 1_500_000_000  # a command that did not bring it there is given again
_ANGLE_AGAIN_NS = 500_000_000


class Scene:
    """The controller's state between steps, and the present step.

    Attributes:
        now_ns: of this step; never falls.
        mission: None: no goal is in hand.
        operator: where an operator looks, and until when [ns]; None: nobody does.
        resting_since_ns: since when it goes to rest; 0: it does not.
        picture_size: (width, height) [px] of the newest frame; None before the first.
        fix, attitude: newest of the gimbal's base.
        wish: of this step.
    """

    def __init__(self, settings: ScanSettings) -> None:
        self.settings = settings
        self.now_ns = 0
        self.poses: CameraPoses[GimbalReading] = CameraPoses(settings.gimbal.hfov_wide_rad)
        self.losses = LossWatch(settings.losses)
        self.mission: Mission | None = None
        self.operator: tuple[PointHere, int] | None = None
        self.is_paused = False
        self.resting_since_ns = 0
        self.fix: Fix | None = None
        self.attitude: Attitude | None = None
        self.picture_size: tuple[int, int] | None = None
        self.wish = Wish()
        self._requests = 0
        self._zoom_wanted = math.nan
        self._zoom_sent_ns = 0
        self._angle_wanted: Angle | None = None
        self._angle_sent_ns = 0

    @property
    def now_s(self) -> float:
        """[s] of this step, on the clock of the planner and the law."""
        return self.now_ns / NS_PER_S

    @property
    def reading(self) -> GimbalReading:
        """Newest reading; the leaf `safe` sees to it that there is one."""
        newest = self.poses.newest
        assert newest is not None, "no leaf that moves runs before the gimbal was heard"
        return newest

    @property
    def axis(self) -> Motion:
        """How the camera's axis moves, for the planner and the law."""
        reading = self.reading
        return Motion(
            reading.stamp_ns / NS_PER_S,
            reading.yaw_rad,
            reading.pitch_rad,
            reading.yaw_rate_rad_s,
            reading.pitch_rate_rad_s,
        )

    def number(self) -> int:
        """A number for a request, never used twice."""
        self._requests += 1
        return self._requests

    def turn(self, rates: Rates) -> None:
        """Turn at these rates [rad/s]."""
        self._angle_wanted = None
        self.wish.angle = None
        self.wish.rate = Rate(*rates)

    def steer(self, target: Motion) -> None:
        """Meet a target and go along with it."""
        limits = limits_of(self.reading, self.settings.gimbal)
        self.turn(rates_towards(self.axis, target, self.now_s, limits, self.settings.pointing))

    def go_to(self, angle: Angle) -> None:
        """Go there and stay: said once, and again now and then in case it was not heard."""
        is_due = self.now_ns - self._angle_sent_ns >= _ANGLE_AGAIN_NS
        if angle != self._angle_wanted or is_due:
            self._angle_wanted, self._angle_sent_ns = angle, self.now_ns
            self.wish.angle, self.wish.rate = angle, None

    def zoom_to(self, zoom: float) -> None:
        """Zoom there, unless it is there or on its way."""
        is_news = not abs(zoom - self._zoom_wanted) <= _ZOOM_TOLERANCE * zoom
        is_there = abs(self.reading.zoom - zoom) <= _ZOOM_TOLERANCE * zoom
        is_due = self.now_ns - self._zoom_sent_ns >= _ZOOM_AGAIN_NS
        if is_news or (is_due and not is_there):
            self._zoom_wanted, self._zoom_sent_ns = zoom, self.now_ns
            self.wish.zoom = zoom

    def forget_commands(self) -> None:
        """Nobody knows what the gimbal still has of them: give them again."""
        self._zoom_wanted, self._angle_wanted = math.nan, None

    def end_mission(self, outcome: str, message: str) -> None:
        """The goal ends; the gimbal goes to rest."""
        mission = self.mission
        if mission is None:
            return
        if mission.plan is not None and mission.plan.cut:
            message = f"{message}; {mission.plan.cut}"
        if mission.question is not None:
            self.wish.cancel_asks.append(mission.question.request_id)
        self.wish.result = GoalResult(
            goal_id=mission.goal.goal_id,
            outcome=outcome,
            message=message,
            coverage=mission.share_seen,
            findings=mission.findings.confirmed,
            elapsed_s=(self.now_ns - mission.started_ns) / NS_PER_S,
        )
        self.mission = None
        self.operator = None
        self.is_paused = False
        self.resting_since_ns = self.now_ns
        self.forget_commands()

    def summary(self) -> tuple[float, int, int, int]:
        """Coverage, candidates, confirmed findings and track in hand, for the status."""
        mission = self.mission
        if mission is None:
            return 0.0, 0, 0, 0
        return (
            mission.share_seen,
            len(mission.candidates),
            mission.findings.confirmed,
            mission.track_in_hand,
        )

"""What the behaviours share: inputs, the mission, and the decision that they write to."""

from __future__ import annotations

import math

from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.optics import axis_bearing
from semantic_detection_pkg.scan.core.decision_builder import DecisionBuilder
from semantic_detection_pkg.scan.core.decisions import AngleCommand, GoalResult, RateCommand
from semantic_detection_pkg.scan.core.goals import gimbal_limits
from semantic_detection_pkg.scan.core.ground_model import GroundModel
from semantic_detection_pkg.scan.core.input_watchdog import InputWatchdog
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix, GimbalReading, PointHere
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.pointing import BearingState, Rates, rates_towards
from semantic_detection_pkg.scan.core.search import Search
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground

NS_PER_S = 1_000_000_000
_ZOOM_TOLERANCE = 0.03  # of the zoom
_ZOOM_AGAIN_NS = 1_500_000_000  # a command that did not bring it there is given again
_ANGLE_AGAIN_NS = 500_000_000
_ASIDE_MAX_RAD = 0.35
#: Stands in before the gimbal was heard; nothing moves by it, see `why_hold`.
_NOT_HEARD = GimbalReading(0, 0.0, 0.0, link="down")


class Blackboard:
    """The controller's state between steps, and the present step.

    Attributes:
        now_ns: of this step on the scan's clock, which never falls or leaps; see `ScanClock`.
        mission: None: no goal is in hand.
        operator: where an operator looks, and until when [ns]; None: nobody does.
        pause_reason: why it is paused where it paused by itself, and what it asks; empty: a person
            has paused it.
        resting_since_ns: since when it goes to rest; 0: it does not.
        picture_size: (width, height) [px] of the newest frame; None before the first.
        fix, attitude: newest of the gimbal's base, known still or not; see `base_now`.
        lost: which of them, "fix" and "imu", are not known any more.
        curves: of the detector; None: it has told none.
        ground_model: what is known of the ground.
        decision: of this step, in the making.
        wants_tick: a behaviour has changed what comes first in this step.
    """

    def __init__(self, settings: ScanSettings) -> None:
        self.settings = settings
        self.now_ns = 0
        self.poses: CameraPoses[GimbalReading] = CameraPoses(settings.gimbal.wide_hfov_rad)
        self.watchdog = InputWatchdog(settings.input_timeouts)
        self.mission: Mission | None = None
        self.operator: tuple[PointHere, int] | None = None
        self.is_paused = False
        self.pause_reason = ""
        self.resting_since_ns = 0
        self.fix: Fix | None = None
        self.attitude: BaseAttitude | None = None
        self.lost: frozenset[str] = frozenset()
        self.curves: DetectionCurves | None = None
        self.ground_model = GroundModel(settings)
        self.picture_size: tuple[int, int] | None = None
        self.decision = DecisionBuilder()
        self.wants_tick = False
        self._requests = 0
        self._zoom_wanted = math.nan
        self._zoom_sent_ns = 0
        self._angle_wanted: AngleCommand | None = None
        self._angle_sent_ns = 0

    @property
    def now_s(self) -> float:
        """Return the time of this step on the clock of the planner and the law. [s]"""
        return self.now_ns / NS_PER_S

    @property
    def reading(self) -> GimbalReading:
        """Return the newest reading; one of a line that is down before the gimbal was heard."""
        return self.poses.newest or _NOT_HEARD

    @property
    def camera_state(self) -> BearingState:
        """Return how the camera's axis moves, for the planner and the law.

        With roll the axis is aside of the gimbal's yaw. Straight down "aside" is any way round, and
        the law would chase the noise of roll there: it stays near the gimbal's own yaw.
        """
        reading = self.reading
        yaw, pitch = axis_bearing(reading.yaw_rad, reading.pitch_rad, reading.roll_rad)
        aside = max(-_ASIDE_MAX_RAD, min(_ASIDE_MAX_RAD, yaw - reading.yaw_rad))
        return BearingState(
            reading.stamp_ns / NS_PER_S,
            reading.yaw_rad + aside,
            pitch,
            reading.yaw_rate_rad_s,
            reading.pitch_rate_rad_s,
        )

    @property
    def ground(self) -> Ground:
        """Return the ground under the camera, as far as it is known."""
        return self.ground_model.ground(self.fix, self.attitude)

    @property
    def base_now(self) -> tuple[Fix | None, BaseAttitude | None]:
        """Return where the gimbal's base is and how it is turned, as far as that is known now."""
        return (
            None if "fix" in self.lost else self.fix,
            None if "imu" in self.lost else self.attitude,
        )

    @property
    def request_count(self) -> int:
        """Return how many numbers of requests were given."""
        return self._requests

    def resume(self, mission: Mission, request_count: int) -> None:
        """Go on with a mission; numbers of requests that were given are not given again."""
        self.mission, self._requests = mission, request_count
        self.repeat_commands()

    def ask_operator(self, reason: str) -> None:
        """Pause until an operator agrees to go on."""
        self.is_paused, self.pause_reason = True, reason
        self.decision.notices.append(reason)

    def next_request_id(self) -> int:
        """Return a number for a request, never used twice."""
        self._requests += 1
        return self._requests

    def why_hold(self) -> str:
        """Return which input is missing for what is to be done; empty: none is.

        Where nothing is to be done, nothing is missing. While the VLM answers it may have the GPU,
        so that nothing is detected then is no loss.
        """
        mission = self.mission
        if mission is None and self.operator is None and not self.resting_since_ns:
            return ""
        reason = self.watchdog.gimbal_problem(self.now_ns)
        if not reason and self.poses.newest is None:
            reason = "gimbal: no angles that it can have were heard yet"
        if not reason and mission is not None and not mission.is_asking:
            reason = self.watchdog.detections_problem(self.now_ns)
        return reason

    def active_search(self) -> Search | None:
        """Return the search, unless a loss, an operator, a pause or its preparation comes first."""
        mission = self.mission
        if mission is None or mission.search is None or not mission.vocabulary:
            return None
        has_operator = self.operator is not None and self.now_ns < self.operator[1]
        return None if self.is_paused or has_operator or self.why_hold() else mission.search

    def set_rates(self, rates: Rates) -> None:
        """Turn at these rates. [rad/s]"""
        self._angle_wanted = None
        self.decision.angle = None
        self.decision.rate = RateCommand(*rates)

    def point_at(self, target: BearingState) -> None:
        """Turn towards a target, and with it once it is met."""
        limits = gimbal_limits(self.reading, self.settings.gimbal)
        self.set_rates(
            rates_towards(self.camera_state, target, self.now_s, limits, self.settings.pointing)
        )

    def go_to_angle(self, angle: AngleCommand) -> None:
        """Go there and stay: commanded once, and again now and then in case it was not heard."""
        is_due = self.now_ns - self._angle_sent_ns >= _ANGLE_AGAIN_NS
        if angle != self._angle_wanted or is_due:
            self._angle_wanted, self._angle_sent_ns = angle, self.now_ns
            self.decision.angle, self.decision.rate = angle, None

    def zoom_to(self, zoom: float) -> None:
        """Zoom there, unless it is there or on its way."""
        is_news = not abs(zoom - self._zoom_wanted) <= _ZOOM_TOLERANCE * zoom
        is_there = abs(self.reading.zoom - zoom) <= _ZOOM_TOLERANCE * zoom
        is_due = self.now_ns - self._zoom_sent_ns >= _ZOOM_AGAIN_NS
        if is_news or (is_due and not is_there):
            self._zoom_wanted, self._zoom_sent_ns = zoom, self.now_ns
            self.decision.zoom = zoom

    def repeat_commands(self) -> None:
        """Give all commands again: nobody knows which of them the gimbal still has."""
        self._zoom_wanted, self._angle_wanted = math.nan, None

    def end_mission(self, outcome: str, message: str) -> None:
        """End the goal, and let the gimbal go to rest."""
        mission = self.mission
        if mission is None:
            return
        search = mission.search
        if search is not None and search.plan.cut:
            message = f"{message}; {search.plan.cut}"
        if search is not None and search.question is not None:
            self.decision.cancel_asks.append(search.question.request_id)
        self.decision.result = GoalResult(
            goal_id=mission.goal.goal_id,
            outcome=outcome,
            message=message,
            coverage=mission.share_seen,
            findings=0 if search is None else search.findings.confirmed,
            elapsed_s=(self.now_ns - mission.started_ns) / NS_PER_S,
        )
        self.mission = None
        self.operator = None
        self.is_paused, self.pause_reason = False, ""
        self.resting_since_ns = self.now_ns
        self.repeat_commands()

    def summary(self) -> tuple[float, int, int, int]:
        """Return coverage, candidates, confirmed findings and track in hand, for the status."""
        search = None if self.mission is None else self.mission.search
        if search is None:
            return 0.0, 0, 0, 0
        return (
            search.coverage.share_seen(),
            len(search.candidates),
            search.findings.confirmed,
            search.track_in_hand,
        )

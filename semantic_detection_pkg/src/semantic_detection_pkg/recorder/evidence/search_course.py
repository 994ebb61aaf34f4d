"""What a goal asked for, what was foretold before it began, and what was reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.scan.core.from_messages import from_weighted_area
from semantic_detection_pkg.scan.core.weights import WeightedArea

#: Begin and id of a goal: the same mission, however often its recording was interrupted.
GoalKey = tuple[int, str]
_FORECAST_WAITED = 60  # states at the beginning that may be without one


@dataclass
class SearchCourse:
    """One goal, told by its states.

    Attributes:
        begun_ns: as its findings' ids have it; 0: not known, in recordings of before.
        planner: "sweep" or "probability"; empty: not known.
        forecast: the first one, in words, with its POD and its time [s].
        pod, share_seen: as last told; of a goal that repeats the POD of the round in hand.
        outcome: how it ended and why; empty: not recorded.
        took_s: [s] until then.
    """

    goal_id: str = ""
    begun_ns: int = 0
    planner: str = ""
    wanted_pod: float = 0.0
    is_repeating: bool = False
    weights: tuple[WeightedArea, ...] = ()
    forecast: str = ""
    forecast_pod: float = 0.0
    forecast_s: float = 0.0
    pod: float = 0.0
    share_seen: float = 0.0
    outcome: str = ""
    took_s: float = 0.0
    _states: int = 0

    @property
    def key(self) -> GoalKey | None:
        """Return which goal it is of; None: recordings of before do not tell."""
        return (self.begun_ns, self.goal_id) if self.begun_ns else None

    @property
    def awaits_forecast(self) -> bool:
        """Return whether the next state may tell what is foretold."""
        is_possible = self.planner != "sweep" and not self.forecast
        return bool(self.begun_ns) and is_possible and self._states < _FORECAST_WAITED

    def add(self, state: Any) -> None:
        """Take in a message of type ScanState."""
        if key_of(state) is None:
            return
        if not state.words:  # idle: of the goal before
            if key_of(state) == self.key and not self.outcome:
                self.outcome = state.outcome
                self.took_s = 1e-9 * (from_time(state.header.stamp) - self.begun_ns)
            return
        self._states += 1
        if not self.begun_ns:
            self.begun_ns, self.goal_id = from_time(state.goal_begun), state.goal_id
            self.weights = tuple(map(from_weighted_area, state.weights))
            self.is_repeating = bool(state.repeat)
        self.planner = state.planner or self.planner
        self.wanted_pod = float(state.wanted_pod) or self.wanted_pod
        self.pod, self.share_seen = float(state.pod), float(state.coverage)
        if state.forecast and not self.forecast:
            self.forecast = state.forecast
            self.forecast_pod = float(state.forecast_pod)
            self.forecast_s = float(state.forecast_s)

    def go_on_with(self, later: SearchCourse) -> None:
        """Take over what was told of the same goal later."""
        self.planner = later.planner or self.planner
        self.wanted_pod = later.wanted_pod or self.wanted_pod
        self.pod, self.share_seen = later.pod, later.share_seen
        if later.outcome:
            self.outcome, self.took_s = later.outcome, later.took_s
        if not self.forecast:
            self.forecast = later.forecast
            self.forecast_pod, self.forecast_s = later.forecast_pod, later.forecast_s


def key_of(state: Any) -> GoalKey | None:
    """Return which goal a message of type ScanState is of; None: it does not tell."""
    goal_id = getattr(state, "goal_id", "")  # recordings of before have none
    begun_ns = from_time(state.goal_begun) if goal_id else 0
    return (begun_ns, goal_id) if begun_ns else None

"""The search by probability: passes where most is found in a second, until the wanted POD.

A plan is made of all passes that are left, off the control loop, as that of the sweep. It is made
again whenever the axis was taken elsewhere (a pause, a closer look, a loss), and when its passes
are done and the map says that less was seen than they were to show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.planning.pass_choices import Grid
from semantic_detection_pkg.scan.core.planning.pass_layer import PassProblem, PlannedPass
from semantic_detection_pkg.scan.core.planning.pass_planning import (
    AreaPods,
    AxisState,
    PassPlan,
    plan_passes,
)
from semantic_detection_pkg.scan.core.planning.pass_run import PassRun
from semantic_detection_pkg.scan.core.planning.search_problem import (
    ProbabilityRules,
    Seeing,
    pass_problems,
    search_order,
)
from semantic_detection_pkg.scan.core.planning.sweep import (
    Forecast,
    SweepProgress,
    SweepSettings,
)
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.pointing import BearingState, Rates

_FUTILE_PLANS_MAX = 3  # in a row that gain next to nothing, then the search is over
# Where much is wanted, closer looks come when so much of it is reached, and again at the end: most
# of what is there is confirmed before the last few per cent, which take as long as the rest. Where
# it is likelier somewhere, that part comes first, and closer looks once more before the rest.
_MUCH = 0.9
_FIRST_STAGE, _FIRST_STAGE_WEIGHTED = 0.92, 0.75
_LEAST_GAIN = 0.004  # of the POD
_RATE_FRAMES, _RATE_WAIT_S = 4, 1.0  # so many frames tell their rate; after so long two do
_AS_GOOD = 0.01  # of the POD: of plans that are as good as the best one the quickest is taken
_BUSY = 1.25  # of the time that a frame takes: frames that come no slower wait for the detector
_BLIND = 0.02  # of the POD: who sees no more, and knows no pass, does not know the ground
_NEARLY = 0.002  # of the POD: so near to the wanted one it is reached


_HOW = {
    "full": ", each picture as a whole",
    "tiles": ", in all tiles of each picture",
    "rotating": ", in tiles by turns",
}


class PassTask:
    """A plan that is to be made off the control loop; see `SweepTask`."""

    def __init__(
        self, number: int, problems: Sequence[tuple[str, PassProblem]], axis: AxisState
    ) -> None:
        """Keep what `plan_passes` needs; its arrays must not change any more.

        Args:
            problems: by the names of ways of looking, at least one; the best plan is taken.
        """
        self.number = number
        self._problems, self._axis = tuple(problems), axis

    @property
    def plan(self) -> PassPlan:
        """Return the plan; the first time it takes a while."""
        return self._best[1]

    @property
    def looking(self) -> str:
        """Return the way of looking that the plan is for."""
        return self._best[0]

    @cached_property
    def _best(self) -> tuple[str, PassPlan]:
        plans = [(name, plan_passes(problem, self._axis)) for name, problem in self._problems]
        best = max(sum(plan.after) for _, plan in plans)
        good = [one for one in plans if one[1].is_enough]
        good = good or [one for one in plans if sum(one[1].after) >= best - 2.0 * _AS_GOOD]
        return min(good, key=lambda one: one[1].duration_s)

    def make(self) -> None:
        """Have the plan made."""
        _ = self.plan


class ProbabilityPlanner:
    """Plans passes over one area and commands rates and zoom step by step.

    Attributes:
        zoom: that is wanted now.
        looking: way of looking that the detector is asked for; empty: its own.
        wants_closer_looks: what was seen so far is to be looked at closer before it goes on.
    """

    is_stuck = False  # what it cannot see it says in its outcome

    def __init__(
        self,
        coverage: CoverageMap,
        pod: PodMap,
        rules: ProbabilityRules,
        settings: SweepSettings | None = None,
        progress: SweepProgress | None = None,
    ) -> None:
        """Begin without a plan.

        Args:
            coverage, pod: maps of the area; the caller adds the views.
            progress: of a search that goes on; left out: it begins.
        """
        self._coverage, self._pod, self._rules = coverage, pod, rules
        self._settings = settings or SweepSettings()
        self.zoom = rules.zoom or 1.0
        self.looking = "full" if pod.curves.ways else ""
        self.wants_closer_looks = False
        self._futile = (progress or SweepProgress()).futile_passes
        self._shares = self._stage_shares()  # of what is wanted, see `PassProblem`
        self._begun, self._stages = 0, list[int]()  # passes begun, and stages left, of the plan
        self._passes: list[PlannedPass] = []
        self._run: PassRun | None = None
        self._task: PassTask | None = None
        self._tasks = 0
        self._evaluate_at_s: float | None = None
        self._looks: tuple[Look, ...] = ()
        self._interval_s = 0.0
        self._has_news = False
        self._frames, self._is_blind = 0, False
        self._weights, self._chances = np.zeros(0), list[Grid]()  # see `_is_enough`
        self._asked_s: float | None = None  # for the first plan
        self._forecast: Forecast | None = None
        self._planned: PassPlan | None = None

    @property
    def is_blind(self) -> bool:
        """Return whether it ended without a pass, as none would have gained anything."""
        return self._is_blind

    @property
    def progress(self) -> SweepProgress:
        """Return how hard it has tried."""
        return SweepProgress(futile_passes=self._futile)

    @property
    def task(self) -> PassTask | None:
        """Return the plan that is waited for; None: none is."""
        return self._task

    @property
    def forecast(self) -> Forecast | None:
        """Return what the plan in hand comes to; None before the first."""
        return self._forecast

    @property
    def reason(self) -> str:
        """Return what it does, in words."""
        if self._task is not None or self._forecast is None:
            return "planning the search"
        return f"searching by probability: {self._forecast.text}"

    def outcome(self) -> str:
        """Return what was reached, in words."""
        (pod, even), wanted, known = self._pods(), self._rules.wanted_pod, self._pod
        reached = f"a probability of detection of {pod:.2f}"
        if len(known.class_names) > 1:
            each = (f"{name} {known.summary(name).mean:.2f}" for name in known.class_names)
            reached += f" ({', '.join(each)})"
        if self._rules.is_weighted:
            reached += f", {even:.2f} without the weights,"
        if min(pod, even) >= wanted - _NEARLY:
            return f"{reached} is reached, {wanted:.2f} was wanted"
        return f"{reached} is the best from here, not {wanted:.2f}"

    def area_pod(self) -> float:
        """Return the POD of the area, by `PodMap`: 0..1."""
        return self._pod.area_pod()

    def _pods(self) -> AreaPods:
        return AreaPods(self._pod.area_pod(), self._pod.even_pod())

    def note_frame(self, looks: Sequence[Look], interval_s: float) -> None:
        """Note how the newest frame was looked at, and the time between two [s]; 0: unknown."""
        self._looks, self._interval_s, self._has_news = tuple(looks), interval_s, True
        self._frames += 1

    def needs(self) -> Grid:
        """Return how much a fine look is worth at each cell: (rows, columns) 0..1."""
        left = 1.0 - self._pod.mean_pods()
        return np.where(self._coverage.is_wanted, np.clip(left, 0.0, 1.0), 0.0)

    def _is_enough(self) -> bool:
        """Return whether the wanted POD is reached, by each of `_chances`."""
        known = self._pod
        if known.area_weights is not self._weights:  # all change with the ground only
            self._weights = known.area_weights
            self._chances = [self._weights, search_order(known)]
            if self._rules.is_weighted:
                self._chances += [known.even_weights, search_order(known, known.even_weights)]
        pods, wanted = known.mean_pods(), self._rules.wanted_pod - _NEARLY
        return all(float((pods * one).sum()) >= wanted for one in self._chances)

    def add_plan(self, number: int) -> None:
        """Go by the plan of a task; one that is not waited for any more does not matter."""
        if self._task is None or self._task.number != number:
            return
        self.looking = self._task.looking
        self._planned, self._task = self._task.plan, None
        self._passes = list(self._planned.passes)
        self._begun, self._stages = 0, list(self._planned.stages)
        self._forecast = None

    def interrupt(self) -> None:
        """Drop the plan, as the axis is moved elsewhere; the next one is made from the map then."""
        self._task, self._run, self._evaluate_at_s, self._planned = None, None, None, None
        self._passes = []

    def rates(self, now_s: float, gimbal: BearingState, zoom: float = 1.0) -> Rates | None:
        """Return the (yaw, pitch) rates to command now [rad/s]; None: it is enough, or the best.

        Args:
            now_s: [s] on the clock of the gimbal's stamp.
            gimbal: newest reading.
            zoom: of the camera.
        """
        self.wants_closer_looks = False  # they were made
        if self._task is not None:
            return 0.0, 0.0
        if self._planned is not None and self._forecast is None:
            self._foretell(now_s, self._planned)
        if self._has_news and self._run is not None:
            self._has_news = False
            if self._is_enough():
                self.interrupt()
                return None
        if self._run is not None and self._run.is_over(now_s, gimbal):
            self._run = None
        if self._run is None:
            if not self._passes:
                return self._plan(now_s, gimbal, zoom)
            if self._stages and self._begun == self._stages[0]:
                return self._end_stage(now_s)
            self._begun += 1
            self._run = PassRun(self._passes.pop(0), self._rules.wide)
            self.zoom = self._run.one.zoom
        return self._run.rates(now_s, gimbal, zoom, self._rules.limits, self._settings)

    def _end_stage(self, now_s: float) -> Rates:
        """Wait until all that was seen is counted, then have it looked at closer."""
        if self._evaluate_at_s is None:
            self._evaluate_at_s = now_s + self._settings.detection_latency_s
        if now_s >= self._evaluate_at_s:
            self._evaluate_at_s = None
            self.wants_closer_looks = True
            self._stages, self._shares = self._stages[1:], self._shares[1:] or (1.0,)
        return 0.0, 0.0

    def _plan(self, now_s: float, gimbal: BearingState, zoom: float) -> Rates | None:
        """Have a plan made, once all that was seen is counted; None: there is nothing to plan."""
        if self._planned is not None and self._planned.passes:
            if self._evaluate_at_s is None:
                self._evaluate_at_s = now_s + self._settings.detection_latency_s
            if now_s < self._evaluate_at_s:
                return 0.0, 0.0
        pods, before = self._pods(), self._planned
        self._evaluate_at_s = None
        if self._is_enough() or (before is not None and not before.passes):
            is_first = self._tasks == 1 and not self._is_enough()
            self._is_blind = is_first and before is not None and max(before.after) < _BLIND
            self.interrupt()
            return None
        if not self._knows_rate(now_s):
            return 0.0, 0.0
        if before is not None:
            gained = pods.gained_since(before.before)
            self._futile = self._futile + 1 if gained < _LEAST_GAIN else 0
            is_best = not before.is_enough and gained > 0.8 * before.after.gained_since(
                before.before
            )
            if self._futile >= _FUTILE_PLANS_MAX or is_best:
                self.interrupt()
                return None
        self._tasks += 1
        yaw, pitch = gimbal.at(now_s)
        seeing = Seeing(
            self._looks, self._rate_hz, self._camera_s, self._settings.detection_latency_s
        )
        problems = pass_problems(self._rules, self._coverage, self._pod, seeing, self._shares)
        self._task = PassTask(self._tasks, problems, AxisState(yaw, pitch, zoom))
        return 0.0, 0.0

    @property
    def _camera_s(self) -> float:
        """Return the time between pictures that come; those that the detector is late for, too."""
        asked = (one.frame_s for one in self._pod.curves.ways if one.name == self.looking)
        busy_s = next(asked, 0.0)
        if not self._interval_s or self._interval_s <= _BUSY * busy_s:
            return min(1.0 / self._rate_hz, 1.0 / self._settings.frame_rate_hz)
        return self._interval_s

    def _knows_rate(self, now_s: float) -> bool:
        """Return whether enough frames came to plan by their rate; a slow camera's are few."""
        if self._asked_s is None:
            self._asked_s = now_s
        is_long = now_s - self._asked_s >= _RATE_WAIT_S
        return self._interval_s > 0.0 and (self._frames >= _RATE_FRAMES or is_long)

    def _foretell(self, now_s: float, plan: PassPlan) -> None:
        wanted, count = self._rules.wanted_pod, len(plan.passes)
        zooms = sorted({round(one.zoom, 1) for one in plan.passes})
        how = f"{count} pass{'es' if count != 1 else ''}"
        if zooms:
            how += f" at zoom {zooms[0]:g}" + (f" to {zooms[-1]:g}" if zooms[1:] else "")
            how += _HOW.get(self.looking, "")
        pod, even = plan.after
        if not self._rules.is_weighted:
            reached = f"POD {pod:.2f}"
        elif math.isnan(plan.likely_s):
            reached = f"POD {pod:.2f} by the weights and {even:.2f} without them"
        else:
            reached = f"POD {wanted:.2f} by the weights in about {plan.likely_s:.0f} s, "
            reached += f"{even:.2f} without them"
        reached += f" in about {plan.duration_s:.0f} s of {how}"
        if plan.closer_looks >= 1.0:
            reached += (
                f", closer looks at some {plan.closer_looks:.0f} false alarms included, at what is "
                "there besides"
            )
        elif plan.is_enough:
            reached += ", closer looks besides"
        if plan.is_enough:
            text = reached
        else:
            text = f"POD {wanted:.2f} cannot be reached from here; {reached}, is the best"
        self._forecast = Forecast(pod, now_s + plan.duration_s, plan.is_enough, text)

    @property
    def _rate_hz(self) -> float:
        """Return how many pictures are examined in a second, as measured."""
        return 1.0 / self._interval_s if self._interval_s > 0.0 else self._settings.frame_rate_hz

    def _stage_shares(self) -> tuple[float, ...]:
        if self._rules.is_weighted:
            return _FIRST_STAGE_WEIGHTED, 1.0
        return (_FIRST_STAGE, 1.0) if self._rules.wanted_pod > _MUCH else (1.0,)

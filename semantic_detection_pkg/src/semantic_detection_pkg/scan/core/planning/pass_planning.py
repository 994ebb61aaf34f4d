"""The plan of a search by probability: which passes, at which zoom and pace, in which order.

Rows of the map are shared out among passes so that the probability of detection gained, less a
price for each second, is as great as can be: dynamic programming over rows, from the lowest up,
each pass over the range of yaw where it is worth most (J. Bentley, "Programming Pearls: Algorithm
Design Techniques", 1984, for the range). The price is the marginal rate of success at which
enough is gained: the greatest, found by bisection, with which the wanted POD is reached (B. O.
Koopman, "The Theory of Search III: The Optimum Distribution of Searching Effort", 1957: effort is
best spent where its marginal rates are equal). Where one layer of passes does not reach it, others
follow on top of it. Passes are then made in the order of success per second of slew and look.

Where closer looks come in between, what follows is planned for what they are expected to leave.

A goal may weigh the area. Then the wanted POD is reached by its weights first, and after that by
ground alone: the weights say what comes first, and a thing that is elsewhere is found as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from semantic_detection_pkg.scan.core.planning.closer_looks import Shown, shares_shown
from semantic_detection_pkg.scan.core.planning.pass_choices import (
    Grid,
    group_exposures,
    pass_choices,
)
from semantic_detection_pkg.scan.core.planning.pass_layer import (
    PassLayer,
    PassProblem,
    PlannedPass,
    PodGain,
    area_pods,
    gain_of,
    pods_of,
)

_LAYERS_MAX = 3
_LEAST_GAIN = 0.003  # of the POD, for another layer
_SETTLE_S = 0.15  # [s] from the way to a pass to the pass


class AreaPods(NamedTuple):
    """PODs of the area, 0..1: by the weights of the goal, and as if it had none."""

    pod: float
    even: float

    def gained_since(self, before: AreaPods) -> float:
        """Return the greater one of both gains."""
        return max(self.pod - before.pod, self.even - before.even)


@dataclass(frozen=True)
class PassPlan:
    """Passes in their order.

    Attributes:
        before, after: PODs of the area before and after them.
        is_enough: the wanted POD is reached, by the weights and without them.
        duration_s: from the axis' place when it was planned until the wanted POD is reached, or to
            the end, with the closer looks that come before.
        stages: after so many passes, rising, closer looks come at what was shown until then.
        closer_looks: at false alarms that are expected until the wanted POD is reached.
        closer_s: [s] of them.
        likely_s: as `duration_s`, by the weights alone; NaN: the goal has none, or by them it was
            reached before or is not reached.
    """

    passes: tuple[PlannedPass, ...]
    before: AreaPods
    after: AreaPods
    is_enough: bool
    duration_s: float
    stages: tuple[int, ...] = ()
    closer_looks: float = 0.0
    closer_s: float = 0.0
    likely_s: float = math.nan


class AxisState(NamedTuple):
    """Where the axis is when a plan begins: [rad] and the zoom."""

    yaw_rad: float
    pitch_rad: float
    zoom: float


def plan_passes(problem: PassProblem, axis: AxisState) -> PassPlan:
    """Return the passes that reach the wanted POD soonest, or the best there is, in their order."""
    draft, rest = _Draft(problem, axis), _without_weights(problem)
    before = draft.pods(problem, rest)
    is_enough = draft.reach(problem, problem.shares)
    likely_s = math.nan
    if problem.even is not None:
        if is_enough and draft.passes:
            likely_s = draft.reached_s
        if draft.passes:
            draft.look_closer(problem)
        is_enough = draft.reach(rest, (1.0,)) and is_enough
    return PassPlan(
        tuple(draft.passes),
        before,
        draft.pods(problem, rest),
        is_enough,
        draft.reached_s,
        tuple(draft.stages),
        draft.closer_looks,
        draft.closer_s,
        likely_s,
    )


def _without_weights(problem: PassProblem) -> PassProblem:
    """Return the problem of an area where things are alike wherever they can be at all."""
    if problem.even is None:
        return problem
    return replace(problem, ground=problem.even.ground, order=problem.even.order)


class _Draft:
    """A plan that is being made.

    Attributes:
        passes: in their order.
        reached_s: [s] until what was wanted last is reached, or to the end.
        stages, closer_looks, closer_s: see `PassPlan`.
    """

    def __init__(self, problem: PassProblem, axis: AxisState) -> None:
        self._choices = pass_choices(problem.rules, problem.pitch_rad, problem.curves)
        self._groups = group_exposures(
            problem.rules, self._choices, problem.log_sizes, problem.curves
        )
        self._axis, self._state = axis, (problem.best, problem.total)
        self._shown: list[Shown] = []  # since the closer looks before
        self._now_s = self.reached_s = 0.0
        self.passes: list[PlannedPass] = []
        self.stages: list[int] = []
        self.closer_looks = self.closer_s = 0.0

    def pods(self, problem: PassProblem, rest: PassProblem) -> AreaPods:
        """Return the PODs of the area after what is planned so far."""
        return AreaPods(*(area_pods(one, *self._state).gain for one in (problem, rest)))

    def reach(self, problem: PassProblem, shares: Sequence[float]) -> bool:
        """Add passes until the wanted POD is reached, with closer looks after each share but 1.

        Returns:
            Whether it is.
        """
        before = pods = area_pods(problem, *self._state)
        enough = PodGain(problem.wanted_pod, problem.wanted_pod)
        self.reached_s = self._now_s
        is_reached = pods.reaches(enough)
        for share in shares:
            wanted = PodGain(*(one + share * (problem.wanted_pod - one) for one in before))
            begun, passes = pods, list[PlannedPass]()
            for _ in range(_LAYERS_MAX):
                if pods.reaches(wanted):
                    break
                layer = PassLayer(problem, self._choices, self._groups, self._state)
                bands = layer.bands(wanted.less(pods))
                gain = gain_of(bands)
                if max(gain) < _LEAST_GAIN:
                    break
                passes += [layer.planned(band) for band in bands]
                self._shown += [layer.shown(band) for band in bands]
                self._state, pods = layer.state_after(bands), pods.plus(gain)
            self._add(problem, passes, enough.less(begun), is_reached=is_reached)
            is_reached = pods.reaches(enough)
            if share < 1.0 and not is_reached:
                self.look_closer(problem)
                pods = area_pods(problem, *self._state)
        return is_reached

    def _add(
        self, problem: PassProblem, passes: list[PlannedPass], wanted: PodGain, *, is_reached: bool
    ) -> None:
        ordered, self._axis, times = _in_order(problem, passes, self._axis, wanted)
        if not is_reached:
            self.reached_s = self._now_s + times.reached_s
        self.passes += ordered
        self._now_s += times.ended_s

    def look_closer(self, problem: PassProblem) -> None:
        """Add closer looks at false alarms among what was shown since the ones before."""
        if self.passes:
            self.stages.append(len(self.passes))
        self._state, alarms = _after_closer_looks(problem, self._state, self._shown)
        self._shown.clear()
        took_s = problem.latency_s + alarms * problem.closer.look_s
        self._now_s += took_s
        self.closer_s += took_s
        self.closer_looks += alarms


def _after_closer_looks(
    problem: PassProblem, state: tuple[Grid, Grid], shown: list[Shown]
) -> tuple[tuple[Grid, Grid], float]:
    """Return the exposures that are expected after closer looks, and how many looks they are."""
    exposures = state[0] + problem.between * (state[1] - state[0])
    heights = np.gradient(problem.pitch_rad) if len(problem.pitch_rad) > 1 else np.array([1e-3])
    solid = (heights * np.cos(problem.pitch_rad))[:, None] * np.diff(problem.yaw_edges_rad)[None]
    share, count = shares_shown(problem.closer, shown, problem.rules.hits, solid)
    pods = pods_of(problem.curves, exposures)
    closer = pods_of(problem.curves, np.maximum(exposures, problem.closer.exposures))
    ceilings = np.array([max(one.curve.ceiling, 1e-9) for one in problem.curves])[:, None, None]
    left = 1.0 - (pods + share[None] * (closer - pods)) / ceilings
    after = np.maximum(-np.log(np.maximum(left, 1e-7)), exposures)
    return (after, after), count


def transition_s(
    problem: PassProblem, axis: AxisState, yaw: float, pitch: float, zoom: float
) -> float:
    """Return the time from one state of the axis to another: turning and zooming go together."""
    limits = problem.rules.limits
    farthest = max(abs(limits.turn(axis.yaw_rad, yaw)), abs(pitch - axis.pitch_rad))
    rate, acceleration = limits.rate_rad_s, 0.7 * limits.acceleration_rad_s2
    if farthest < rate**2 / acceleration:
        slew_s = 2.0 * math.sqrt(farthest / acceleration)
    else:
        slew_s = farthest / rate + rate / acceleration
    return max(slew_s, abs(zoom - axis.zoom) / problem.zoom_rate_per_s)


class _Times(NamedTuple):
    """When passes have reached what is wanted, or have ended, and when they have ended. [s]"""

    reached_s: float
    ended_s: float


def _in_order(
    problem: PassProblem, passes: list[PlannedPass], axis: AxisState, wanted: PodGain
) -> tuple[list[PlannedPass], AxisState, _Times]:
    """Return the passes by success per second, where the axis is after them, and their times.

    Args:
        wanted: of the POD.
    """
    left, ordered, now_s, reached_s = list(passes), list[PlannedPass](), 0.0, math.nan
    gained = PodGain(0.0, 0.0)
    while left:
        options = []
        for index, one in enumerate(left):
            for ends in ((one.start_rad, one.end_rad), (one.end_rad, one.start_rad)):
                way_s = transition_s(problem, axis, ends[0], one.pitch_rad, one.zoom)
                rate = one.worth / (way_s + one.duration_s)
                options.append((-rate, way_s, index, ends))
        _, way_s, index, ends = min(options)
        one = left.pop(index)
        begins_s, missing, gain = now_s + way_s + _SETTLE_S, wanted.less(gained), one.gains
        now_s, gained = begins_s + one.duration_s, gained.plus(gain)
        if math.isnan(reached_s) and gained.reaches(wanted):
            parts = (m / max(g, 1e-12) for m, g in zip(missing, gain, strict=True))
            share = max(*parts, 0.0)
            reached_s = begins_s + one.duration_s * min(share, 1.0)
        axis = AxisState(ends[1], one.pitch_rad, one.zoom)
        ordered.append(replace(one, start_rad=ends[0], end_rad=ends[1]))
    return ordered, axis, _Times(now_s if math.isnan(reached_s) else reached_s, now_s)

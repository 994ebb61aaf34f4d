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
"""

from __future__ import annotations

import math
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


@dataclass(frozen=True)
class PassPlan:
    """Passes in their order.

    Attributes:
        pod_before, pod: of the area, 0..1, before and after them.
        is_enough: the wanted POD is reached.
        duration_s: from the axis' place when it was planned until the wanted POD is reached, or to
            the end, with the closer looks that come before.
        closer_looks: at false alarms that are expected until then.
        closer_s: [s] of them.
        first_stage: so many passes come before closer looks at what they have shown; 0: closer
            looks come after all.
    """

    passes: tuple[PlannedPass, ...]
    pod_before: float
    pod: float
    is_enough: bool
    duration_s: float
    first_stage: int = 0
    closer_looks: float = 0.0
    closer_s: float = 0.0


class AxisState(NamedTuple):
    """Where the axis is when a plan begins: [rad] and the zoom."""

    yaw_rad: float
    pitch_rad: float
    zoom: float


def plan_passes(problem: PassProblem, axis: AxisState) -> PassPlan:
    """Return the passes that reach the wanted POD soonest, or the best there is, in their order."""
    choices = pass_choices(problem.rules, problem.pitch_rad, problem.curves)
    groups = group_exposures(problem.rules, choices, problem.log_sizes, problem.curves)
    state = (problem.best, problem.total)
    before = pods = area_pods(problem, *state)
    enough = PodGain(problem.wanted_pod, problem.wanted_pod)
    ordered: list[PlannedPass] = []
    duration_s, first_stage, alarms, closer_s = 0.0, 0, 0.0, 0.0
    for stage in sorted({problem.first_stage, 1.0}):
        wanted = PodGain(*(one + stage * (problem.wanted_pod - one) for one in before))
        begun, passes, shown = pods, list[PlannedPass](), list[Shown]()
        for _ in range(_LAYERS_MAX):
            if pods.reaches(wanted):
                break
            layer = PassLayer(problem, choices, groups, state)
            bands = layer.bands(wanted.less(pods))
            gain = gain_of(bands)
            if max(gain) < _LEAST_GAIN:
                break
            passes += [layer.planned(band) for band in bands]
            shown += [layer.shown(band) for band in bands]
            state, pods = layer.state_after(bands), pods.plus(gain)
        added, axis, added_s = _in_order(problem, passes, axis, enough.less(begun))
        ordered, duration_s = ordered + added, duration_s + added_s
        if stage < 1.0 and not pods.reaches(enough):
            first_stage = len(ordered)
            state, alarms = _after_closer_looks(problem, state, shown)
            pods = area_pods(problem, *state)
            closer_s = problem.latency_s + alarms * problem.closer.look_s
    duration_s += closer_s
    is_enough = pods.reaches(enough)
    return PassPlan(
        tuple(ordered), before.gain, pods.gain, is_enough, duration_s, first_stage, alarms, closer_s
    )


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


def _in_order(
    problem: PassProblem, passes: list[PlannedPass], axis: AxisState, wanted: PodGain
) -> tuple[list[PlannedPass], AxisState, float]:
    """Return the passes by success per second, where the axis is after them, and how long it takes.

    Args:
        wanted: of the POD; once it is reached time counts no more.
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
    return ordered, axis, now_s if math.isnan(reached_s) else reached_s

"""The sweep: how the camera's axis moves so that no part of the area stays unseen.

It runs along swaths of yaw, to and fro, at the greatest rate at which pictures are sharp and every
cell is in enough of them. The plan is made from the unseen cells, and made again whenever it was
interrupted or is finished: an interrupted sweep goes on with what is left, and cells that were
missed get another pass.

A plan of many swaths takes seconds. It is a `SweepTask`: somebody else has it made and says when it
is ready, so the control loop goes on, and a recording of that is a recording of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant, setting
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageMap, Mask
from semantic_detection_pkg.scan.core.planning.swaths import (
    SpeedProfile,
    Swath,
    plan_swaths,
    planning_cost,
)
from semantic_detection_pkg.scan.core.pointing import (
    BearingState,
    PointingSettings,
    Rates,
    limit_rates,
    rates_towards,
)

_SLOWER = 0.7  # the next plan's share of the speed, where a plan left cells unseen
_END_SLACK_S = 0.05  # [s] a pass ends this much before its end
_FUTILE_PASSES_MAX = 4  # plans in a row that show nothing new, then the sweep gives up


@dataclass(frozen=True)
class SweepSettings:
    """How the sweep moves.

    Attributes:
        pointing: control law for the way to the start of a swath, and for its pitch.
        max_inline_cost: `planning_cost` up to which a plan is made within a step.
    """

    frame_rate_hz: float = setting(
        10.0, "pictures in which the detector looks in a second", minimum=0.5, maximum=120.0
    )
    # After a plan's last pass the sweep waits this long before it counts what is still unseen.
    detection_latency_s: float = setting(
        0.35,
        "from a capture until its detections are known",
        minimum=0.0,
        maximum=5.0,
        formerly=("settle_s",),
    )
    pointing: PointingSettings = field(default_factory=PointingSettings)
    max_inline_cost: float = constant(25_000.0, before=1e15)

    def __post_init__(self) -> None:
        check_range("frame_rate_hz", self.frame_rate_hz, above=0.0, error=ConfigurationError)
        check_range("detection_latency_s", self.detection_latency_s, 0.0, error=ConfigurationError)


@dataclass(frozen=True)
class SweepProgress:
    """How hard a sweep has tried, for a checkpoint; see `SweepPlanner`."""

    speed_share: float = 1.0
    futile_passes: int = 0


@dataclass(frozen=True)
class Forecast:
    """What a plan comes to.

    Attributes:
        pod: of the area at its end, 0..1.
        end_s: [s] when that is, on the clock of the scan.
        is_enough: the wanted POD is reached.
        text: in words.
    """

    pod: float
    end_s: float
    is_enough: bool
    text: str


class SweepTask:
    """A plan that is to be made off the control loop, from what was unseen when it was wanted.

    Whoever reads `swaths` first makes it: a thread beside the scan, or a replay in its step. The
    result is the same.

    Attributes:
        number: of the tasks of one sweep, from 1.
    """

    def __init__(
        self,
        number: int,
        unseen: Mask,
        coverage: CoverageMap,
        view: CameraView,
        limits: GimbalLimits,
        speed: SpeedProfile,
    ) -> None:
        """Keep what `plan_swaths` needs; `unseen` must not change any more."""
        self.number = number
        self._inputs = (unseen, coverage, view, limits, speed)

    @cached_property
    def swaths(self) -> tuple[Swath, ...]:
        """Return the plan; the first time it takes a while."""
        return plan_swaths(*self._inputs)

    def make(self) -> None:
        """Have the plan made."""
        _ = self.swaths


class SweepPlanner:
    """Plans the sweep of one area at one zoom, and commands rates step by step.

    Attributes:
        zoom: that is wanted.
        forecast: None: it has none.
    """

    forecast: Forecast | None = None
    wants_closer_looks = False  # before the sweep is done
    is_blind = False  # it goes by no ground
    looking = ""  # the detector's own way

    def __init__(
        self,
        coverage: CoverageMap,
        view: CameraView,
        limits: GimbalLimits,
        settings: SweepSettings | None = None,
        progress: SweepProgress | None = None,
        zoom: float = 1.0,
    ) -> None:
        """Begin without a plan.

        Args:
            coverage: map of the area; the caller adds the views.
            view: lens and picture of the sweep; where it looks does not matter.
            limits: of the gimbal; the area lies within them (see `cut_to_limits`).
            settings: left out: the defaults.
            progress: of a sweep that goes on; left out: it begins.
            zoom: of the view.
        """
        self.zoom = zoom
        progress = progress or SweepProgress()
        self._coverage = coverage
        self._view = view
        self._limits = limits
        self._settings = settings or SweepSettings()
        self._swaths: list[Swath] = []
        self._pass: _Pass | None = None
        self._task: SweepTask | None = None
        self._tasks = 0
        self._evaluate_at_s: float | None = None
        self._speed_share = progress.speed_share
        self._futile_passes = progress.futile_passes
        self._unseen_at_last_plan = -1

    @property
    def progress(self) -> SweepProgress:
        """Return how hard it has tried."""
        return SweepProgress(self._speed_share, self._futile_passes)

    @property
    def is_stuck(self) -> bool:
        """Return whether it gave up: several plans in a row showed nothing new."""
        return self._futile_passes >= _FUTILE_PASSES_MAX

    @property
    def swaths(self) -> tuple[Swath, ...]:
        """Return the planned swaths: the one under way first, the others in no order."""
        return (() if self._pass is None else (self._pass.swath,)) + tuple(self._swaths)

    @property
    def reason(self) -> str:
        """Return what it does, in words."""
        return "planning the sweep" if self._task is not None else "sweeping the area"

    def outcome(self) -> str:
        """Return what was reached, in words."""
        if not self.is_stuck:
            return "the area is covered"
        return f"{100 * (1 - self._coverage.share_seen()):.1f} % of the area could not be seen"

    def note_frame(self, looks: Sequence[Look], interval_s: float) -> None:
        """Note how a frame was looked at; a sweep goes by its settings."""

    @property
    def task(self) -> SweepTask | None:
        """Return the plan that is waited for; None: none is."""
        return self._task

    def add_plan(self, number: int) -> None:
        """Go by the plan of a task; one that is not waited for any more does not matter."""
        if self._task is not None and self._task.number == number:
            self._swaths, self._task = list(self._task.swaths), None

    def interrupt(self) -> None:
        """Drop the plan, as the axis is moved elsewhere; the next one is made from the map then."""
        self._task = None
        self._swaths, self._pass, self._evaluate_at_s = [], None, None
        self._unseen_at_last_plan = -1

    def restart(self) -> None:
        """Begin again at full speed, as after `CoverageMap.forget_older`."""
        self.interrupt()
        self._speed_share, self._futile_passes = 1.0, 0

    def rates(
        self,
        now_s: float,
        gimbal: BearingState,
        zoom: float = 1.0,  # noqa: ARG002 - as all planners are asked
    ) -> Rates | None:
        """Return the (yaw, pitch) rates to command now [rad/s]; None: all is seen, or it gave up.

        Args:
            now_s: [s] on the clock of the gimbal's stamp.
            gimbal: newest reading.
            zoom: of the camera; a sweep does not wait for it.
        """
        unseen = self._coverage.unseen()
        if not unseen.any():
            self.interrupt()
            return None
        if self._pass is not None and self._pass.is_over(now_s, gimbal, unseen):
            self._pass = None
        if self._pass is None:
            self._choose(now_s, gimbal, unseen)
        if self._pass is not None:
            return self._pass.rates(now_s, gimbal, self._limits, self._settings)
        return None if self.is_stuck else (0.0, 0.0)

    def _choose(self, now_s: float, gimbal: BearingState, unseen: Mask) -> None:
        """Begin a pass along the nearest swath; where none is left, plan again from the map."""
        self._swaths = [swath for swath in self._swaths if swath.covers_any(unseen)]
        if not self._swaths and self._task is None and self._is_time_to_plan(now_s):
            self._plan(unseen)
        if not self._swaths:
            return
        at_yaw, at_pitch = gimbal.at(now_s)

        def distance(yaw_rad: float, swath: Swath) -> float:
            turn = abs(self._limits.turn(at_yaw, yaw_rad))
            return max(turn, abs(swath.pitch_rad - at_pitch))

        starts = [
            (distance(yaw, swath), index, is_rising)
            for index, swath in enumerate(self._swaths)
            for yaw, is_rising in ((swath.low_rad, True), (swath.high_rad, False))
        ]
        _, index, is_rising = min(starts)
        dwell_timeout_s = (self._coverage.criteria.min_views + 2) / self._frame_rate_hz
        self._pass = _Pass(
            self._swaths.pop(index), is_rising, dwell_timeout_s + self._settings.detection_latency_s
        )
        self._evaluate_at_s = None

    @property
    def _frame_rate_hz(self) -> float:
        """How often a cell is looked at that stays in the picture; tiles by turns: less often."""
        return self._settings.frame_rate_hz * self._coverage.look_share

    def _is_time_to_plan(self, now_s: float) -> bool:
        if self._unseen_at_last_plan < 0:
            return True
        if self._evaluate_at_s is None:
            self._evaluate_at_s = now_s + self._settings.detection_latency_s
        return now_s >= self._evaluate_at_s

    def _plan(self, unseen: Mask) -> None:
        left = int(np.count_nonzero(unseen))
        if self._unseen_at_last_plan >= 0:
            self._speed_share *= _SLOWER
            self._futile_passes = (
                self._futile_passes + 1 if left >= self._unseen_at_last_plan else 0
            )
        self._unseen_at_last_plan = left
        if not self.is_stuck:
            speed = SpeedProfile(self._frame_rate_hz, self._speed_share)
            self._tasks += 1
            inputs = (unseen, self._coverage, self._view, self._limits, speed)
            task = SweepTask(self._tasks, *inputs)
            if planning_cost(unseen, self._coverage, self._view) <= self._settings.max_inline_cost:
                self._swaths = list(task.swaths)
            else:
                self._task = task


class _Pass:
    """One pass along a swath: to its start, then along it."""

    def __init__(self, swath: Swath, is_rising: bool, dwell_timeout_s: float) -> None:
        self.swath = swath
        self._sign = 1.0 if is_rising else -1.0
        self._start_rad = swath.low_rad if is_rising else swath.high_rad
        self._dwell_timeout_s = dwell_timeout_s
        self._began_s: float | None = None  # when it reached the start; None: on its way
        self._last_yaw_rad = 0.0
        self._done_rad = 0.0  # [rad] covered so far; summed up, as yaw may wrap on the way

    def is_over(self, now_s: float, gimbal: BearingState, unseen: Mask) -> bool:
        """Return whether its end is passed, or none of its cells is unseen any more."""
        if not self.swath.covers_any(unseen):
            return True
        if self._began_s is None:
            return False
        if self.swath.is_stationary:
            return now_s - self._began_s > self._dwell_timeout_s
        yaw, _ = gimbal.at(now_s)
        self._done_rad += self._sign * math.remainder(yaw - self._last_yaw_rad, math.tau)
        self._last_yaw_rad = yaw
        # The end may be the gimbal's limit, which is approached ever more slowly.
        length = self.swath.high_rad - self.swath.low_rad
        return self._done_rad >= length - _END_SLACK_S * self.swath.rate_rad_s

    def rates(
        self, now_s: float, gimbal: BearingState, limits: GimbalLimits, settings: SweepSettings
    ) -> Rates:
        """Return the rates towards the start, and from there along the swath. [rad/s]"""
        swath = self.swath
        yaw, pitch = gimbal.at(now_s)
        to_start = limits.turn(yaw, self._start_rad)
        slack = swath.rate_rad_s / settings.frame_rate_hz
        if self._began_s is None and max(abs(to_start), 2.0 * abs(swath.pitch_rad - pitch)) < slack:
            self._began_s = now_s
            self._last_yaw_rad, self._done_rad = yaw, -self._sign * to_start
        goal = BearingState(now_s, yaw + to_start, swath.pitch_rad)
        wanted = rates_towards(gimbal, goal, now_s, limits, settings.pointing)
        if self._began_s is None or swath.is_stationary:
            return wanted
        return limit_rates(gimbal, (self._sign * swath.rate_rad_s, wanted[1]), limits)

"""What is shed when the machine runs short, and when it comes back. Pure; time is an argument.

Steps: 1 no new questions to the model, 2 half the pictures and a slower recording, 3 the model's
process goes. The gimbal's stop and the recorder are never shed. It gets worse after a few readings
in a row, and better only after a time with a margin: a machine at a limit does not swing.
Thresholds from memory and trip points are starting values, to be calibrated on a robot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.health.core.reading import MachineReading


class Step(IntEnum):
    """How much is shed; each step holds the ones before."""

    NOTHING = 0
    TIER3 = 1
    RATES = 2
    MODEL = 3


#: What each step sheds, as HealthState.shed says it.
SHED = {Step.TIER3: "tier3", Step.RATES: "rates", Step.MODEL: "vlm"}


@dataclass(frozen=True)
class HealthLimits:
    """Where each step begins.

    Attributes:
        heat_margin_c: [deg C] below the trip point where step 1, 2 begins, falling.
        stalled_percent: [%] of the last 10 s spent waiting for memory, step 1, 2 begins, rising.
        swap_growth_mb: [MiB] in a minute from which memory counts as short: step 3.
        worse_after: readings in a row.
        better_after_s: [s] with the margin.
        margin: share by which a limit must be cleared to get better.

    Raises:
        ConfigurationError: on construction, if the limits of memory rise from step to step.
    """

    shed_vlm_below_mb: float = setting(
        900.0,
        "available memory below which no questions go to the vision-language model",
        minimum=0.0,
        maximum=1e6,
        formerly=("tier3_below_mb",),
    )
    shed_rates_below_mb: float = setting(
        600.0,
        "available memory below which every other picture is left out",
        minimum=0.0,
        maximum=1e6,
        formerly=("rates_below_mb",),
    )
    stop_vlm_below_mb: float = setting(
        350.0,
        "available memory below which the vision-language model's process ends",
        minimum=0.0,
        maximum=1e6,
        formerly=("model_below_mb",),
    )
    heat_margin_c: tuple[float, float] = (15.0, 8.0)
    stalled_percent: tuple[float, float] = (10.0, 30.0)
    # Warnings only: a container's limit is soft, and the recorder makes room by itself.
    max_container_mb: float = setting(
        4096.0,
        "memory of this container above which is a warning",
        minimum=1.0,
        maximum=1e6,
        formerly=("container_mb",),
    )
    min_disk_free_mb: float = setting(
        2048.0,
        "free space on the disk below which is a warning",
        minimum=0.0,
        maximum=1e9,
        formerly=("disk_free_mb",),
    )
    swap_growth_mb: float = 256.0
    worse_after: int = 3
    better_after_s: float = 20.0
    margin: float = 0.15

    def __post_init__(self) -> None:
        if sorted(self.available_mb, reverse=True) != list(self.available_mb):
            raise ConfigurationError(
                "shed_vlm_below_mb, shed_rates_below_mb, stop_vlm_below_mb are "
                f"{_listed(self.available_mb)}: they must not rise"
            )

    @property
    def available_mb(self) -> tuple[float, float, float]:
        """Return the limits of available memory for step 1, 2, 3 [MiB]."""
        return self.shed_vlm_below_mb, self.shed_rates_below_mb, self.stop_vlm_below_mb


@dataclass(frozen=True)
class Assessment:
    """What a reading means.

    Attributes:
        step: in force.
        reasons: what is near or beyond a limit, with value and limit.
    """

    step: Step
    reasons: tuple[str, ...]

    @property
    def shed(self) -> tuple[str, ...]:
        """What is switched off or slowed down."""
        return tuple(word for step, word in SHED.items() if step <= self.step)


class Policy:
    """Follows the readings, one at a time."""

    def __init__(self, limits: HealthLimits | None = None) -> None:
        """Start with nothing shed."""
        self._limits = limits or HealthLimits()
        self._step = Step.NOTHING
        self._worse = 0
        self._calm_since_s: float | None = None
        self._swap: list[tuple[float, float]] = []
        self._oom_kills = math.nan
        self._killed_s = -math.inf

    def assess(self, now_s: float, reading: MachineReading) -> Assessment:
        """Return what is in force after this reading."""
        growth_mb = self._swap_growth_mb(now_s, reading.swap_used_mb)
        self._note_kills(now_s, reading.oom_kills)
        was_killed = now_s - self._killed_s < self._limits.better_after_s
        wanted = self._step_of(reading, growth_mb, was_killed, 1.0)
        if wanted > self._step:
            self._worse += 1
            self._calm_since_s = None
            if self._worse >= self._limits.worse_after or was_killed:
                self._step, self._worse = wanted, 0
        else:
            self._worse = 0
            clear = self._step_of(reading, growth_mb, was_killed, 1.0 + self._limits.margin)
            self._recover(now_s, clear)
        return Assessment(self._step, self._reasons(reading, growth_mb, was_killed))

    def _recover(self, now_s: float, clear: Step) -> None:
        """Take back one step at a time, after a calm time for each."""
        if clear >= self._step:
            self._calm_since_s = None
            return
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s >= self._limits.better_after_s:
            self._step = Step(self._step - 1)
            self._calm_since_s = now_s

    def _step_of(
        self, reading: MachineReading, swap_growth_mb: float, was_killed: bool, factor: float
    ) -> Step:
        """Return the step that a reading calls for, its limits stricter by `factor`; NaN: none."""
        limits = self._limits
        if was_killed or swap_growth_mb > limits.swap_growth_mb / factor:
            return Step.MODEL
        step = Step.NOTHING
        for index, limit_mb in enumerate(limits.available_mb):
            if reading.memory_available_mb < limit_mb * factor:
                step = Step(index + 1)
        for index, limit_c in enumerate(limits.heat_margin_c):
            if reading.heat_margin_c < limit_c * factor:
                step = max(step, Step(index + 1))
        for index, limit_percent in enumerate(limits.stalled_percent):
            if reading.stalled_percent > limit_percent / factor:
                step = max(step, Step(index + 1))
        return step

    def _swap_growth_mb(self, now_s: float, swap_used_mb: float) -> float:
        """Return the growth of swap in a minute; only a machine short of memory is asked. [MiB]"""
        if not math.isnan(swap_used_mb):
            self._swap.append((now_s, swap_used_mb))
        self._swap = [(at_s, used) for at_s, used in self._swap if now_s - at_s <= 60.0]
        return self._swap[-1][1] - self._swap[0][1] if self._swap else 0.0

    def _note_kills(self, now_s: float, oom_kills: float) -> None:
        if oom_kills > self._oom_kills:  # NaN, before the first count, compares false
            self._killed_s = now_s
        self._oom_kills = oom_kills

    def _reasons(
        self, reading: MachineReading, swap_growth_mb: float, was_killed: bool
    ) -> tuple[str, ...]:
        limits = self._limits
        checks = (
            (
                reading.memory_available_mb < limits.available_mb[0],
                f"memory available {reading.memory_available_mb:.0f} MB, "
                f"limits {_listed(limits.available_mb)} MB",
            ),
            (
                reading.heat_margin_c < limits.heat_margin_c[0],
                f"{reading.hottest_c:.0f} C, {reading.heat_margin_c:.0f} C below the trip point, "
                f"limits {_listed(limits.heat_margin_c)} C",
            ),
            (
                reading.stalled_percent > limits.stalled_percent[0],
                f"{reading.stalled_percent:.0f} % of the time tasks wait for memory, "
                f"limits {_listed(limits.stalled_percent)} %",
            ),
            (
                swap_growth_mb > limits.swap_growth_mb,
                f"swap grew by {swap_growth_mb:.0f} MB in a minute, "
                f"limit {limits.swap_growth_mb:.0f} MB",
            ),
            (was_killed, "the kernel ended a process for want of memory"),
            (
                reading.container_memory_mb > limits.max_container_mb,
                f"this container uses {reading.container_memory_mb:.0f} MB, "
                f"its share is {limits.max_container_mb:.0f} MB",
            ),
            (
                reading.disk_free_mb < limits.min_disk_free_mb,
                f"disk free {reading.disk_free_mb:.0f} MB, limit {limits.min_disk_free_mb:.0f} MB",
            ),
        )
        return tuple(text for is_so, text in checks if is_so)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)

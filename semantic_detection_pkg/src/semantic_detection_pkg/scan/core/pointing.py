"""Rates that bring the camera's axis onto something and keep it there, never step-and-wait.

Both the gimbal and the target are taken to where they will be when the command takes effect. The
target's rate is fed forward; what is left of the error is closed at a rate that is proportional
when near and, when far, the greatest from which the gimbal can still brake in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ros_support_pkg.core.settings import constant, setting
from semantic_detection_pkg.scan.core.area import Bearing, GimbalLimits

Rates = tuple[float, float]
"""(yaw, pitch) [rad/s]."""

_LIMIT_APPROACH_S = 0.15
"""[s] A rate never lets an axis reach its limit sooner: time for the command, and to brake."""


@dataclass(frozen=True)
class Motion:
    """Where something was and how it moved: the gimbal's axis, or a target.

    Attributes:
        stamp_s: [s] when.
        yaw_rad, pitch_rad: [rad] REP 103.
        yaw_rate_rad_s, pitch_rate_rad_s: [rad/s].
    """

    stamp_s: float
    yaw_rad: float
    pitch_rad: float
    yaw_rate_rad_s: float = 0.0
    pitch_rate_rad_s: float = 0.0

    def at(self, time_s: float) -> Bearing:
        """The bearing at another time, if it goes on as it did."""
        later_s = time_s - self.stamp_s
        return (
            self.yaw_rad + self.yaw_rate_rad_s * later_s,
            self.pitch_rad + self.pitch_rate_rad_s * later_s,
        )


@dataclass(frozen=True)
class PointingSettings:
    """How hard the law pulls.

    Attributes:
        gain_per_s: share of a small error that is closed in a second [1/s]; above the rate of
            steps it would swing.
        braking_share: 0..1, of the limits' acceleration that the law counts on.
        max_extrapolation_s: [s] a target is not extrapolated beyond this: after that it counts as
            standing still.
    """

    gain_per_s: float = 12.0
    command_latency_s: float = setting(
        0.03,
        "from a command to the motion, beyond the next step",
        minimum=0.0,
        maximum=1.0,
        formerly=("latency_s",),
    )
    braking_share: float = 0.7
    max_extrapolation_s: float = constant(1.0, formerly=("longest_guess_s",))


def rates_towards(
    gimbal: Motion,
    target: Motion,
    now_s: float,
    limits: GimbalLimits,
    settings: PointingSettings | None = None,
) -> Rates:
    """The rates to command now, so that the axis meets the target and goes along with it.

    Args:
        gimbal: newest reading.
        target: newest estimate; its rate may be 0. Beyond the limits the axis stops at them.
        now_s: [s] on the clock of both stamps.
        limits: of the gimbal.
        settings: left out: the defaults.
    """
    settings = settings or PointingSettings()
    then_s = now_s + settings.command_latency_s
    age_s = then_s - target.stamp_s
    is_fresh = age_s <= settings.max_extrapolation_s
    yaw, pitch = limits.nearest(
        target.at(then_s if is_fresh else target.stamp_s + settings.max_extrapolation_s)
    )
    at_yaw, at_pitch = gimbal.at(then_s)
    ahead = (target.yaw_rate_rad_s, target.pitch_rate_rad_s) if is_fresh else (0.0, 0.0)
    return limit_rates(
        gimbal,
        (
            _rate(limits.turn(at_yaw, yaw), ahead[0], limits, settings),
            _rate(pitch - at_pitch, ahead[1], limits, settings),
        ),
        limits,
    )


def limit_rates(gimbal: Motion, rates: Rates, limits: GimbalLimits) -> Rates:
    """The rates, cut to the greatest and slowed down towards the gimbal's limits."""
    yaw, pitch = (max(-limits.rate_rad_s, min(limits.rate_rad_s, rate)) for rate in rates)
    if not limits.is_endless:
        yaw = _guarded(yaw, gimbal.yaw_rad, limits.yaw_rad)
    return yaw, _guarded(pitch, gimbal.pitch_rad, limits.pitch_rad)


def _rate(
    error_rad: float, ahead_rad_s: float, limits: GimbalLimits, settings: PointingSettings
) -> float:
    braking = settings.braking_share * limits.acceleration_rad_s2
    error = abs(error_rad)
    near_rad = braking / settings.gain_per_s**2
    # The tangent of the square root where both have the same slope: no kink in the rate.
    if error <= near_rad:
        closing = settings.gain_per_s * error
    else:
        closing = math.sqrt(2.0 * braking * (error - near_rad / 2.0))
    return ahead_rad_s + math.copysign(closing, error_rad)


def _guarded(rate_rad_s: float, angle_rad: float, limit_rad: tuple[float, float]) -> float:
    low, high = limit_rad
    room = high - angle_rad if rate_rad_s > 0.0 else angle_rad - low
    return math.copysign(min(abs(rate_rad_s), max(0.0, room) / _LIMIT_APPROACH_S), rate_rad_s)

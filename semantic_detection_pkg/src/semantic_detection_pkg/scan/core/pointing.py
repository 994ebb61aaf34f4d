"""Control law: rates that bring the camera's axis onto a target and keep it there.

Gimbal and target are both extrapolated to when the command takes effect. The target's rate is fed
forward. What is left of the error e is closed at k e when near and, when far, at the greatest rate
from which the gimbal can still brake in time, sqrt(2 a (e - e0 / 2)): a square-root controller, as
ArduPilot's position control has it. At e0 = a / k^2 both have the same value and slope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ros_support_pkg.core.settings import constant, setting
from semantic_detection_pkg.scan.core.area import Bearing, GimbalLimits

Rates = tuple[float, float]
"""(yaw, pitch) [rad/s]."""

_LIMIT_APPROACH_S = 0.15
"""[s] No rate may reach a limit sooner than this: time for the command, and to brake."""


@dataclass(frozen=True)
class BearingState:
    """Bearing and rates of the gimbal's axis, or of a target, at one moment.

    Attributes:
        stamp_s: [s] of that moment.
        yaw_rad, pitch_rad: [rad] REP 103.
        yaw_rate_rad_s, pitch_rate_rad_s: [rad/s].
    """

    stamp_s: float
    yaw_rad: float
    pitch_rad: float
    yaw_rate_rad_s: float = 0.0
    pitch_rate_rad_s: float = 0.0

    def at(self, time_s: float) -> Bearing:
        """Return the bearing at another time, at constant rates. [rad]"""
        later_s = time_s - self.stamp_s
        return (
            self.yaw_rad + self.yaw_rate_rad_s * later_s,
            self.pitch_rad + self.pitch_rate_rad_s * later_s,
        )


@dataclass(frozen=True)
class PointingSettings:
    """How fast errors are corrected.

    Attributes:
        gain_per_s: rate per error while it is small [1/s]; above the rate of steps the axis would
            oscillate.
        braking_share: 0..1, share of the limits' acceleration that the law counts on.
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
    gimbal: BearingState,
    target: BearingState,
    now_s: float,
    limits: GimbalLimits,
    settings: PointingSettings | None = None,
) -> Rates:
    """Return the rates at which the axis meets the target and then moves along with it. [rad/s]

    Args:
        gimbal: newest state of the axis.
        target: newest estimate; its rate may be 0. Where it is beyond a limit the axis stops there.
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
            _closing_rate(limits.turn(at_yaw, yaw), ahead[0], limits, settings),
            _closing_rate(pitch - at_pitch, ahead[1], limits, settings),
        ),
        limits,
    )


def limit_rates(gimbal: BearingState, rates: Rates, limits: GimbalLimits) -> Rates:
    """Return the rates, at most the greatest, slowed down near the gimbal's limits. [rad/s]"""
    yaw, pitch = (max(-limits.rate_rad_s, min(limits.rate_rad_s, rate)) for rate in rates)
    if not limits.is_endless:
        yaw = _slow_down_at_limit(yaw, gimbal.yaw_rad, limits.yaw_rad)
    return yaw, _slow_down_at_limit(pitch, gimbal.pitch_rad, limits.pitch_rad)


def _closing_rate(
    error_rad: float, ahead_rad_s: float, limits: GimbalLimits, settings: PointingSettings
) -> float:
    """Return the rate of one axis: feedforward plus what closes the error. [rad/s]"""
    braking = settings.braking_share * limits.acceleration_rad_s2
    error = abs(error_rad)
    near_rad = braking / settings.gain_per_s**2
    if error <= near_rad:
        closing = settings.gain_per_s * error
    else:
        closing = math.sqrt(2.0 * braking * (error - near_rad / 2.0))
    return ahead_rad_s + math.copysign(closing, error_rad)


def _slow_down_at_limit(
    rate_rad_s: float, angle_rad: float, limit_rad: tuple[float, float]
) -> float:
    low, high = limit_rad
    room = high - angle_rad if rate_rad_s > 0.0 else angle_rad - low
    return math.copysign(min(abs(rate_rad_s), max(0.0, room) / _LIMIT_APPROACH_S), rate_rad_s)

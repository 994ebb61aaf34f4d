"""The soft limits: how far and how fast the gimbal may be sent. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.models import GimbalModel
from gimbal_driver_pkg.protocol.messages import Limits

_APPROACH_S = 0.25
"""[s] A rate never lets an axis reach its limit sooner: time for the line, and to brake."""

_BELIEVABLE_RAD = math.radians(25.0)
"""[rad] A reading so far beyond the mechanical limits is noise that passed its checksum.

Some room is needed: pitch is told relative to the horizon, its limits are relative to the vehicle.
"""


@dataclass(frozen=True)
class AxisLimits:
    """One axis, in radians: mechanical limits and how far inside them the soft ones lie."""

    low_rad: float
    high_rad: float
    margin_rad: float = 0.0
    is_endless: bool = False

    @property
    def soft_low_rad(self) -> float:
        """Least angle to be sent."""
        return self.low_rad if self.is_endless else self.low_rad + self._inset

    @property
    def soft_high_rad(self) -> float:
        """Greatest angle to be sent."""
        return self.high_rad if self.is_endless else self.high_rad - self._inset

    @property
    def _inset(self) -> float:
        return min(self.margin_rad, (self.high_rad - self.low_rad) / 2)

    def clamp(self, angle_rad: float) -> float:
        """Return the nearest angle within the soft limits; an endless axis wraps instead."""
        if self.is_endless:
            return math.remainder(angle_rad, math.tau)
        return max(self.soft_low_rad, min(self.soft_high_rad, angle_rad))

    def guard(self, rate_rad_s: float, angle_rad: float) -> float:
        """Return the rate that may be sent at `angle_rad`: slower towards a limit, never beyond."""
        if self.is_endless or rate_rad_s == 0:
            return rate_rad_s
        room = self.soft_high_rad - angle_rad if rate_rad_s > 0 else angle_rad - self.soft_low_rad
        return math.copysign(min(abs(rate_rad_s), max(0.0, room) / _APPROACH_S), rate_rad_s)

    def is_believable(self, angle_rad: float) -> bool:
        """Tell whether the axis can be at `angle_rad`."""
        if self.is_endless:
            return abs(angle_rad) <= math.pi + _BELIEVABLE_RAD
        return self.low_rad - _BELIEVABLE_RAD <= angle_rad <= self.high_rad + _BELIEVABLE_RAD


@dataclass(frozen=True)
class SoftLimits:
    """Both axes, the greatest rate, the zoom."""

    yaw: AxisLimits
    pitch: AxisLimits
    max_rate_rad_s: float
    zoom_max: float

    @classmethod
    def of(cls, model: GimbalModel, settings: DriverSettings) -> SoftLimits:
        """Return the limits of `model` with those that are set in their place."""
        margin = math.radians(settings.soft_limit_margin_deg)
        yaw = _range(model.yaw_deg, settings.yaw_min_deg, settings.yaw_max_deg)
        pitch = _range(model.pitch_deg, settings.pitch_min_deg, settings.pitch_max_deg)
        is_endless = model.has_endless_yaw and yaw == tuple(map(math.radians, model.yaw_deg))
        rate_deg_s = _or(settings.max_rate_deg_s, model.max_rate_deg_s)
        return cls(
            AxisLimits(*yaw, margin, is_endless),
            AxisLimits(*pitch, margin),
            math.radians(rate_deg_s),
            _or(settings.zoom_max, model.zoom_max),
        )

    def narrowed(self, told: Limits) -> SoftLimits:
        """Return these limits within those that the gimbal itself tells."""
        yaw = replace(
            self.yaw,
            low_rad=max(self.yaw.low_rad, told.yaw_min_rad),
            high_rad=min(self.yaw.high_rad, told.yaw_max_rad),
        )
        pitch = replace(
            self.pitch,
            low_rad=max(self.pitch.low_rad, told.pitch_min_rad),
            high_rad=min(self.pitch.high_rad, told.pitch_max_rad),
        )
        is_sound = yaw.low_rad < yaw.high_rad and pitch.low_rad < pitch.high_rad
        return replace(self, yaw=yaw, pitch=pitch) if is_sound else self

    def cut_rate(self, rate_rad_s: float) -> float:
        """Return a rate no faster than the greatest."""
        return max(-self.max_rate_rad_s, min(self.max_rate_rad_s, rate_rad_s))


def _or(value: float, default: float) -> float:
    return default if math.isnan(value) else value


def _range(model_deg: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    return math.radians(_or(low, model_deg[0])), math.radians(_or(high, model_deg[1]))

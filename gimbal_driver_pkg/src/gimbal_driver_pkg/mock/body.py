"""How a gimbal moves: two axes with slew rate, acceleration and limits, and a zoom. Pure.

No maker publishes these dynamics. The figures are assumptions of the right size: an axis reaches
its top speed in about 0.1 s and stops as fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import GimbalModel
from ros_support_pkg.core.ranges import check_range

_ARRIVED_RAD = 1e-5


@dataclass(frozen=True)
class Dynamics:
    """How fast things move."""

    slew_rad_s: float = math.radians(120.0)
    acceleration_rad_s2: float = math.radians(1200.0)
    zoom_range_s: float = 4.0
    """[s] From one end of the zoom to the other."""
    step_s: float = 0.002
    """[s] Longest step of integration."""

    def times(self, factor: float) -> Dynamics:
        """Return the dynamics of a gimbal for which time runs `factor` times as fast.

        Raises:
            InvalidValueError: it is not from 0.01 to 100.
        """
        check_range("speed", factor, 0.01, 100.0, error=InvalidValueError)
        return replace(
            self,
            slew_rad_s=self.slew_rad_s * factor,
            acceleration_rad_s2=self.acceleration_rad_s2 * factor**2,
            zoom_range_s=self.zoom_range_s / factor,
            step_s=self.step_s / factor,
        )


class Axis:
    """One motor. It turns at a rate, or goes to an angle and stays there."""

    def __init__(
        self, limits_rad: tuple[float, float], dynamics: Dynamics, is_endless: bool
    ) -> None:
        """Start at 0, still. An endless axis goes on through +-pi."""
        self.angle_rad = 0.0
        self.rate_rad_s = 0.0
        self.dynamics = dynamics
        self._low, self._high = limits_rad
        self._is_endless = is_endless
        self._goal: float | None = 0.0  # None: turning at a rate
        self._wanted_rate = 0.0

    @property
    def is_still(self) -> bool:
        """Whether nothing will change until the next command."""
        at_rest = self.rate_rad_s == 0.0
        if self._goal is None:
            return at_rest and self._free_rate(self._wanted_rate, 0.0) == 0.0
        return at_rest and self._goal == self.angle_rad

    def turn(self, rate_rad_s: float) -> None:
        """Turn at a rate until told otherwise or until a limit is reached."""
        slew = self.dynamics.slew_rad_s
        self._goal = None
        self._wanted_rate = max(-slew, min(slew, rate_rad_s))

    def go_to(self, angle_rad: float) -> None:
        """Go to an angle, or to the limit before it; an endless axis takes the short way."""
        if self._is_endless:
            self._goal = self.angle_rad + math.remainder(angle_rad - self.angle_rad, math.tau)
        else:
            self._goal = max(self._low, min(self._high, angle_rad))

    def step(self, dt_s: float) -> None:
        """Move on by `dt_s`, at most the dynamics' step."""
        gain = self.dynamics.acceleration_rad_s2 * dt_s
        wanted = self._rate_now(dt_s)
        self.rate_rad_s += max(-gain, min(gain, wanted - self.rate_rad_s))
        self.angle_rad += self.rate_rad_s * dt_s
        self._settle(gain)

    def _rate_now(self, dt_s: float) -> float:
        if self._goal is None:
            return self._free_rate(self._wanted_rate, dt_s)
        error = self._goal - self.angle_rad
        return math.copysign(min(self.dynamics.slew_rad_s, self._braking(abs(error), dt_s)), error)

    def _free_rate(self, rate: float, dt_s: float) -> float:
        """Return the rate that a limit ahead still allows."""
        if self._is_endless or rate == 0.0:
            return rate
        room = self._high - self.angle_rad if rate > 0 else self.angle_rad - self._low
        return math.copysign(min(abs(rate), self._braking(max(room, 0.0), dt_s)), rate)

    def _braking(self, room_rad: float, dt_s: float) -> float:
        """Return the greatest speed from which it still stops within `room_rad`."""
        if room_rad <= _ARRIVED_RAD:
            return 0.0
        # v dt + v^2 / 2a = room: this step is still made at v, then it brakes.
        acceleration = self.dynamics.acceleration_rad_s2
        lag = acceleration * dt_s
        return math.sqrt(lag * lag + 2 * acceleration * room_rad) - lag

    def _settle(self, gain: float) -> None:
        is_slow = abs(self.rate_rad_s) <= gain
        if (
            self._goal is not None
            and is_slow
            and abs(self._goal - self.angle_rad) <= gain * self.dynamics.step_s
        ):
            self.angle_rad, self.rate_rad_s = self._goal, 0.0
        if self._is_endless:
            if abs(self.angle_rad) > math.pi:
                turned = math.remainder(self.angle_rad, math.tau)
                if self._goal is not None:
                    self._goal += turned - self.angle_rad
                self.angle_rad = turned
        elif not self._low <= self.angle_rad <= self._high:
            self.angle_rad = max(self._low, min(self._high, self.angle_rad))
            self.rate_rad_s = 0.0


class Body:
    """A gimbal's moving parts, in REP 103: yaw + is left, pitch + is nose down."""

    def __init__(self, model: GimbalModel, dynamics: Dynamics, now_s: float = 0.0) -> None:
        """Start centred and zoomed out."""
        yaw, pitch = (
            tuple(map(math.radians, limits)) for limits in (model.yaw_deg, model.pitch_deg)
        )
        self.yaw = Axis((yaw[0], yaw[1]), dynamics, model.has_endless_yaw)
        self.pitch = Axis((pitch[0], pitch[1]), dynamics, is_endless=False)
        self.zoom = 1.0
        self.zoom_max = model.zoom_max
        self._zoom_goal = 1.0
        self._now_s = now_s

    @property
    def dynamics(self) -> Dynamics:
        """How fast it moves; may be changed on the way."""
        return self.yaw.dynamics

    @dynamics.setter
    def dynamics(self, dynamics: Dynamics) -> None:
        self.yaw.dynamics = self.pitch.dynamics = dynamics

    @property
    def is_still(self) -> bool:
        """Whether both axes stand still and will stay so."""
        return self.yaw.is_still and self.pitch.is_still

    @property
    def is_zooming(self) -> bool:
        """Whether the zoom is on its way."""
        return self.zoom != self._zoom_goal

    def zoom_to(self, zoom: float) -> None:
        """Go to a magnification, or to the end before it."""
        self._zoom_goal = max(1.0, min(self.zoom_max, zoom))

    def zoom_towards(self, direction: float) -> None:
        """Zoom in (+), out (-) or stop (0)."""
        self.zoom_to(self.zoom if direction == 0 else math.copysign(math.inf, direction))

    def advance(self, now_s: float) -> None:
        """Move on to `now_s`; a time in the past changes nothing."""
        left = now_s - self._now_s
        if left <= 0:
            return
        self._now_s = now_s
        reach = (self.zoom_max - 1) / self.dynamics.zoom_range_s * left
        self.zoom += max(-reach, min(reach, self._zoom_goal - self.zoom))
        while left > 0 and not self.is_still:
            step = min(left, self.dynamics.step_s)
            self.yaw.step(step)
            self.pitch.step(step)
            left -= step

    def freeze(self, now_s: float) -> None:
        """Let the time up to `now_s` pass without moving."""
        self._now_s = max(self._now_s, now_s)

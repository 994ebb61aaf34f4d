"""What the gimbal is to do, and when that has to be said (again). Pure.

Rate and angle commands replace each other; the newest wins, and no more leave than the line likes.
A rate ends by itself when it is not renewed: the dead-man stop. A stop is repeated until the gimbal
is seen to stand. An angle is repeated until it is reached: loss is cured by saying it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gimbal_driver_pkg.core.limits import SoftLimits
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.protocol.codec import Traits
from gimbal_driver_pkg.protocol.messages import STOP, Attitude, Center, Command, SetAngle, SetRate

_STOP_REPEAT_S = 0.1
_STOP_TIMES = 8
_STOP_AGAIN_S = 0.5  # while it rests anyway
_STILL_RAD_S = math.radians(1.0)
_ANGLE_LIFE_S = 10.0  # nobody expects a move for what he said longer ago, over another line
_SAME_RATE_RAD_S = math.radians(0.05)


@dataclass(frozen=True)
class Aim:
    """What became of an angle command: the goal after the limits, and whether they cut it."""

    yaw_rad: float
    pitch_rad: float
    yaw_saturated: bool = False
    pitch_saturated: bool = False

    def error_rad(self, yaw_rad: float, pitch_rad: float) -> float:
        """Return the angle between the goal's line of sight and that of the given angles."""
        cosine = math.sin(pitch_rad) * math.sin(self.pitch_rad) + math.cos(pitch_rad) * math.cos(
            self.pitch_rad
        ) * math.cos(yaw_rad - self.yaw_rad)
        if cosine > 0.9999:  # acos has no precision there
            across = math.remainder(yaw_rad - self.yaw_rad, math.tau) * math.cos(self.pitch_rad)
            return math.hypot(across, pitch_rad - self.pitch_rad)
        return math.acos(max(-1.0, cosine))


@dataclass
class _Turning:
    wanted: SetRate
    expires_s: float
    sent: SetRate | None = None
    is_looked_at: bool = False  # whether `sent` is right for the newest wish and attitude


@dataclass
class _Pointing:
    aim: Aim
    command: SetAngle | Center
    since_s: float
    is_sent: bool = False
    is_reached: bool = False


@dataclass
class _Stopping:
    left: int = _STOP_TIMES


class Motion:
    """The motion commands of one gimbal."""

    def __init__(self, limits: SoftLimits, traits: Traits, settings: DriverSettings) -> None:
        """Start with nothing to do."""
        self.limits = limits
        self.yaw_saturated = False
        self.pitch_saturated = False
        self.obeyed_s: float | None = None
        """When the newest command left or was found in force [s]; None: it has still to leave."""
        self._traits = traits
        self._settings = settings
        self._goal: _Turning | _Pointing | _Stopping | None = None
        self._sent_at_s = -math.inf

    @property
    def is_moving(self) -> bool:
        """Whether the gimbal may be moving because of us."""
        if isinstance(self._goal, _Pointing):
            return not self._goal.is_reached
        return self._goal is not None

    @property
    def commanded(self) -> SetRate | None:
        """The rate on the wire now; None while not turning at a rate."""
        return self._goal.sent if isinstance(self._goal, _Turning) else None

    @property
    def aim(self) -> Aim | None:
        """The goal of the last angle command, while it is in force."""
        return self._goal.aim if isinstance(self._goal, _Pointing) else None

    def turn(self, rate: SetRate, now_s: float) -> None:
        """Turn at a rate until `rate_timeout_s` from now."""
        if rate == STOP:
            self.stop(now_s)
            return
        self.obeyed_s = None
        expires_s = now_s + self._settings.rate_timeout_s
        sent = self._goal.sent if isinstance(self._goal, _Turning) else None
        self._goal = _Turning(rate, expires_s, sent)

    def point(self, yaw_rad: float, pitch_rad: float, now_s: float) -> Aim:
        """Go to angles, cut to the soft limits."""
        SetAngle(yaw_rad, pitch_rad)  # refuses NaN
        yaw, pitch = self.limits.yaw.clamp(yaw_rad), self.limits.pitch.clamp(pitch_rad)
        is_yaw_cut = not self.limits.yaw.is_endless and yaw != yaw_rad
        aim = Aim(yaw, pitch, is_yaw_cut, pitch != pitch_rad)
        self.yaw_saturated, self.pitch_saturated = aim.yaw_saturated, aim.pitch_saturated
        self._goal = _Pointing(aim, SetAngle(yaw, pitch), now_s)
        self.obeyed_s = None
        return aim

    def center(self, now_s: float) -> None:
        """Go to the middle."""
        self.yaw_saturated = self.pitch_saturated = False
        self._goal = _Pointing(Aim(0.0, 0.0), Center(), now_s)
        self.obeyed_s = None

    def stop(self, now_s: float) -> None:
        """Stand still, whatever was commanded."""
        self.yaw_saturated = self.pitch_saturated = False
        is_resting = self._goal is None and now_s < self._sent_at_s + _STOP_AGAIN_S
        self.obeyed_s = now_s
        if not (is_resting or isinstance(self._goal, _Stopping)):
            self._goal = _Stopping()
            self.obeyed_s = None

    def reconnected(self, now_s: float) -> None:
        """Begin anew on a new line: a rate is over, an angle of late is said again."""
        self._sent_at_s = -math.inf
        if isinstance(self._goal, _Pointing) and now_s < self._goal.since_s + _ANGLE_LIFE_S:
            self._goal.is_sent = False
        else:
            self._goal = _Stopping()

    def interrupted(self) -> None:
        """Say again what is in force: somebody may have stopped the gimbal in our name."""
        if isinstance(self._goal, _Turning):
            self._goal.sent, self._goal.is_looked_at = None, False
        elif isinstance(self._goal, _Pointing) and not self._goal.is_reached:
            self._goal.is_sent = False

    def add_reading(self, attitude: Attitude) -> None:
        """Add a reading: an angle may be reached, a stop may have worked."""
        goal = self._goal
        if isinstance(goal, _Turning):
            goal.is_looked_at = False
        elif isinstance(goal, _Pointing):
            error = goal.aim.error_rad(attitude.yaw_rad, attitude.pitch_rad)
            if error <= math.radians(self._settings.goal_tolerance_deg):
                goal.is_reached = True  # for good: who moves it from there has reasons
        elif isinstance(goal, _Stopping):
            rates = attitude.yaw_rate_rad_s, attitude.pitch_rate_rad_s
            is_still = all(abs(rate) < _STILL_RAD_S for rate in rates)  # never for NaN
            # At least one stop has left, and the reading is of a time after it.
            if is_still and goal.left < _STOP_TIMES and attitude.stamp_s > self._sent_at_s:
                self._goal = None

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        goal, soonest_s = self._goal, self._sent_at_s + 1 / self._settings.command_hz
        match goal:
            case _Turning() as turning:
                repeat_s = self._sent_at_s + self._traits.rate_repeat_s
                return min(turning.expires_s, repeat_s if turning.is_looked_at else soonest_s)
            case _Pointing(is_sent=False):
                return soonest_s
            case _Pointing(is_reached=False):
                return self._sent_at_s + self._traits.angle_repeat_s
            case _Stopping(left=left):
                return self._sent_at_s + (0.0 if left == _STOP_TIMES else _STOP_REPEAT_S)
        return math.inf

    def commands(self, attitude: Attitude | None, now_s: float) -> list[Command]:
        """Return what has to leave now; `attitude` is the newest reading if it is fresh."""
        if isinstance(self._goal, _Turning) and (now_s >= self._goal.expires_s or attitude is None):
            self._goal = _Stopping()  # nobody renews it, or nobody sees where it leads
        if now_s < self.due_s():
            return []
        if self.obeyed_s is None:
            self.obeyed_s = now_s
        match self._goal:
            case _Turning() as goal if attitude is not None:
                return self._turning(goal, attitude, now_s)
            case _Pointing() as goal:
                goal.is_sent = True
                self._sent_at_s = now_s
                return [goal.command]
            case _Stopping() as goal:
                goal.left -= 1
                self._sent_at_s = now_s
                if goal.left == 0:
                    self._goal = None
                return [STOP]
        return []

    def _turning(self, goal: _Turning, attitude: Attitude, now_s: float) -> list[Command]:
        limits, wanted = self.limits, goal.wanted
        yaw = limits.yaw.guard(limits.cut_rate(wanted.yaw_rate_rad_s), attitude.yaw_rad)
        pitch = limits.pitch.guard(limits.cut_rate(wanted.pitch_rate_rad_s), attitude.pitch_rad)
        allowed = SetRate(yaw, pitch)
        self.yaw_saturated = yaw != wanted.yaw_rate_rad_s
        self.pitch_saturated = pitch != wanted.pitch_rate_rad_s
        goal.is_looked_at = True
        is_repeat_due = now_s >= self._sent_at_s + self._traits.rate_repeat_s
        if goal.sent is not None and _same(goal.sent, allowed) and not is_repeat_due:
            return []
        goal.sent = allowed
        self._sent_at_s = now_s
        return [allowed]


def _same(a: SetRate, b: SetRate) -> bool:
    return (
        abs(a.yaw_rate_rad_s - b.yaw_rate_rad_s) < _SAME_RATE_RAD_S
        and abs(a.pitch_rate_rad_s - b.pitch_rate_rad_s) < _SAME_RATE_RAD_S
    )

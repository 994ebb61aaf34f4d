"""To and fro over a range of pan at one tilt: what moves the gimbal while no scan does."""

from __future__ import annotations

from dataclasses import dataclass

# Share of the remaining tilt error that is closed in a second; well below what a gimbal follows.
_PITCH_GAIN_PER_S = 1.0


@dataclass(frozen=True)
class Patrol:
    """The way, and which way it is gone.

    Attributes:
        yaw_min_rad, yaw_max_rad: [rad] REP 103, the first below the second.
        pitch_rad: [rad] + is nose down.
        speed_rad_s: [rad/s] > 0.
        is_going_left: towards yaw_max_rad.
    """

    yaw_min_rad: float
    yaw_max_rad: float
    pitch_rad: float
    speed_rad_s: float
    is_going_left: bool = True

    def __post_init__(self) -> None:
        if not self.yaw_min_rad < self.yaw_max_rad:
            raise ValueError(
                f"patrol from yaw {self.yaw_min_rad:g} to {self.yaw_max_rad:g} rad: "
                "the first must be below the second"
            )


def turn_at_ends(patrol: Patrol, yaw_rad: float) -> bool:
    """Whether to go left next, from where the gimbal points now."""
    if yaw_rad >= patrol.yaw_max_rad:
        return False
    if yaw_rad <= patrol.yaw_min_rad:
        return True
    return patrol.is_going_left


def patrol_rates(patrol: Patrol, pitch_rad: float) -> tuple[float, float]:
    """(yaw, pitch) rates [rad/s] that go on along the way."""
    yaw_rate = patrol.speed_rad_s if patrol.is_going_left else -patrol.speed_rad_s
    wanted = _PITCH_GAIN_PER_S * (patrol.pitch_rad - pitch_rad)
    return yaw_rate, max(-patrol.speed_rad_s, min(patrol.speed_rad_s, wanted))

"""Quaternions (w, x, y, z) of MAVLink's gimbal messages: rotation yaw, pitch, roll in FRD axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

_STRAIGHT_COSINE = 1e-3
"""Cosine of pitch, 0.06 deg from straight: nearer, yaw drowns in the rounding of the wire's float32
(6e-8 of a component, which is 1e-4 rad of yaw there)."""


def from_euler(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    """Return the quaternion of angles in radians: roll right, pitch up, yaw right positive."""
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def to_euler(q: Sequence[float]) -> tuple[float, float, float]:
    """Return (roll, pitch, yaw) in radians; the quaternion need not have length 1, but not 0.

    Straight up and down only the sum or difference of roll and yaw is told: roll is 0 there, as a
    gimbal holds it, and yaw is all of it.
    """
    norm = math.sqrt(sum(c * c for c in q))
    w, x, y, z = (c / norm for c in q)
    yaw_sine, yaw_cosine = 2 * (w * z + x * y), 1 - 2 * (y * y + z * z)
    pitch_cosine = math.hypot(yaw_sine, yaw_cosine)
    pitch = math.atan2(2 * (w * y - z * x), pitch_cosine)
    if pitch_cosine < _STRAIGHT_COSINE:
        return 0.0, pitch, math.remainder(2 * math.atan2(z, w), math.tau)
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    return roll, pitch, math.atan2(yaw_sine, yaw_cosine)

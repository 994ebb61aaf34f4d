"""Quaternions (w, x, y, z) of MAVLink's gimbal messages: rotation yaw, pitch, roll in FRD axes."""

from __future__ import annotations

import math
from collections.abc import Sequence


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
    """Return (roll, pitch, yaw) in radians; the quaternion need not have length 1, but not 0."""
    norm = math.sqrt(sum(c * c for c in q))
    w, x, y, z = (c / norm for c in q)
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return roll, pitch, yaw

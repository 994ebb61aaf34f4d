"""The order in which yaw, pitch and roll turn, per protocol: the only place that knows it.

The driver's own order is yaw, roll, pitch (312): each turns the axes of the next. Camera gimbals
are built so, `config/gimbal.urdf` chains its joints so, and it is singular only where a gimbal lies
on its side; yaw, pitch, roll (321) is singular straight down, where gimbals look.

| protocol | order on the wire | source |
|---|---|---|
| SIYI | yaw, roll, pitch (312) | the vendor's SDK manual; ArduPilot, AP_Mount_Siyi |
| Viewpro | yaw, pitch, roll (321) | ArduPilot, AP_Mount_Viewpro |
| MAVLink | none: a quaternion | gimbal protocol v2, GIMBAL_DEVICE_ATTITUDE_STATUS |

In ArduPilot it is the method get_attitude_quaternion: from_vector312, and from_euler. Without roll
the orders are the same, so set-points, which have none, need no conversion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def from_yaw_pitch_roll(
    yaw_rad: float, pitch_rad: float, roll_rad: float
) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) [rad] in the driver's order of angles in the order 321.

    Of R = Rz(yaw) Ry(pitch) Rx(roll) in the driver's order, Rz(yaw') Rx(roll') Ry(pitch'), the last
    row is (-cos roll' sin pitch', sin roll', cos roll' cos pitch'); yaw' is read off R's second
    column. The same in any axes that are turned about x by half a turn (FRD and FLU).
    """
    sin_pitch, cos_pitch = math.sin(pitch_rad), math.cos(pitch_rad)
    sin_roll, cos_roll = math.sin(roll_rad), math.cos(roll_rad)
    if sin_roll == 0.0 and cos_roll > 0.0:
        return yaw_rad, pitch_rad, roll_rad
    return (
        yaw_rad - math.atan2(sin_pitch * sin_roll, cos_roll),
        math.atan2(sin_pitch, cos_pitch * cos_roll),
        math.asin(cos_pitch * sin_roll),
    )


def from_quaternion(q: Sequence[float]) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) [rad] in the driver's order, in the axes of the quaternion.

    Args:
        q: (w, x, y, z), not of length 0.
    """
    norm = math.sqrt(sum(c * c for c in q))
    w, x, y, z = (c / norm for c in q)
    return (
        math.atan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z)),
        math.atan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y)),
        math.asin(max(-1.0, min(1.0, 2 * (y * z + w * x)))),
    )

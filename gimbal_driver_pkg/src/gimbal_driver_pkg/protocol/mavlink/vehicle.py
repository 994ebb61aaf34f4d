"""MAVLink's words about the vehicle, and the one place where its axes become those of REP 103.

| message | here |
|---|---|
| GLOBAL_POSITION_INT (33) | `VehiclePosition`: lat, lon 1e-7 deg; alt mm above the sea |
| GPS_RAW_INT (24) | `ReceiverQuality`: fix_type; h_acc, v_acc mm; alt_ellipsoid less alt mm |
| ATTITUDE_QUATERNION (31) | `VehicleAttitude`: q1..q4 = w, x, y, z turn FRD into NED; rates FRD |
| ATTITUDE (30) | the same from roll, pitch, yaw, for autopilots without 31 |

MAVLink's world is north, east, down (NED), its body forward, right, down (FRD); REP 103 has east,
north, up (ENU) and forward, left, up (FLU). Source: mavlink.io, common.xml; REP 103.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.vehicle_messages import (
    ReceiverQuality,
    VehicleAttitude,
    VehicleEvent,
    VehiclePosition,
    VehicleReport,
)

MESSAGE_IDS = {
    VehicleReport.POSITION: mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
    VehicleReport.RECEIVER: mav.MAVLINK_MSG_ID_GPS_RAW_INT,
    VehicleReport.ATTITUDE: mav.MAVLINK_MSG_ID_ATTITUDE_QUATERNION,
    VehicleReport.EULER_ATTITUDE: mav.MAVLINK_MSG_ID_ATTITUDE,
}
#: Messages that only the vehicle's own autopilot counts for.
OF_THE_AUTOPILOT = frozenset(
    {"GLOBAL_POSITION_INT", "GPS_RAW_INT", "ATTITUDE_QUATERNION", "ATTITUDE"}
)

_HALF = math.sqrt(0.5)
_UNKNOWN_MM = (0, 2**32 - 1)  # of h_acc, v_acc: left out by senders of before, or said so
_ACCURACY_MAX_M = 1e4  # a receiver that says more says nothing
_GEOID_MAX_M = 120.0  # EGM2008 goes from -107 m to 86 m


def to_vehicle_event(message: Any, now_s: float) -> VehicleEvent | None:
    """Return what a message tells of the vehicle; None where it is about something else."""
    match message.get_type():
        case "GLOBAL_POSITION_INT":
            place = message.lat / 1e7, message.lon / 1e7, message.alt / 1e3
            return VehiclePosition(now_s, *place)
        case "GPS_RAW_INT":
            return _receiver(message, now_s)
        case "ATTITUDE_QUATERNION":
            q = message.q1, message.q2, message.q3, message.q4
            return VehicleAttitude(now_s, enu_from_ned(q), _rates(message))
        case "ATTITUDE":
            angles = message.roll, message.pitch, message.yaw
            if not all(map(math.isfinite, angles)):
                angles = (math.nan,) * 3  # what is infinite has no sine
            quaternion = enu_from_ned(from_euler(*angles))
            return VehicleAttitude(now_s, quaternion, _rates(message), VehicleReport.EULER_ATTITUDE)
    return None


def enu_from_ned(q_wxyz: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the turn of FLU into ENU, as x, y, z, w, of that of FRD into NED, as w, x, y, z.

    It is q(NED into ENU) q q(FLU into FRD): half a turn about the diagonal of north and east, and
    half a turn about forward, multiplied out. Level with the nose to the north, yaw 0 in NED,
    becomes a quarter turn to the left from east.
    """
    w, x, y, z = q_wxyz
    return _HALF * (x + y), _HALF * (x - y), _HALF * (w - z), _HALF * (w + z)


def _rates(message: Any) -> tuple[float, float, float]:
    return message.rollspeed, -message.pitchspeed, -message.yawspeed


def _receiver(message: Any, now_s: float) -> ReceiverQuality:
    has_fix = message.fix_type >= mav.GPS_FIX_TYPE_2D_FIX
    geoid_m = (message.alt_ellipsoid - message.alt) / 1e3 if message.alt_ellipsoid else math.nan
    return ReceiverQuality(
        now_s,
        has_fix,
        _accuracy_m(message.h_acc),
        _accuracy_m(message.v_acc),
        geoid_m if abs(geoid_m) <= _GEOID_MAX_M else math.nan,
    )


def _accuracy_m(told_mm: int) -> float:
    accuracy_m = math.nan if told_mm in _UNKNOWN_MM else told_mm / 1e3
    return accuracy_m if accuracy_m <= _ACCURACY_MAX_M else math.nan

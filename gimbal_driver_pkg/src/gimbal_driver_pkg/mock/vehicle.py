"""The vehicle that carries the mock gimbal: where it is, and its autopilot's words about it. Pure.

As real ones do, the autopilot tells nothing of it until it is asked (SET_MESSAGE_INTERVAL), and
before its receiver has a fix it says 0, 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from ros_support_pkg.core.ranges import check_range

AUTOPILOT = 1
_RANGES = {
    "latitude_deg": (-90.0, 90.0),
    "longitude_deg": (-180.0, 180.0),
    "altitude_m": (-1000.0, 100_000.0),
    "heading_deg": (-360.0, 360.0),
    "roll_deg": (-180.0, 180.0),
    "pitch_deg": (-90.0, 90.0),
    "geoid_height_m": (-120.0, 120.0),
    "fix_type": (0, 8),
    "accuracy_m": (0.0, 1000.0),
}


@dataclass(frozen=True)
class MockVehicle:
    """Where it is.

    Attributes:
        altitude_m: above the ellipsoid; the autopilot tells it above the sea, too.
        heading_deg: from north by east.
        roll_deg, pitch_deg: right side down, nose up.
        geoid_height_m: sea level above the ellipsoid.
        fix_type: of GPS_RAW_INT; below 2 it has no fix.
        accuracy_m: horizontal; vertical it is twice that. 0: the receiver does not tell.
        has_quaternion: it tells the attitude as a quaternion, not as angles only.

    Raises:
        InvalidValueError: on construction, if a value is out of its range.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    heading_deg: float = 90.0
    roll_deg: float = 0.0
    pitch_deg: float = 0.0
    geoid_height_m: float = 47.0
    fix_type: int = 3
    accuracy_m: float = 1.5
    has_quaternion: bool = True

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high, error=InvalidValueError)

    @classmethod
    def parse(cls, text: str) -> MockVehicle:
        """Return the vehicle of "latitude,longitude,altitude[,heading]".

        Raises:
            InvalidValueError: it is not that.
        """
        try:
            numbers = [float(part) for part in text.split(",")]
            if not 3 <= len(numbers) <= 4:
                raise ValueError
        except ValueError:
            raise InvalidValueError(
                f"vehicle: {text!r}, allowed is LATITUDE,LONGITUDE,ALTITUDE[,HEADING] "
                "[deg, deg, m above the ellipsoid, deg]"
            ) from None
        latitude, longitude, altitude, heading = (*numbers, cls.heading_deg)[:4]
        return cls(latitude, longitude, altitude, heading)

    def changed(self, changes: Any) -> MockVehicle:
        """Return it with some values changed.

        Raises:
            InvalidValueError: a name or a value is none of its.
        """
        known = {field.name for field in fields(self)}
        for name, value in dict(changes).items():
            if name not in known or not isinstance(value, bool | int | float):
                raise InvalidValueError(f"vehicle: {name}: {value!r}, allowed are {sorted(known)}")
        return replace(self, **changes)

    def message(self, message_id: object, boot_ms: int) -> Any | None:
        """Return what the autopilot says under this id; None where that is nothing."""
        angles = (math.radians(self.roll_deg), math.radians(self.pitch_deg))
        yaw_rad = math.remainder(math.radians(self.heading_deg), math.tau)
        sea_mm = round((self.altitude_m - self.geoid_height_m) * 1e3)
        place = (round(self.latitude_deg * 1e7), round(self.longitude_deg * 1e7))
        match message_id:
            case mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT:
                heading = round(self.heading_deg % 360.0 * 100)
                if self.fix_type < mav.GPS_FIX_TYPE_2D_FIX:
                    place, sea_mm = (0, 0), 0
                return mav.MAVLink_global_position_int_message(
                    boot_ms, *place, sea_mm, 0, 0, 0, 0, heading
                )
            case mav.MAVLINK_MSG_ID_GPS_RAW_INT:
                return self._receiver(boot_ms, place, sea_mm)
            case mav.MAVLINK_MSG_ID_ATTITUDE_QUATERNION if self.has_quaternion:
                q = from_euler(*angles, yaw_rad)
                return mav.MAVLink_attitude_quaternion_message(boot_ms, *q, 0.0, 0.0, 0.0)
            case mav.MAVLINK_MSG_ID_ATTITUDE:
                return mav.MAVLink_attitude_message(boot_ms, *angles, yaw_rad, 0.0, 0.0, 0.0)
        return None

    def _receiver(self, boot_ms: int, place: tuple[int, int], sea_mm: int) -> Any:
        has_fix = self.fix_type >= mav.GPS_FIX_TYPE_2D_FIX
        accuracy_mm = round(self.accuracy_m * 1e3)
        return mav.MAVLink_gps_raw_int_message(
            boot_ms * 1000,
            self.fix_type,
            *(place if has_fix else (0, 0)),
            sea_mm if has_fix else 0,
            *(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
            12 if has_fix else 0,
            alt_ellipsoid=round(self.altitude_m * 1e3) if has_fix else 0,
            h_acc=accuracy_mm,
            v_acc=2 * accuracy_mm,
        )

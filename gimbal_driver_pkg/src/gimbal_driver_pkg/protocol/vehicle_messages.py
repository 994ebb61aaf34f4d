"""What an autopilot tells of its vehicle, and how it is asked to.

Axes are those of REP 103: the world is east, north, up, the body is forward, left, up. `stamp_s` is
when the bytes were read, on the driver's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from gimbal_driver_pkg.errors import InvalidValueError
from ros_support_pkg.core.ranges import check_range

NAN = float("nan")


class VehicleReport(Enum):
    """What can be asked for again and again."""

    POSITION = "position"
    RECEIVER = "receiver"
    ATTITUDE = "attitude"
    EULER_ATTITUDE = "euler attitude"
    """For autopilots that have no quaternion."""


@dataclass(frozen=True)
class StreamVehicle:
    """Ask the autopilot for a report, about `rate_hz` times a second."""

    report: VehicleReport
    rate_hz: float

    def __post_init__(self) -> None:
        check_range("rate_hz", self.rate_hz, 0.1, 200.0, error=InvalidValueError)


class VehiclePosition(NamedTuple):
    """Where it takes itself to be, WGS 84; the altitude counts from the sea."""

    stamp_s: float
    latitude_deg: float
    longitude_deg: float
    altitude_msl_m: float


class ReceiverQuality(NamedTuple):
    """What its satellite receiver says; NaN where it does not.

    Attributes:
        sigma_horizontal_m, sigma_vertical_m: the receiver's own estimates.
        geoid_height_m: sea level above the ellipsoid there.
    """

    stamp_s: float
    has_fix: bool
    sigma_horizontal_m: float = NAN
    sigma_vertical_m: float = NAN
    geoid_height_m: float = NAN


class VehicleAttitude(NamedTuple):
    """How the body lies: the quaternion turns it into the world, the rates are the body's.

    Attributes:
        report: which message it is from.
    """

    stamp_s: float
    quaternion_xyzw: tuple[float, float, float, float]
    rates_rad_s: tuple[float, float, float]
    report: VehicleReport = VehicleReport.ATTITUDE


VehicleEvent = VehiclePosition | ReceiverQuality | VehicleAttitude

"""Where the vehicle is, from what its autopilot tells: asked for, believed or not, fresh or not.

Pure: events and times come in as arguments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gimbal_driver_pkg.core.settings import VehicleSettings
from gimbal_driver_pkg.protocol.messages import Event
from gimbal_driver_pkg.protocol.vehicle_messages import (
    ReceiverQuality,
    StreamVehicle,
    VehicleAttitude,
    VehiclePosition,
    VehicleReport,
)

_RENEW_S = 3.0
"""[s] Between two looks at which reports come: autopilots that restarted have forgotten."""
_ENOUGH = 0.5
"""A report that comes with less of its rate is asked for again."""
_RECEIVER_HZ = 2.0
_RECEIVER_FRESH_S = 3.0
_FALLBACK_S = 1.0
"""[s] After a quaternion, for which angles do not count."""
_ALTITUDE_MAX_M = 1e5
_LENGTH_TOLERANCE = 0.1

HEADING, FULL = "heading", "full"


class VehicleFix(NamedTuple):
    """Where the vehicle is, or that nobody knows; NaN stands for what is not known.

    Attributes:
        altitude_m: above the ellipsoid, as far as the geoid's height is known.
        sigma_horizontal_m, sigma_vertical_m: as the receiver estimates them.
    """

    stamp_s: float
    latitude_deg: float = math.nan
    longitude_deg: float = math.nan
    altitude_m: float = math.nan
    sigma_horizontal_m: float = math.nan
    sigma_vertical_m: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there is a position."""
        return math.isfinite(self.latitude_deg)


class VehicleWatch:
    """Takes what the autopilot tells; says what is to be asked of it."""

    def __init__(self, settings: VehicleSettings) -> None:
        """Begin without a line."""
        self.unbelievable = 0
        """Readings that cannot be true."""
        self._settings = settings
        self._fix: VehicleFix | None = None
        self._attitude: VehicleAttitude | None = None
        self._receiver: ReceiverQuality | None = None
        self._geoid_height_m = math.nan
        self._counts = dict.fromkeys(VehicleReport, 0)
        self._renewed_s = -math.inf
        self._due_s = math.inf
        self._why_none = "nothing has come from the autopilot"

    def restart(self, now_s: float) -> None:
        """Begin on a new line."""
        self._renewed_s, self._due_s = -math.inf, now_s

    def pause(self) -> None:
        """Ask for nothing: there is no line."""
        self._due_s = math.inf

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        return self._due_s

    def commands(self, now_s: float) -> list[StreamVehicle]:
        """Return what has to be asked now: each report at first, then those that do not come."""
        if now_s < self._due_s:
            return []
        is_first = self._renewed_s == -math.inf
        passed_s = now_s - self._renewed_s
        rate_hz = self._settings.vehicle_rate_hz
        rates_hz = {
            VehicleReport.POSITION: rate_hz,
            VehicleReport.RECEIVER: min(rate_hz, _RECEIVER_HZ),
            VehicleReport.ATTITUDE: rate_hz,
        }
        if not is_first and not self._counts[VehicleReport.ATTITUDE]:
            rates_hz[VehicleReport.EULER_ATTITUDE] = rate_hz
        wanted = [
            StreamVehicle(report, hz)
            for report, hz in rates_hz.items()
            if is_first or self._counts[report] < _ENOUGH * hz * passed_s
        ]
        self._counts = dict.fromkeys(VehicleReport, 0)
        self._renewed_s, self._due_s = now_s, now_s + _RENEW_S
        return wanted

    def take(self, event: Event) -> None:
        """Take what came; what is not about the vehicle is not for us."""
        match event:
            case VehiclePosition():
                self._counts[VehicleReport.POSITION] += 1
                self._take_position(event)
            case ReceiverQuality():
                self._counts[VehicleReport.RECEIVER] += 1
                self._receiver = event
                if math.isfinite(event.geoid_height_m):
                    self._geoid_height_m = event.geoid_height_m
            case VehicleAttitude():
                self._counts[event.report] += 1
                self._take_attitude(event)

    def fix(self, now_s: float) -> VehicleFix | None:
        """Return the newest; one that is too old becomes one that says so; None: never any."""
        fix = self._fix
        if fix is not None and fix.is_known and self._is_old(fix.stamp_s, now_s):
            self._fix = fix = VehicleFix(now_s)
            self._why_none = "no position comes from the autopilot any more"
        return fix

    def attitude(self, now_s: float) -> VehicleAttitude | None:
        """Return the newest, heading only where that is set; None: there is none of now."""
        attitude = self._attitude
        if attitude is None or self._is_old(attitude.stamp_s, now_s):
            return None
        return attitude

    def problems(self, now_s: float) -> tuple[str, ...]:
        """Return what is missing, a line each."""
        fix = self.fix(now_s)
        problems = []
        if fix is None or not fix.is_known:
            problems.append(f"the vehicle's position is not known: {self._why_none}")
        elif math.isnan(self._geoid_m()):
            problems.append(
                "heights count from the sea, not from the ellipsoid: the autopilot does not tell "
                "the difference; set vehicle_geoid_height_m"
            )
        if self.attitude(now_s) is None:
            problems.append("the vehicle's attitude is not known: none comes from the autopilot")
        return tuple(problems)

    def figures(self, now_s: float) -> dict[str, object]:
        """Return ages [s] and what was counted."""
        fix, attitude = self.fix(now_s), self._attitude
        is_known = fix is not None and fix.is_known
        position_age_s = now_s - fix.stamp_s if fix is not None and is_known else math.inf
        attitude_age_s = math.inf if attitude is None else now_s - attitude.stamp_s
        return {
            "position_age_s": f"{position_age_s:.3f}",
            "attitude_age_s": f"{attitude_age_s:.3f}",
            "unbelievable_vehicle_readings": self.unbelievable,
        }

    def _take_position(self, told: VehiclePosition) -> None:
        is_on_earth = abs(told.latitude_deg) <= 90.0 and abs(told.longitude_deg) <= 180.0
        if not (is_on_earth and abs(told.altitude_msl_m) <= _ALTITUDE_MAX_M):
            self.unbelievable += 1
            return
        receiver = self._receiver
        if receiver is not None and told.stamp_s - receiver.stamp_s > _RECEIVER_FRESH_S:
            receiver = None
        if receiver is not None and not receiver.has_fix:
            self._lose(told.stamp_s, "its receiver has no fix")
            return
        if receiver is None and told.latitude_deg == told.longitude_deg == 0.0:
            self._lose(told.stamp_s, "it says 0, 0, as autopilots do before the first fix")
            return
        known = receiver or ReceiverQuality(told.stamp_s, True)
        geoid_m = self._geoid_m()
        self._fix = VehicleFix(
            told.stamp_s,
            told.latitude_deg,
            told.longitude_deg,
            told.altitude_msl_m + (0.0 if math.isnan(geoid_m) else geoid_m),
            known.sigma_horizontal_m,
            known.sigma_vertical_m,
        )

    def _lose(self, stamp_s: float, why: str) -> None:
        self._fix, self._why_none = VehicleFix(stamp_s), why

    def _geoid_m(self) -> float:
        told = self._geoid_height_m
        return self._settings.vehicle_geoid_height_m if math.isnan(told) else told

    def _take_attitude(self, told: VehicleAttitude) -> None:
        length = math.sqrt(sum(c * c for c in told.quaternion_xyzw))
        if not abs(length - 1.0) <= _LENGTH_TOLERANCE:
            self.unbelievable += 1
            return
        before = self._attitude
        if (
            told.report is VehicleReport.EULER_ATTITUDE
            and before is not None
            and before.report is VehicleReport.ATTITUDE
            and told.stamp_s - before.stamp_s <= _FALLBACK_S
        ):
            return
        x, y, z, w = (c / length for c in told.quaternion_xyzw)
        rates = tuple(rate if math.isfinite(rate) else math.nan for rate in told.rates_rad_s)
        if self._settings.vehicle_attitude == HEADING:
            yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
            x, y, z, w = 0.0, 0.0, math.sin(yaw / 2.0), math.cos(yaw / 2.0)
            rates = 0.0, 0.0, rates[2]
        self._attitude = VehicleAttitude(
            told.stamp_s, (x, y, z, w), (rates[0], rates[1], rates[2]), told.report
        )

    def _is_old(self, stamp_s: float, now_s: float) -> bool:
        return now_s - stamp_s > self._settings.vehicle_timeout_s

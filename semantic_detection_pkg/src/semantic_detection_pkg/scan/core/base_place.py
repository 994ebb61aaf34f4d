"""Where the gimbal's base was when a mission was interrupted, and whether it is still there.

Bearings count from the base. Elsewhere, or turned, what was seen and found is somewhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix

_METRES_PER_DEG = 111_320.0  # of latitude; good to 1 %, which is enough here
_MOVED_M = 5.0
_TURNED_RAD = math.radians(5.0)
_SIGMAS = 3.0


@dataclass(frozen=True)
class BasePlace:
    """The newest fix and attitude of before; None: it was not known, or is compared already."""

    fix: Fix | None = None
    attitude: BaseAttitude | None = None

    def renewed(self, fix: Fix | None, attitude: BaseAttitude | None) -> BasePlace:
        """Return the place by what is known now; what is not known yet is as it was."""
        return BasePlace(fix or self.fix, attitude or self.attitude)

    def compare(self, now: Fix | BaseAttitude) -> tuple[BasePlace, str]:
        """Return what is left to compare, and how the base has moved; empty: it has not."""
        if isinstance(now, Fix):
            moved = "" if self.fix is None else _moved(self.fix, now)
            return replace(self, fix=None), moved
        turned = "" if self.attitude is None else _turned(self.attitude, now)
        return replace(self, attitude=None), turned


def distance_m(before: Fix, now: Fix) -> float:
    """Return how far apart two places are on the map, which are near each other. [m]"""
    north_m = (now.latitude_deg - before.latitude_deg) * _METRES_PER_DEG
    turn_deg = math.remainder(now.longitude_deg - before.longitude_deg, 360.0)
    east_m = turn_deg * _METRES_PER_DEG * math.cos(math.radians(before.latitude_deg))
    return math.hypot(north_m, east_m)


def _moved(before: Fix, now: Fix) -> str:
    moved_m = distance_m(before, now)
    doubt_m = _SIGMAS * math.hypot(before.sigma_horizontal_m, now.sigma_horizontal_m)
    if moved_m <= _MOVED_M + doubt_m:
        return ""
    return f"the base has moved by {moved_m:.0f} m"


def _turned(before: BaseAttitude, now: BaseAttitude) -> str:
    # The angle of the turn between two unit quaternions is 2 acos |their scalar product|.
    cosine = abs(
        sum(a * b for a, b in zip(before.quaternion_xyzw, now.quaternion_xyzw, strict=True))
    )
    turn_rad = 2.0 * math.acos(min(cosine, 1.0))
    if turn_rad <= _TURNED_RAD + _SIGMAS * math.hypot(before.sigma_rad, now.sigma_rad):
        return ""
    return f"the base has turned by {math.degrees(turn_rad):.0f} deg"

"""Where recorded pictures looked and from where, as far as a recording tells it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain

T = TypeVar("T")

_FOREVER_NS = 1 << 62
#: Horizontal field of view of a lens that nobody knows.
UNKNOWN_HFOV_RAD = math.radians(60.0)


class Timeline(Generic[T]):
    """What held from when on; added in the order of time, what falls behind is out of order."""

    def __init__(self, longest_ns: int = _FOREVER_NS) -> None:
        """Begin empty; a value says nothing of times farther from its own than `longest_ns`."""
        self._longest_ns = longest_ns
        self._times: list[int] = []
        self._values: list[T | None] = []

    def add(self, time_ns: int, value: T | None) -> None:
        """Take the next one; None: from then on nothing holds."""
        if self._times and time_ns < self._times[-1]:
            at = bisect_right(self._times, time_ns)
            self._times.insert(at, time_ns)
            self._values.insert(at, value)
            return
        self._times.append(time_ns)
        self._values.append(value)

    def at(self, time_ns: int) -> T | None:
        """Return what held then: the newest of before, else the first; None: not near enough."""
        if not self._times:
            return None
        index = max(bisect_right(self._times, time_ns) - 1, 0)
        is_near = abs(time_ns - self._times[index]) <= self._longest_ns
        return self._values[index] if is_near else None


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What goes with the pictures of one camera of a recording.

    Attributes:
        is_still: the pictures do not follow each other as those of a video do.
        hfov_rad: of the lens where no pose tells it.
        poses: by stamp of the picture, as they were published with it.
        history: of the gimbal's readings; None: there are none.
        zoom_max: greatest zoom of the gimbal; 1 where there is none, so nothing shows any larger.
        fixes, attitudes, settings, terrains: from when on; of the settings the scan's own.
        grounds: height of the ground above the ellipsoid [m], where a recording tells it.
        reach_m: how far from the camera, 1 sigma, a thing is that only the camera's place is known
            of; NaN: such a thing gets no position.
    """

    is_still: bool = False
    hfov_rad: float = UNKNOWN_HFOV_RAD
    poses: Mapping[int, Pose] = field(default_factory=dict)
    history: PoseHistory[Pose] | None = None
    zoom_max: float = 1.0
    fixes: Timeline[Fix] = field(default_factory=Timeline)
    attitudes: Timeline[BaseAttitude] = field(default_factory=Timeline)
    settings: Timeline[ScanSettings] = field(default_factory=Timeline)
    terrains: Timeline[Terrain] = field(default_factory=Timeline)
    grounds: Timeline[float] = field(default_factory=Timeline)
    reach_m: float = math.nan

    @property
    def has_bearings(self) -> bool:
        """Whether pictures have bearings from a base; else angles are the picture's own."""
        return bool(self.poses) or self.history is not None

    def pose_at(self, stamp_ns: int, delay_s: float = 0.0) -> Pose | None:
        """Return where a picture looked; None: nobody knows.

        As in a mission: the pose that was published with it, unless pictures are out of step.
        """
        if not self.has_bearings:
            return Pose(stamp_ns, 0.0, 0.0, hfov_rad=self.hfov_rad)
        published = self.poses.get(stamp_ns)
        if published is not None and delay_s == 0.0:
            return published
        if self.history is None:
            return None
        return self.history.at(stamp_ns + round(delay_s * 1e9))

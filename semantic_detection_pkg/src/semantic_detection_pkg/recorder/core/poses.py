"""Where the gimbal pointed when a frame was captured: for the table of detections."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Pose:
    """The gimbal at one time: angles and field of view in radians; NaN where unknown."""

    stamp_ns: int
    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    hfov_rad: float


class PoseHistory:
    """The newest poses; between two of them the angles are interpolated."""

    def __init__(self, gap_s: float = 0.5, most: int = 1000) -> None:
        """An empty history.

        Args:
            gap_s: [s] wider gaps between two poses are not bridged, nor is a pose held longer.
            most: poses kept.
        """
        self._gap_ns = int(gap_s * _NS_PER_S)
        self._poses: deque[Pose] = deque(maxlen=most)

    def add(self, pose: Pose) -> None:
        """Append a pose; one not newer than the last is ignored."""
        if not self._poses or pose.stamp_ns > self._poses[-1].stamp_ns:
            self._poses.append(pose)

    def at(self, stamp_ns: int) -> Pose | None:
        """The pose at a time; None where none is near enough.

        After the newest pose that one holds: the next has not come yet.
        """
        after = bisect_left(self._poses, stamp_ns, key=lambda pose: pose.stamp_ns)
        if after == len(self._poses):
            newest = self._poses[-1] if self._poses else None
            return newest if newest and stamp_ns - newest.stamp_ns <= self._gap_ns else None
        if self._poses[after].stamp_ns == stamp_ns:
            return self._poses[after]
        if after == 0:
            return None
        first, last = self._poses[after - 1], self._poses[after]
        if last.stamp_ns - first.stamp_ns > self._gap_ns:
            return None
        share = (stamp_ns - first.stamp_ns) / (last.stamp_ns - first.stamp_ns)
        return Pose(
            stamp_ns,
            _between(first.yaw_rad, last.yaw_rad, share),
            _between(first.pitch_rad, last.pitch_rad, share),
            _between(first.roll_rad, last.roll_rad, share),
            first.hfov_rad + share * (last.hfov_rad - first.hfov_rad),
        )


def _between(first_rad: float, last_rad: float, share: float) -> float:
    """Along the shorter way round."""
    return first_rad + share * math.remainder(last_rad - first_rad, math.tau)

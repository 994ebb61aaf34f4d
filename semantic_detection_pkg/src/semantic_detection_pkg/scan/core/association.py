"""When two bearings of one class are one thing."""

from __future__ import annotations

import math
from typing import Protocol

from semantic_detection_pkg.scan.core.settings import CandidateSettings
from semantic_detection_pkg.scan.core.tracking.track import Track


class Located(Protocol):
    """A thing with a class, a bearing and a size [rad]."""

    @property
    def class_name(self) -> str: ...
    @property
    def yaw_rad(self) -> float: ...
    @property
    def pitch_rad(self) -> float: ...
    @property
    def width_rad(self) -> float: ...
    @property
    def height_rad(self) -> float: ...


def distance_rad(first: Located, second: Located) -> float:
    """Angle between two bearings, for small ones."""
    turn = math.remainder(first.yaw_rad - second.yaw_rad, math.tau) * math.cos(first.pitch_rad)
    return math.hypot(turn, first.pitch_rad - second.pitch_rad)


def is_same_thing(settings: CandidateSettings, first: Located, second: Located) -> bool:
    """Whether two of one class are one thing: their middles are near, or one is part of the other.

    Each axis counts by itself: footpaths are long and flat, and lie one above the other.
    """
    if first.class_name != second.class_name:
        return False
    turn = math.remainder(first.yaw_rad - second.yaw_rad, math.tau) * math.cos(first.pitch_rad)
    axes = (
        (abs(turn), first.width_rad, second.width_rad),
        (abs(first.pitch_rad - second.pitch_rad), first.height_rad, second.height_rad),
    )
    near = (
        apart <= max(settings.same_rad, settings.same_sizes * (one + other) / 2.0)
        for apart, one, other in axes
    )
    shares = (_share_of_smaller(*axis) for axis in axes)
    return all(near) or math.prod(shares) >= settings.same_part


def may_be_it(settings: CandidateSettings, known: Track, seen: Track) -> bool:
    """Whether what is seen now may be what was last seen a while ago: things stroll."""
    if is_same_thing(settings, known, seen):
        return True
    unseen_s = (seen.last_seen_ns - known.last_seen_ns) * 1e-9
    reach_rad = min(settings.stroll_rad, settings.stroll_rad_s * unseen_s)
    return known.class_name == seen.class_name and distance_rad(known, seen) <= reach_rad


def _share_of_smaller(apart_rad: float, one_rad: float, other_rad: float) -> float:
    """0..1, how much of the shorter of two ranges lies within the other."""
    smaller = min(one_rad, other_rad)
    common = min(smaller, (one_rad + other_rad) / 2.0 - apart_rad)
    return max(0.0, common) / smaller if smaller > 0.0 else 0.0

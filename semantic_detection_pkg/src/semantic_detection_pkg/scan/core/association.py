"""When two bearings of one class are one thing.

Two rules: association, for bearings of the same moment, and a gate that grows with the time in
which a thing was not seen (gating as trackers have it: Y. Bar-Shalom and T. Fortmann, "Tracking and
Data Association", 1988; here with a bound on the speed in place of a covariance).
"""

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


def angular_distance_rad(first: Located, second: Located) -> float:
    """Return the angle between two bearings that are near each other. [rad]"""
    turn = math.remainder(first.yaw_rad - second.yaw_rad, math.tau) * math.cos(first.pitch_rad)
    return math.hypot(turn, first.pitch_rad - second.pitch_rad)


def is_same_object(settings: CandidateSettings, first: Located, second: Located) -> bool:
    """Return whether two of one class are one thing: near each other, or one part of the other."""
    return first.class_name == second.class_name and is_same_place(settings, first, second)


def is_same_place(settings: CandidateSettings, first: Located, second: Located) -> bool:
    """Return whether two are near each other, or one is part of the other, whatever they are.

    Each axis counts by itself: footpaths are long and flat, and lie one above the other.
    """
    turn = math.remainder(first.yaw_rad - second.yaw_rad, math.tau) * math.cos(first.pitch_rad)
    across = abs(turn), first.width_rad, second.width_rad
    along = abs(first.pitch_rad - second.pitch_rad), first.height_rad, second.height_rad
    if _is_near(settings, *across) and _is_near(settings, *along):
        return True
    share = _share_of_smaller(*across) * _share_of_smaller(*along)
    return share >= settings.association_min_overlap


def is_within_gate(settings: CandidateSettings, known: Track, seen: Track) -> bool:
    """Return whether `seen` may be what was last seen a while ago: things walk on unseen.

    What was there already when the known one was last seen, beside it, is another one.
    """
    if known.class_name != seen.class_name:
        return False
    if is_same_place(settings, known, seen):
        return True
    if settings.known_by_sight and seen.first_seen_ns < known.last_seen_ns:
        return False
    unseen_s = (seen.last_seen_ns - known.last_seen_ns) * 1e-9
    reach_rad = min(settings.gating_max_rad, settings.gating_rate_rad_s * unseen_s)
    return angular_distance_rad(known, seen) <= reach_rad


def _is_near(
    settings: CandidateSettings, apart_rad: float, one_rad: float, other_rad: float
) -> bool:
    """Return whether two are near each other along an axis, for their sizes along it."""
    sizes_rad = settings.association_gate_sizes * (one_rad + other_rad) / 2.0
    return apart_rad <= max(settings.association_gate_rad, sizes_rad)


def _share_of_smaller(apart_rad: float, one_rad: float, other_rad: float) -> float:
    """Return how much of the shorter of two ranges lies within the other, 0..1."""
    smaller = min(one_rad, other_rad)
    common = min(smaller, (one_rad + other_rad) / 2.0 - apart_rad)
    return max(0.0, common) / smaller if smaller > 0.0 else 0.0

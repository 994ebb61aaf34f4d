"""What a scan covers, and how far and how fast the gimbal can turn to cover it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.errors import ConfigurationError

Bearing = tuple[float, float]
"""(yaw, pitch) [rad] REP 103: yaw + is left, pitch + is nose down."""

Range = tuple[float, float]
"""(least, greatest) [rad]."""

#: Of one goal. Each is told again with every state, and journalled: more would hold up the scan.
MAX_BEARINGS = 5000

_LEAST_SPAN_RAD = math.radians(0.01)  # a narrower range is a slip of the pen
_MORE_THAN_A_TURN_RAD = math.radians(400.0)
_ROUNDING_RAD = 1e-9  # lost by turning an angle round


@dataclass(frozen=True)
class Area:
    """A range of yaw and pitch, or bearings to visit.

    Attributes:
        yaw_min_rad, yaw_max_rad: [rad] the first below the second, at most a turn apart; an area
            across straight behind goes beyond pi.
        pitch_min_rad, pitch_max_rad: [rad] the first below the second, -pi/2..pi/2.
        bearings: what to visit; empty: the ranges. Where there are some the ranges say nothing.

    Whoever makes one from outside has it checked by `check_area` or `cut_to_limits`.
    """

    yaw_min_rad: float = 0.0
    yaw_max_rad: float = 0.0
    pitch_min_rad: float = 0.0
    pitch_max_rad: float = 0.0
    bearings: tuple[Bearing, ...] = ()


def is_within(area: Area, bearing: Bearing, margin_rad: float) -> bool:
    """Return whether a bearing is in the ranges of an area or near them; for bearings: always."""
    if area.bearings:
        return True
    middle = (area.yaw_min_rad + area.yaw_max_rad) / 2.0
    turn = abs(math.remainder(bearing[0] - middle, math.tau))
    return (
        turn <= area.yaw_max_rad - middle + margin_rad
        and area.pitch_min_rad - margin_rad <= bearing[1] <= area.pitch_max_rad + margin_rad
    )


def check_bearing_count(count: int) -> None:
    """Check that a goal has no more bearings than a scan can do with.

    Raises:
        ConfigurationError: it has.
    """
    if count > MAX_BEARINGS:
        raise ConfigurationError(
            f"area: {count} bearings are too many, at most {MAX_BEARINGS}; an area of yaw and "
            "pitch may be of any size"
        )


def check_area(area: Area) -> None:
    """Check that an area makes sense.

    Raises:
        ConfigurationError: its values contradict each other; the line says which.
    """
    if area.bearings:
        check_bearing_count(len(area.bearings))
        for yaw, pitch in area.bearings:
            if not (math.isfinite(yaw) and abs(pitch) <= math.pi / 2):
                raise ConfigurationError(
                    f"area: bearing yaw {math.degrees(yaw):.4g}, pitch {math.degrees(pitch):.4g} "
                    "deg: both must be finite, pitch in -90..90"
                )
        return
    _check_range("yaw", area.yaw_min_rad, area.yaw_max_rad, math.tau)
    _check_range("pitch", area.pitch_min_rad, area.pitch_max_rad, math.pi)
    if max(abs(area.pitch_min_rad), abs(area.pitch_max_rad)) > math.pi / 2 + 1e-9:
        raise ConfigurationError(
            f"area: pitch {_degrees(area.pitch_min_rad, area.pitch_max_rad)} "
            "must lie in -90..90 deg"
        )


@dataclass(frozen=True)
class GimbalLimits:
    """How far and how fast the gimbal may turn.

    Attributes:
        yaw_rad, pitch_rad: (least, greatest) [rad].
        is_endless: yaw goes round; `yaw_rad` then says nothing, unless it is more than a turn: an
            axis that comes to all bearings but has ends (ZR30, 536 deg).
        rate_rad_s: greatest rate of an axis [rad/s], > 0.
        acceleration_rad_s2: how fast an axis gets and loses its rate [rad/s^2], > 0; a cautious
            figure makes it brake early, one that is too great makes it overshoot.
    """

    yaw_rad: tuple[float, float] = (-math.pi, math.pi)
    pitch_rad: tuple[float, float] = (-math.pi / 2, math.pi / 2)
    is_endless: bool = False
    rate_rad_s: float = math.radians(90.0)
    acceleration_rad_s2: float = math.radians(600.0)

    def __post_init__(self) -> None:
        for name, (low, high) in (("yaw", self.yaw_rad), ("pitch", self.pitch_rad)):
            if not low <= high:
                raise ConfigurationError(
                    f"gimbal limits: {name} {_degrees(low, high)}: the first must be the lesser"
                )
        for name in ("rate_rad_s", "acceleration_rad_s2"):
            check_range(name, getattr(self, name), above=0.0, error=ConfigurationError)

    @property
    def has_ends(self) -> bool:
        """Whether yaw stops somewhere, and `yaw_rad` says where."""
        return not self.is_endless or _span(self.yaw_rad) > _MORE_THAN_A_TURN_RAD

    def nearest(self, bearing: Bearing) -> Bearing:
        """Return the bearing itself, or the nearest that the gimbal can point at."""
        yaw, pitch = bearing
        if not self.is_endless:
            yaw = min(max(yaw, self.yaw_rad[0]), self.yaw_rad[1])
        return yaw, min(max(pitch, self.pitch_rad[0]), self.pitch_rad[1])

    def turn(self, from_yaw_rad: float, to_yaw_rad: float) -> float:
        """Return the signed yaw [rad] to turn by; an endless axis takes the short way."""
        if self.is_endless:
            return math.remainder(to_yaw_rad - from_yaw_rad, math.tau)
        return to_yaw_rad - from_yaw_rad


def cut_to_limits(area: Area, limits: GimbalLimits) -> tuple[Area, str]:
    """Return the part of an area that the gimbal can point at, and a sentence on what was cut.

    Yaw counts modulo a turn: 300..360 deg is -60..0 deg to a gimbal that turns from -133 to 133.
    What cannot be pointed at cannot be looked at closely, so it is not covered either, even where
    the edge of a picture would still show it.

    Returns:
        The area in the turns that the gimbal has; the sentence is empty where nothing was cut.

    Raises:
        ConfigurationError: the area makes no sense (see `check_area`), or nothing of it is left.
    """
    check_area(area)
    if area.bearings:
        return _cut_bearings(area, limits)
    yaw = (area.yaw_min_rad, area.yaw_max_rad)
    pitch = (area.pitch_min_rad, area.pitch_max_rad)
    yaw_in_reach, left_out = _yaw_in_reach(yaw, limits)
    pitch_in_reach = _common(pitch, limits.pitch_rad)
    told = []
    for name, asked, cut, limit in (
        ("yaw", yaw, yaw_in_reach, limits.yaw_rad),
        ("pitch", pitch, pitch_in_reach, limits.pitch_rad),
    ):
        if cut[1] - cut[0] < _LEAST_SPAN_RAD:
            raise ConfigurationError(
                f"area: {name} {_degrees(*asked)} lies outside the gimbal's limits "
                f"{_degrees(*limit)}"
            )
        if cut[1] - cut[0] < asked[1] - asked[0] - _ROUNDING_RAD:
            told.append(f"{name} {_degrees(*asked)} to {_degrees(*cut)}")
    cut_area = Area(*yaw_in_reach, *pitch_in_reach)
    if not told:
        return cut_area, ""
    return cut_area, f"area cut to the gimbal's limits: {' and '.join(told)}{left_out}"


def _yaw_in_reach(asked: Range, limits: GimbalLimits) -> tuple[Range, str]:
    """Return the yaw of an area in the gimbal's turns, and what else is in reach but apart.

    A gimbal that cannot look behind cuts an area there into two. One range is swept, so both are
    covered, with what lies between, where that is less than what would be lost; else the wider one.
    """
    low, high = limits.yaw_rad
    if not limits.has_ends:
        middle = sum(asked) / 2.0
        return _turned(asked, round((math.remainder(middle, math.tau) - middle) / math.tau)), ""
    centre = (low + high) / 2.0
    span = asked[1] - asked[0]
    pieces = [
        piece
        for turns in _turns_between(low - asked[1], high - asked[0])
        if _span(piece := _common(_turned(asked, turns), limits.yaw_rad)) >= _LEAST_SPAN_RAD
    ]
    if not pieces:
        return (asked[0], asked[0]), ""
    whole = [piece for piece in pieces if _span(piece) >= span - _ROUNDING_RAD]
    if asked in whole:
        return asked, ""
    all_round = max(low, centre - math.pi), min(high, centre + math.pi)
    if span >= math.tau - _LEAST_SPAN_RAD:  # any turn of the gimbal will do
        return all_round, ""
    if whole:
        return min(whole, key=lambda piece: abs(sum(piece) / 2.0 - centre)), ""
    ordered = sorted(pieces, key=lambda piece: (-_span(piece), piece))
    if len(ordered) == 1:
        return ordered[0], ""
    widest, second = ordered[:2]
    first, last = sorted((widest, second))
    if last[0] - first[1] < _span(second):
        return min((first[0], last[1]), all_round, key=_span), ""
    return widest, f"; yaw {_degrees(*second)} is in reach, too, but apart: it needs its own goal"


def _cut_bearings(area: Area, limits: GimbalLimits) -> tuple[Area, str]:
    turned = [_bearing_in_reach(one, limits) for one in area.bearings]
    kept = tuple(one for one in turned if one is not None)
    lost = [asked for asked, one in zip(area.bearings, turned, strict=True) if one is None]
    if not kept:
        raise ConfigurationError(
            f"area: none of {len(lost)} bearings lies within the gimbal's limits "
            f"yaw {_degrees(*limits.yaw_rad)}, pitch {_degrees(*limits.pitch_rad)}"
        )
    in_reach = replace(area, bearings=kept)
    if not lost:
        return in_reach, ""
    return in_reach, (
        f"area cut to the gimbal's limits: {len(lost)} of {len(area.bearings)} bearings left out, "
        f"the first at yaw {math.degrees(lost[0][0]):.4g}, pitch {math.degrees(lost[0][1]):.4g} deg"
    )


def _bearing_in_reach(bearing: Bearing, limits: GimbalLimits) -> Bearing | None:
    """Return a bearing in the gimbal's turns, the nearest to what was asked; None: out of reach."""
    yaw, pitch = bearing
    low, high = limits.yaw_rad
    turns = [0]
    if limits.has_ends and not low <= yaw <= high:
        turns = sorted(_turns_between(low - yaw, high - yaw), key=abs)
    ways = ((yaw + count * math.tau, pitch) for count in turns)
    return next((way for way in ways if limits.nearest(way) == way), None)


def _turns_between(low_rad: float, high_rad: float) -> range:
    """Return the whole turns that lie in a range of angles."""
    return range(math.ceil(low_rad / math.tau), math.floor(high_rad / math.tau) + 1)


def _turned(asked: Range, turns: int) -> Range:
    return asked[0] + turns * math.tau, asked[1] + turns * math.tau


def _span(piece: Range) -> float:
    return piece[1] - piece[0]


def _common(asked: Range, limit: Range) -> Range:
    return max(asked[0], limit[0]), min(asked[1], limit[1])


def _check_range(name: str, low: float, high: float, widest: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigurationError(f"area: {name} {low}..{high} rad must be finite")
    if high - low < _LEAST_SPAN_RAD:
        raise ConfigurationError(
            f"area: {name} {_degrees(low, high)}: the first must be the lesser"
        )
    if high - low > widest + 1e-9:
        raise ConfigurationError(
            f"area: {name} {_degrees(low, high)} spans more than {math.degrees(widest):g} deg"
        )


def _degrees(low: float, high: float) -> str:
    return f"{math.degrees(low):.4g}..{math.degrees(high):.4g} deg"

"""View planning: close views that show every candidate large enough, in little time.

Candidates that are near each other and need about the same zoom share a view; a view for each of
them alone would take the gimbal several times as long. Both parts of the problem are NP-hard, and
greedy answers are good enough for some tens of candidates:

- Which views: set cover, solved greedily by the view that shows most of the candidates left
  (V. Chvatal, "A Greedy Heuristic for the Set-Covering Problem", 1979).
- Their order: an open travelling salesman's path, nearest neighbour first, improved by 2-opt (G. A.
  Croes, "A Method for Solving Traveling-Salesman Problems", 1958). Its cost is time: the slower of
  the two axes and the zoom, which move at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant, setting
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.pointing import BearingState


@dataclass(frozen=True)
class ViewTarget:
    """A candidate that needs a close view.

    Attributes:
        track_id: of its track.
        yaw_rad, pitch_rad: bearing of its middle.
        width_rad, height_rad: angular size.
        needs_px: [px] length of its box's longer side from which it can be judged.
    """

    track_id: int
    yaw_rad: float
    pitch_rad: float
    width_rad: float
    height_rad: float
    needs_px: float


@dataclass(frozen=True)
class CloseView:
    """Where to look, at which zoom, and for which tracks."""

    yaw_rad: float
    pitch_rad: float
    zoom: float
    track_ids: tuple[int, ...]


@dataclass(frozen=True)
class ViewPlanningSettings:
    """How fast the zoom moves, and how a close view is composed.

    Attributes:
        edge_margin: 0..0.4, share of the picture at each edge that stays free of candidates.
        size_margin: >= 1, candidates are shown larger by this factor than they have to be: one that
            falls short by a pixel would cost another view.
        extent_margin: >= 1, a candidate takes up more room by this factor than its size: it moves,
            and its bearing is not exact.
        max_targets: of all that wait so many, the nearest, are planned for: the time that a plan
            takes grows with the third power.
    """

    zoom_rate_per_s: float = setting(
        7.0,
        "change of the magnification in a second",
        minimum=0.1,
        maximum=100.0,
        formerly=("zoom_per_s",),
    )
    zoom_max: float = setting(
        12.0,
        "greatest magnification, whatever the gimbal can",
        unit="x",
        minimum=1.0,
        maximum=100.0,
    )
    edge_margin: float = constant(0.06, formerly=("edge",))
    size_margin: float = constant(1.15, formerly=("spare",))
    extent_margin: float = constant(1.2, formerly=("room",))
    max_targets: int = constant(30, before=500)

    def __post_init__(self) -> None:
        check = partial(check_range, error=ConfigurationError)
        check("zoom_rate_per_s", self.zoom_rate_per_s, above=0.0)
        check("zoom_max", self.zoom_max, 1.0)
        check("edge_margin", self.edge_margin, 0.0, 0.4)
        check("extent_margin", self.extent_margin, 1.0)
        check("size_margin", self.size_margin, 1.0)


def plan_views(
    sought: Sequence[ViewTarget],
    gimbal: BearingState,
    zoom: float,
    wide: CameraView,
    limits: GimbalLimits,
    costs: ViewPlanningSettings | None = None,
) -> tuple[CloseView, ...]:
    """Return few views that show every candidate, in an order that takes little time.

    Args:
        sought: the candidates to show.
        gimbal: where the axis is now; the order begins there.
        zoom: magnification now.
        wide: lens at zoom 1; where it looks does not matter.
        limits: of the gimbal.
        costs: left out: the defaults.

    Returns:
        Views in their order, of the nearest targets where there are too many; none without any.
        Equal inputs give equal views.
    """
    costs = costs or ViewPlanningSettings()
    near = _nearest(sought, gimbal, limits, costs.max_targets)
    left = [_FramedTarget(one, wide, costs) for one in near]
    views: list[CloseView] = []
    while left:
        tried = (_grow_view(need, left, wide, limits, costs) for need in left)
        views.append(max(tried, key=lambda view: len(view.track_ids)))
        shown = views[-1].track_ids
        left = [need for need in left if need.one.track_id not in shown]
    start = CloseView(gimbal.yaw_rad, gimbal.pitch_rad, zoom, ())
    return tuple(_two_opt(_nearest_neighbour_order(start, views, limits, costs), limits, costs)[1:])


def _nearest(
    sought: Sequence[ViewTarget], gimbal: BearingState, limits: GimbalLimits, count: int
) -> Sequence[ViewTarget]:
    """Return the targets that the axis is nearest to, in the order in which they came."""
    if len(sought) <= count:
        return sought

    def distance(index: int) -> float:
        one = sought[index]
        turn = limits.turn(gimbal.yaw_rad, one.yaw_rad)
        return max(abs(turn), abs(one.pitch_rad - gimbal.pitch_rad))

    return [sought[index] for index in sorted(sorted(range(len(sought)), key=distance)[:count])]


class _FramedTarget:
    """A target, the magnification at which it can be judged, and its extent with margins."""

    def __init__(self, one: ViewTarget, wide: CameraView, costs: ViewPlanningSettings) -> None:
        self.one = one
        # Circles of yaw get narrower towards the pole, so the same box spans more yaw.
        self.level = max(math.cos(one.pitch_rad), 0.05)
        self.half_yaw = costs.extent_margin * one.width_rad / 2.0 / self.level
        self.half_pitch = costs.extent_margin * one.height_rad / 2.0
        side = max(one.width_rad, one.height_rad, 1e-4)
        wanted = costs.size_margin * one.needs_px / (side * wide.pixels_per_rad)
        self.zoom = min(max(wanted, 1.0), self._fitting(wide, costs), costs.zoom_max)

    def _fitting(self, wide: CameraView, costs: ViewPlanningSettings) -> float:
        """Return the greatest magnification at which all of it is in the picture, at least 1."""
        across, along = _reach(wide, 1.0, costs)
        width, height = self.half_yaw * self.level, self.half_pitch
        return max(1.0, min(across / max(width, 1e-6), along / max(height, 1e-6)))


def _grow_view(
    seed: _FramedTarget,
    needs: Sequence[_FramedTarget],
    wide: CameraView,
    limits: GimbalLimits,
    costs: ViewPlanningSettings,
) -> CloseView:
    """Return a view at the seed's magnification with as many neighbours as fit, nearest first."""
    across, along = _reach(wide, seed.zoom, costs)
    middle = seed.one

    def offset(need: _FramedTarget) -> tuple[float, float]:
        turn = limits.turn(middle.yaw_rad, need.one.yaw_rad)
        return turn, need.one.pitch_rad - middle.pitch_rad

    def distance(need: _FramedTarget) -> float:
        turn, tilt = offset(need)
        return max(abs(turn) * seed.level / across, abs(tilt) / along)

    left, right = -seed.half_yaw, seed.half_yaw
    top, bottom = -seed.half_pitch, seed.half_pitch
    level = seed.level
    ids = [middle.track_id]
    for need in sorted(needs, key=distance):
        if need is seed or need.zoom > seed.zoom * (1.0 + 1e-9) or distance(need) > 2.0:
            continue
        turn, tilt = offset(need)
        box = (
            min(left, turn - need.half_yaw),
            max(right, turn + need.half_yaw),
            min(top, tilt - need.half_pitch),
            max(bottom, tilt + need.half_pitch),
        )
        # A turn in yaw moves objects near the horizon most: the widest case decides.
        steepest = max(level, need.level)
        fits_across = (box[1] - box[0]) * steepest <= 2.0 * across
        if fits_across and box[3] - box[2] <= 2.0 * along:
            level = steepest
            left, right, top, bottom = box
            ids.append(need.one.track_id)
    yaw, pitch = limits.nearest(
        (middle.yaw_rad + (left + right) / 2.0, middle.pitch_rad + (top + bottom) / 2.0)
    )
    return CloseView(yaw, pitch, seed.zoom, tuple(sorted(ids)))


def _reach(wide: CameraView, zoom: float, costs: ViewPlanningSettings) -> tuple[float, float]:
    """Return half the usable width and height of the picture. [rad]"""
    share = (0.5 - costs.edge_margin) / (wide.pixels_per_rad * zoom)
    return math.atan(wide.width * share), math.atan(wide.height * share)


def _transition_time_s(
    one: CloseView, other: CloseView, limits: GimbalLimits, costs: ViewPlanningSettings
) -> float:
    """Return the time from one view to another, both axes and the zoom moving at once. [s]

    An axis accelerates at a to at most the rate v, and brakes likewise: a short way d never reaches
    v and takes 2 sqrt(d / a) (triangular profile), a long one d / v + v / a (trapezoidal profile).
    """
    turn = abs(limits.turn(one.yaw_rad, other.yaw_rad))
    farthest = max(turn, abs(other.pitch_rad - one.pitch_rad))
    ramps_s = 2.0 * math.sqrt(farthest / limits.acceleration_rad_s2)
    slew_s = farthest / limits.rate_rad_s + limits.rate_rad_s / limits.acceleration_rad_s2
    is_short = farthest < limits.rate_rad_s**2 / limits.acceleration_rad_s2
    return max(ramps_s if is_short else slew_s, abs(other.zoom - one.zoom) / costs.zoom_rate_per_s)


def _nearest_neighbour_order(
    start: CloseView, views: Sequence[CloseView], limits: GimbalLimits, costs: ViewPlanningSettings
) -> list[CloseView]:
    """Return the start and the views in nearest-neighbour order."""
    way, left = [start], list(views)
    while left:
        hops = [_transition_time_s(way[-1], view, limits, costs) for view in left]
        way.append(left.pop(hops.index(min(hops))))
    return way


def _two_opt(
    way: list[CloseView], limits: GimbalLimits, costs: ViewPlanningSettings
) -> list[CloseView]:
    """Return the way improved by 2-opt: stretches are reversed as long as that saves time."""

    def transition_s(first: int, second: int) -> float:
        return (
            _transition_time_s(way[first], way[second], limits, costs) if second < len(way) else 0.0
        )

    is_shorter = True
    while is_shorter:
        is_shorter = False
        for first in range(1, len(way) - 1):
            for last in range(first + 1, len(way)):
                now_s = transition_s(first - 1, first) + transition_s(last, last + 1)
                turned_s = transition_s(first - 1, last) + transition_s(first, last + 1)
                if turned_s < now_s - 1e-9:
                    way[first : last + 1] = way[first : last + 1][::-1]
                    is_shorter = True
    return way

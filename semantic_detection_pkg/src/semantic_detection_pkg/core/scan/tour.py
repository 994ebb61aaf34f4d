"""Which close view next: the one that shows most candidates large enough for the time it takes.

Candidates that stand near each other and need about the same zoom share a view; a close look at
each of them alone would take the gimbal several times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from semantic_detection_pkg.core.optics import CameraView
from semantic_detection_pkg.core.scan.area import GimbalLimits
from semantic_detection_pkg.core.scan.pointing import Motion
from semantic_detection_pkg.errors import ConfigurationError


@dataclass(frozen=True)
class Sought:
    """A candidate that wants a closer look.

    Attributes:
        track_id: of its track.
        yaw_rad, pitch_rad: bearing of its middle.
        width_rad, height_rad: angular size.
        needs_px: [px] longer side of its box from which it can be judged.
    """

    track_id: int
    yaw_rad: float
    pitch_rad: float
    width_rad: float
    height_rad: float
    needs_px: float


@dataclass(frozen=True)
class CloseView:
    """Where to look, how close, and whom it is for."""

    yaw_rad: float
    pitch_rad: float
    zoom: float
    track_ids: tuple[int, ...]


@dataclass(frozen=True)
class TourCosts:
    """What a close view takes, and how it is composed.

    Attributes:
        look_s: [s] in a view, once there.
        zoom_per_s: [1/s] by how much the magnification changes in a second.
        zoom_max: greatest magnification.
        edge: 0..0.4, share of the picture at each edge that stays free of candidates.
        room: >= 1, a candidate counts as so many times as large as it is: it moves, and its
            bearing is not exact.
    """

    look_s: float = 0.3
    zoom_per_s: float = 7.0
    zoom_max: float = 12.0
    edge: float = 0.08
    room: float = 1.3

    def __post_init__(self) -> None:
        if not (self.look_s > 0.0 and self.zoom_per_s > 0.0 and self.zoom_max >= 1.0):
            raise ConfigurationError(
                f"tour: look {self.look_s} s and zoom rate {self.zoom_per_s} 1/s must be above 0, "
                f"zoom_max {self.zoom_max} 1 or more"
            )
        if not (0.0 <= self.edge <= 0.4 and self.room >= 1.0):
            raise ConfigurationError(
                f"tour: edge {self.edge} must be in 0..0.4, room {self.room} 1 or more"
            )


def next_view(
    sought: Sequence[Sought],
    gimbal: Motion,
    zoom: float,
    wide: CameraView,
    limits: GimbalLimits,
    costs: TourCosts | None = None,
) -> CloseView | None:
    """The view that shows most candidates for its time, from where the camera looks now.

    Args:
        sought: all that are undecided.
        gimbal: newest reading.
        zoom: magnification now.
        wide: lens at zoom 1; where it looks does not matter.
        limits: of the gimbal.
        costs: left out: the defaults.

    Returns:
        None where nothing is sought.
    """
    costs = costs or TourCosts()
    needs = [_Need(one, wide, costs) for one in sought]
    # A tie goes to the first: equal inputs give the same tour.
    views = (_view_around(need, needs, wide, limits, costs) for need in needs)
    return max(
        views,
        key=lambda view: len(view.track_ids) / _time_s(view, gimbal, zoom, limits, costs),
        default=None,
    )


class _Need:
    """A candidate, the magnification at which it can be judged, the room it takes."""

    def __init__(self, one: Sought, wide: CameraView, costs: TourCosts) -> None:
        self.one = one
        # Where yaw narrows towards the pole a box reaches over more of it.
        self.level = max(math.cos(one.pitch_rad), 0.05)
        self.half_yaw = costs.room * one.width_rad / 2.0 / self.level
        self.half_pitch = costs.room * one.height_rad / 2.0
        side = max(one.width_rad, one.height_rad, 1e-4)
        wanted = one.needs_px / (side * wide.pixels_per_rad)
        self.zoom = min(max(wanted, 1.0), self._fitting(wide, costs), costs.zoom_max)

    def _fitting(self, wide: CameraView, costs: TourCosts) -> float:
        """The greatest magnification at which all of it is in the picture, at least 1."""
        across, along = _reach(wide, 1.0, costs)
        width, height = self.half_yaw * self.level, self.half_pitch
        return max(1.0, min(across / max(width, 1e-6), along / max(height, 1e-6)))


def _view_around(
    seed: _Need, needs: Sequence[_Need], wide: CameraView, limits: GimbalLimits, costs: TourCosts
) -> CloseView:
    """A view at the seed's magnification with as many neighbours as fit, the nearest first."""
    across, along = _reach(wide, seed.zoom, costs)
    middle = seed.one

    def offset(need: _Need) -> tuple[float, float]:
        turn = limits.turn(middle.yaw_rad, need.one.yaw_rad)
        return turn, need.one.pitch_rad - middle.pitch_rad

    def distance(need: _Need) -> float:
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
        # A turn moves what is near the horizon most.
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


def _reach(wide: CameraView, zoom: float, costs: TourCosts) -> tuple[float, float]:
    """Half the usable width and height of the picture [rad]."""
    share = (0.5 - costs.edge) / (wide.pixels_per_rad * zoom)
    return math.atan(wide.width * share), math.atan(wide.height * share)


def _time_s(
    view: CloseView, gimbal: Motion, zoom: float, limits: GimbalLimits, costs: TourCosts
) -> float:
    """[s] to get there, both axes and the zoom at once, and to look."""
    turn = abs(limits.turn(gimbal.yaw_rad, view.yaw_rad))
    farthest = max(turn, abs(view.pitch_rad - gimbal.pitch_rad))
    # Speeding up and braking cost the time of the greatest rate once more.
    ramps_s = math.sqrt(4.0 * farthest / limits.acceleration_rad_s2)
    slew_s = max(farthest / limits.rate_rad_s, ramps_s)
    return max(slew_s, abs(view.zoom - zoom) / costs.zoom_per_s) + costs.look_s

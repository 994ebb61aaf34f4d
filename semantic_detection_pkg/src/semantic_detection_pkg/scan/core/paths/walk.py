"""Walking a path with the camera: which bearing to look at next until every end was seen. Pure.

A path is longer than the view. Each look shows a piece of it; where the piece leaves the picture is
the next place to look, unless an earlier look has shown what is there. Ends that were only seen
from afar are looked at, too.

    WALKING --saw, something left to look at--> WALKING
    WALKING --saw, nothing left--> DONE
    WALKING --out of looks--> DONE
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.paths.geometry import (
    Bearing,
    PathGeometry,
    bearings,
    distance,
    length_of,
)
from semantic_detection_pkg.scan.core.paths.graph import spanning_tree

_MOST_POINTS = 400  # that the whole course is kept as: a bound on the time


class WalkState(Enum):
    """Where a walk stands."""

    WALKING = "walking"
    DONE = "done"


@dataclass(frozen=True)
class WalkSettings:
    """How a path is walked.

    Attributes:
        looks_max: the walk ends after so many looks, whatever is left.
        tries_max: looks at one place that show no path before it is given up.
        same_rad: ends, exits and branches that are as near to each other are one.
        seen_margin: share of the picture; what lies farther inside an earlier look was seen in it.
        pixels_per_rad: a look from farther away than this resolution tells only where to look.
    """

    looks_max: int = 12
    tries_max: int = 2
    same_rad: float = 0.015
    seen_margin: float = 0.06
    pixels_per_rad: float = 2500.0

    def __post_init__(self) -> None:
        if self.looks_max < 1 or self.tries_max < 1:
            raise ValueError(
                f"walk: looks_max {self.looks_max} and tries_max {self.tries_max} must be >= 1"
            )
        if not self.same_rad > 0.0 or not self.pixels_per_rad >= 0.0:
            raise ValueError(
                f"walk: same_rad {self.same_rad} must be above 0 and pixels_per_rad "
                f"{self.pixels_per_rad} not below"
            )
        if not 0.0 <= self.seen_margin < 0.5:
            raise ValueError(f"walk: seen_margin {self.seen_margin} must be 0..0.5")


@dataclass(frozen=True)
class WalkedPath:
    """What a walk has found so far.

    Attributes:
        geometry: of all pieces together; its exits are the places not looked at.
        is_followed: all ends were reached and nothing is left to look at.
        looks: that were taken.
        reason: why the walk is where it is, in words.
    """

    geometry: PathGeometry
    is_followed: bool
    looks: int
    reason: str


@dataclass
class _Target:
    """A place to look at, and how often it was looked at in vain."""

    bearing: Bearing
    tries: int = 0


@dataclass
class PathWalk:
    """One walk. Begin with `saw` of the first look, then look at `target` and call `saw` again."""

    settings: WalkSettings = field(default_factory=WalkSettings)
    state: WalkState = field(init=False, default=WalkState.WALKING)
    looks: int = field(init=False, default=0)
    _targets: list[_Target] = field(init=False, default_factory=list)
    _views: list[CameraView] = field(init=False, default_factory=list)
    _ends: list[Bearing] = field(init=False, default_factory=list)
    _given_up: list[Bearing] = field(init=False, default_factory=list)
    _branches: list[Bearing] = field(init=False, default_factory=list)
    _points: list[Bearing] = field(init=False, default_factory=list)
    _widths: list[tuple[float, float]] = field(
        init=False, default_factory=list
    )  # width, length: a weight

    @property
    def target(self) -> Bearing | None:
        """Where to look next; None when done."""
        return self._targets[0].bearing if self._targets else None

    def saw(self, view: CameraView, geometry: PathGeometry | None) -> WalkState:
        """Take what a look showed.

        Args:
            view: where it looked.
            geometry: the piece of this path in it; None where the path was not found.
        """
        if self.state is WalkState.DONE:
            return self.state
        self.looks += 1
        is_close = view.pixels_per_rad >= self.settings.pixels_per_rad
        if geometry is None:
            self._miss(view)
        else:
            self._hit(view, geometry, is_close)
        self._settle(view)
        return self.state

    def unreachable(self, view: CameraView) -> WalkState:
        """The target cannot be looked at, such as beyond the gimbal's limits: go on without it."""
        if self.state is WalkState.WALKING and self._targets:
            self._given_up.append(self._targets.pop(0).bearing)
            self._settle(view)
        return self.state

    def result(self) -> WalkedPath:
        """What is known by now, at any time."""
        is_followed = (
            self.state is WalkState.DONE
            and bool(self._ends)
            and not self._targets
            and not self._given_up
        )
        left = len(self._targets) + len(self._given_up)
        if self.state is WalkState.WALKING:
            reason = f"walking, {len(self._targets)} places left to look at"
        elif is_followed:
            reason = f"all {len(self._ends)} ends were looked at"
        else:
            reason = f"ended after {self.looks} looks with {left} places not seen"
        return WalkedPath(self._geometry(), is_followed, self.looks, reason)

    def _hit(self, view: CameraView, geometry: PathGeometry, is_close: bool) -> None:
        earlier = list(self._views)  # this look shows an exit only at its very edge
        if is_close:
            self._drop_seen_targets(view)
            self._views.append(view)
        self._add(self._branches, geometry.branches)
        self._points += [point for line in geometry.lines for point in line]
        self._widths.append((geometry.width_rad, geometry.length_rad))
        if is_close:
            self._add(self._ends, geometry.ends)
        places = geometry.exits if is_close else (*geometry.ends, *geometry.exits)
        for place in places:
            self._want(place, earlier)

    def _miss(self, view: CameraView) -> None:
        """The path is not there: another try, then the place is given up."""
        if self._targets and bool(view.contains([self._targets[0].bearing])[0]):
            self._targets[0].tries += 1
            if self._targets[0].tries >= self.settings.tries_max:
                self._given_up.append(self._targets.pop(0).bearing)

    def _want(self, place: Bearing, views: list[CameraView]) -> None:
        """Look there, unless that is known."""
        known = [*(target.bearing for target in self._targets), *self._ends, *self._given_up]
        is_seen = any(bool(view.contains([place], self.settings.seen_margin)[0]) for view in views)
        if not is_seen and not self._is_known(place, known):
            self._targets.append(_Target(place))

    def _drop_seen_targets(self, view: CameraView) -> None:
        margin = self.settings.seen_margin
        self._targets = [
            target
            for target in self._targets
            if not bool(view.contains([target.bearing], margin)[0])
        ]

    def _settle(self, view: CameraView) -> None:
        """The nearest target first; done without any, or out of looks."""
        here = (view.yaw_rad, view.pitch_rad)
        self._targets.sort(key=lambda target: distance(here, target.bearing))
        if not self._targets or self.looks >= self.settings.looks_max:
            self.state = WalkState.DONE
            self._given_up += [target.bearing for target in self._targets]
            self._targets = []

    def _add(self, known: list[Bearing], found: tuple[Bearing, ...]) -> None:
        for place in found:
            if not self._is_known(place, known):
                known.append(place)

    def _is_known(self, place: Bearing, known: list[Bearing]) -> bool:
        return any(distance(place, other) < self.settings.same_rad for other in known)

    def _geometry(self) -> PathGeometry:
        """All pieces as one path: its longest way through the points of all of them."""
        exits = (*(target.bearing for target in self._targets), *self._given_up)
        ends, branches = tuple(self._ends), tuple(self._branches)
        way = _longest_way(self._points, self.settings.same_rad)
        if len(way) < 2:
            return PathGeometry(ends, exits, branches, 0.0, 0.0, 0.0, ())
        length = length_of(way)
        widths = np.array(self._widths)
        width = float((widths[:, 0] * widths[:, 1]).sum() / widths[:, 1].sum())
        straightness = min(distance(way[0], way[-1]) / max(length, 1e-9), 1.0)
        return PathGeometry(ends, exits, branches, length, width, straightness, (bearings(way),))


def _longest_way(points: list[Bearing], same_rad: float) -> Matrix:
    """(k, 2) the longest way through points, thinned to one for each cell of half of `same_rad`."""
    if not points:
        return np.empty((0, 2))
    array = np.array(points)
    cell = same_rad / 2.0
    extent = np.ptp(array, axis=0).sum()
    cell = max(cell, float(extent) / _MOST_POINTS)
    cells = np.floor((array - array.min(axis=0)) / cell).astype(np.intp)
    _, owner = np.unique(cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_inverse=True)
    counts = np.bincount(owner)
    middles = np.stack([np.bincount(owner, array[:, axis]) / counts for axis in (0, 1)], 1)
    flat = middles * (np.cos(middles[:, 1].mean()), 1.0)
    off = flat[:, None] - flat[None]
    near = np.triu(np.hypot(off[..., 0], off[..., 1]) < 2.5 * cell, 1)
    return np.asarray(middles[spanning_tree(flat, np.argwhere(near)).longest_way()])

"""Walking a path with the camera: which bearing to look at next until every end was seen. Pure.

A path is longer than the view. Each look shows a piece of it; where the piece leaves the picture is
the next place to look, unless an earlier look has shown what is there. Ends that were only seen
from afar are looked at, too.

    UNDER_WAY --saw, something left to look at--> UNDER_WAY
    UNDER_WAY --saw, nothing left--> DONE
    UNDER_WAY --out of looks--> DONE
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.paths.geometry import (
    Bearing,
    PathTrace,
    angular_length_rad,
    bearing_distance_rad,
    to_bearings,
)
from semantic_detection_pkg.scan.core.paths.graph import build_spanning_tree

_MOST_POINTS = 400  # that the whole course is kept as: a bound on the time


class TraversalState(Enum):
    """Where a walk stands."""

    UNDER_WAY = "under way"
    DONE = "done"


@dataclass(frozen=True)
class TraversalSettings:
    """How a path is walked.

    Attributes:
        max_views: the walk ends after so many looks, whatever is left.
        max_attempts: looks at one place that show no path before it is given up.
        merge_distance_rad: ends, exits and branches that are as near to each other are one.
        edge_margin: share of the picture; what lies farther inside an earlier look was seen in it.
        pixels_per_rad: a look from farther away than this resolution tells only where to look.
    """

    max_views: int = 12
    max_attempts: int = 2
    merge_distance_rad: float = 0.015
    edge_margin: float = 0.06
    pixels_per_rad: float = 2500.0

    def __post_init__(self) -> None:
        if self.max_views < 1 or self.max_attempts < 1:
            raise ValueError(
                f"path traversal: max_views {self.max_views} and max_attempts "
                f"{self.max_attempts} must be 1 or more"
            )
        if not self.merge_distance_rad > 0.0 or not self.pixels_per_rad >= 0.0:
            raise ValueError(
                f"path traversal: merge_distance_rad {self.merge_distance_rad} must be above 0 and "
                f"pixels_per_rad {self.pixels_per_rad} not below"
            )
        if not 0.0 <= self.edge_margin < 0.5:
            raise ValueError(f"path traversal: edge_margin {self.edge_margin} must be 0..0.5")


@dataclass(frozen=True)
class TraversedPath:
    """What a walk has found so far.

    Attributes:
        geometry: of all pieces together; its exits are the places not looked at.
        is_followed: all ends were reached and nothing is left to look at.
        views: that were taken.
        reason: why the walk is where it is, in words.
    """

    geometry: PathTrace
    is_followed: bool
    views: int
    reason: str


@dataclass
class _Target:
    """A place to look at, and how often it was looked at in vain."""

    bearing: Bearing
    attempts: int = 0


@dataclass
class PathTraversal:
    """One walk. Begin with `saw` of the first look, then look at `target` and call `saw` again."""

    settings: TraversalSettings = field(default_factory=TraversalSettings)
    state: TraversalState = field(init=False, default=TraversalState.UNDER_WAY)
    views: int = field(init=False, default=0)
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

    def add_view(self, view: CameraView, geometry: PathTrace | None) -> TraversalState:
        """Take what a look showed.

        Args:
            view: where it looked.
            geometry: the piece of this path in it; None where the path was not found.
        """
        if self.state is TraversalState.DONE:
            return self.state
        self.views += 1
        is_close = view.pixels_per_rad >= self.settings.pixels_per_rad
        if geometry is None:
            self._count_attempt(view)
        else:
            self._add_piece(view, geometry, is_close)
        self._choose_target(view)
        return self.state

    def skip_target(self, view: CameraView) -> TraversalState:
        """The target cannot be looked at, such as beyond the gimbal's limits: go on without it."""
        if self.state is TraversalState.UNDER_WAY and self._targets:
            self._given_up.append(self._targets.pop(0).bearing)
            self._choose_target(view)
        return self.state

    def result(self) -> TraversedPath:
        """What is known by now, at any time."""
        is_followed = (
            self.state is TraversalState.DONE
            and bool(self._ends)
            and not self._targets
            and not self._given_up
        )
        left = len(self._targets) + len(self._given_up)
        if self.state is TraversalState.UNDER_WAY:
            reason = f"walking, {len(self._targets)} places left to look at"
        elif is_followed:
            reason = f"all {len(self._ends)} ends were looked at"
        else:
            reason = f"ended after {self.views} looks with {left} places not seen"
        return TraversedPath(self._geometry(), is_followed, self.views, reason)

    def _add_piece(self, view: CameraView, geometry: PathTrace, is_close: bool) -> None:
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
            self._add_target(place, earlier)

    def _count_attempt(self, view: CameraView) -> None:
        """The path is not there: another try, then the place is given up."""
        if self._targets and bool(view.contains([self._targets[0].bearing])[0]):
            self._targets[0].attempts += 1
            if self._targets[0].attempts >= self.settings.max_attempts:
                self._given_up.append(self._targets.pop(0).bearing)

    def _add_target(self, place: Bearing, views: list[CameraView]) -> None:
        """Look there, unless that is known."""
        known = [*(target.bearing for target in self._targets), *self._ends, *self._given_up]
        is_seen = any(bool(view.contains([place], self.settings.edge_margin)[0]) for view in views)
        if not is_seen and not self._is_known(place, known):
            self._targets.append(_Target(place))

    def _drop_seen_targets(self, view: CameraView) -> None:
        margin = self.settings.edge_margin
        self._targets = [
            target
            for target in self._targets
            if not bool(view.contains([target.bearing], margin)[0])
        ]

    def _choose_target(self, view: CameraView) -> None:
        """The nearest target first; done without any, or out of looks."""
        here = (view.yaw_rad, view.pitch_rad)
        self._targets.sort(key=lambda target: bearing_distance_rad(here, target.bearing))
        if not self._targets or self.views >= self.settings.max_views:
            self.state = TraversalState.DONE
            self._given_up += [target.bearing for target in self._targets]
            self._targets = []

    def _add(self, known: list[Bearing], found: tuple[Bearing, ...]) -> None:
        for place in found:
            if not self._is_known(place, known):
                known.append(place)

    def _is_known(self, place: Bearing, known: list[Bearing]) -> bool:
        return any(
            bearing_distance_rad(place, other) < self.settings.merge_distance_rad for other in known
        )

    def _geometry(self) -> PathTrace:
        """All pieces as one path: its longest way through the points of all of them."""
        exits = (*(target.bearing for target in self._targets), *self._given_up)
        ends, branches = tuple(self._ends), tuple(self._branches)
        way = _longest_way(self._points, self.settings.merge_distance_rad)
        if len(way) < 2:
            return PathTrace(ends, exits, branches, 0.0, 0.0, 0.0, ())
        length = angular_length_rad(way)
        widths = np.array(self._widths)
        width = float((widths[:, 0] * widths[:, 1]).sum() / widths[:, 1].sum())
        straightness = min(bearing_distance_rad(way[0], way[-1]) / max(length, 1e-9), 1.0)
        return PathTrace(ends, exits, branches, length, width, straightness, (to_bearings(way),))


def _longest_way(points: list[Bearing], merge_distance_rad: float) -> Matrix:
    """Return the longest way (k, 2) through points, thinned to one in each cell of a grid."""
    if not points:
        return np.empty((0, 2))
    array = np.array(points)
    cell = merge_distance_rad / 2.0
    extent = np.ptp(array, axis=0).sum()
    cell = max(cell, float(extent) / _MOST_POINTS)
    cells = np.floor((array - array.min(axis=0)) / cell).astype(np.intp)
    _, owner = np.unique(cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_inverse=True)
    counts = np.bincount(owner)
    middles = np.stack([np.bincount(owner, array[:, axis]) / counts for axis in (0, 1)], 1)
    flat = middles * (np.cos(middles[:, 1].mean()), 1.0)
    off = flat[:, None] - flat[None]
    near = np.triu(np.hypot(off[..., 0], off[..., 1]) < 2.5 * cell, 1)
    return np.asarray(middles[build_spanning_tree(flat, np.argwhere(near)).longest_way()])

"""Traversal of a path with the camera: where to look next until every end was seen.

A path is longer than the view. Each view shows a piece of it; where the piece leaves the picture is
the next target, unless an earlier view has shown what is there. Ends that were only seen from afar
are targets, too.

    UNDER_WAY --view added, targets left--> UNDER_WAY
    UNDER_WAY --view added, no target left--> DONE
    UNDER_WAY --out of views--> DONE
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.paths.geometry import (
    Bearing,
    PathTrace,
    angular_length_rad,
    bearing_distance_rad,
    to_bearings,
)
from semantic_detection_pkg.scan.core.paths.graph import build_spanning_tree

_MOST_POINTS = 400  # of the whole course: bounds the time


class TraversalState(Enum):
    """Whether there is anything left to look at."""

    UNDER_WAY = "under way"
    DONE = "done"


@dataclass(frozen=True)
class TraversalSettings:
    """How a path is traversed.

    Attributes:
        max_views: the traversal ends after this many views, whatever is left.
        max_attempts: views of one target without a path before it is given up.
        merge_distance_rad: ends, exits and branches nearer to each other than this are the same.
        edge_margin: share of the picture; places farther inside an earlier view count as seen.
        pixels_per_rad: views of a lower resolution only tell where to look.
    """

    max_views: int = 12
    max_attempts: int = 2
    merge_distance_rad: float = 0.015
    edge_margin: float = 0.06
    pixels_per_rad: float = 2500.0

    def __post_init__(self) -> None:
        check_range("max_views", self.max_views, 1)
        check_range("max_attempts", self.max_attempts, 1)
        check_range("merge_distance_rad", self.merge_distance_rad, above=0.0)
        check_range("pixels_per_rad", self.pixels_per_rad, 0.0)
        check_range("edge_margin", self.edge_margin, 0.0, 0.49)


@dataclass(frozen=True)
class TraversedPath:
    """What a traversal has found so far.

    Attributes:
        geometry: of all pieces together; its exits are the targets that were not seen.
        is_followed: all ends were reached and no target is left.
        views: that were taken.
        reason: why it ended, or what is left, in words.
    """

    geometry: PathTrace
    is_followed: bool
    views: int
    reason: str


@dataclass
class _Target:
    """A place to look at, and how many views of it showed no path."""

    bearing: Bearing
    attempts: int = 0


@dataclass
class PathTraversal:
    """One traversal: call `add_view` with the first view, then look at `target`, and so on."""

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
        """Return where to look next; None: it is done."""
        return self._targets[0].bearing if self._targets else None

    def add_view(self, view: CameraView, geometry: PathTrace | None) -> TraversalState:
        """Add what a view showed, and return whether anything is left.

        Args:
            view: of the picture.
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
        """Give up the target, as where it is beyond the gimbal's limits, and go on."""
        if self.state is TraversalState.UNDER_WAY and self._targets:
            self._given_up.append(self._targets.pop(0).bearing)
            self._choose_target(view)
        return self.state

    def result(self) -> TraversedPath:
        """Return what is known by now, at any time."""
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
        earlier = list(self._views)  # this view shows its own exits only at its very edge
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
        """Count a view of the target without a path; after some the target is given up."""
        if self._targets and bool(view.contains([self._targets[0].bearing])[0]):
            self._targets[0].attempts += 1
            if self._targets[0].attempts >= self.settings.max_attempts:
                self._given_up.append(self._targets.pop(0).bearing)

    def _add_target(self, place: Bearing, views: list[CameraView]) -> None:
        """Make a place a target, unless it is known or was seen."""
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
        """Put the nearest target first; end without any, or when out of views."""
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
        """Return all pieces as one path: the longest way through the points of all of them."""
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

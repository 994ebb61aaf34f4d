"""Following one footpath: which frames show a piece of it, and how its course goes out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.evidence import PathCourse
from semantic_detection_pkg.scan.core.findings import Conclusion
from semantic_detection_pkg.scan.core.paths.geometry import Bearing, PathTrace, trace_path
from semantic_detection_pkg.scan.core.paths.traversal import (
    PathTraversal,
    TraversalSettings,
    TraversalState,
)

_INSIDE = 0.2  # share of the picture: the target must be so far inside for a frame to count
_ZOOM_ROOM = 1.05  # more than what counts as close
_NEAR_SHARE = 0.35  # of the picture's width: a piece farther from the target is another path


class PathFollower:
    """Follows the path of one finding, frame by frame.

    Attributes:
        conclusion: of the finding.
        zoom: of the frames that count.
        until_ns: then it ends, wherever it is.
    """

    def __init__(
        self,
        conclusion: Conclusion,
        wide: CameraView,
        zoom_max: float,
        limits: GimbalLimits,
        settings: TraversalSettings,
    ) -> None:
        """Begin at the finding's bearing, with nothing of the path seen."""
        self.conclusion = conclusion
        self.zoom = min(
            max(1.0, _ZOOM_ROOM * settings.pixels_per_rad / wide.pixels_per_rad), zoom_max
        )
        reachable = self.zoom * wide.pixels_per_rad / _ZOOM_ROOM
        self._settings = replace(settings, pixels_per_rad=min(settings.pixels_per_rad, reachable))
        self._limits = limits
        self._walk = PathTraversal(self._settings)
        self.until_ns = 0

    @property
    def is_done(self) -> bool:
        """Return whether nothing of the path is left to look at."""
        return self._walk.state is TraversalState.DONE

    @property
    def target(self) -> Bearing:
        """Return where to look next."""
        track = self.conclusion.track
        return self._limits.nearest(self._walk.target or (track.yaw_rad, track.pitch_rad))

    def add_frame(self, view: CameraView, picture: Detections, names: Sequence[str]) -> None:
        """Add what a sharp frame shows of the path, if the target is well inside it."""
        if self.is_done or view.pixels_per_rad < self._settings.pixels_per_rad:
            return
        wanted = self._walk.target
        if wanted is not None and self._limits.nearest(wanted) != wanted:
            self._walk.skip_target(view)
            return
        if bool(view.contains([self.target], _INSIDE)[0]):
            self._walk.add_view(view, self._piece(view, picture, names))

    def path(self) -> PathCourse | None:
        """Return its course as far as it is known; None where nothing of it was seen."""
        walked = self._walk.result()
        geometry = walked.geometry
        if not geometry.lines:
            return None
        return PathCourse(
            ends=geometry.ends,
            branches=geometry.branches,
            length_rad=geometry.length_rad,
            width_rad=geometry.width_rad,
            straightness=geometry.straightness,
            is_followed=walked.is_followed,
        )

    def _piece(
        self, view: CameraView, picture: Detections, names: Sequence[str]
    ) -> PathTrace | None:
        """Return the course of the path nearest to the target; None where there is none."""
        wanted = self.conclusion.track.class_name
        target = view.project([self.target])[0]
        best, best_px = None, _NEAR_SHARE * view.width
        for index, class_id in enumerate(picture.class_ids.tolist()):
            rings = picture.masks.rings(index)
            if names[class_id] != wanted or not rings:
                continue
            apart = np.concatenate(rings) - target
            apart_px = math.sqrt(float((apart**2).sum(axis=1).min()))
            if apart_px < best_px:
                best, best_px = rings, apart_px
        return None if best is None else trace_path(best, view)

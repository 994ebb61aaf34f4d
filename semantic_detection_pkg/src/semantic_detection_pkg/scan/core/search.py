"""A mission that has its plan: what has been seen, what is in hand, and what was found."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.pose_history import Pose, hfov_at_zoom
from ros_support_pkg.core.words import CellResult
from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import TrackedFrame
from semantic_detection_pkg.scan.core.candidate_list import CandidateList
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.findings import Conclusion, FindingList
from semantic_detection_pkg.scan.core.goals import class_labels
from semantic_detection_pkg.scan.core.inputs import FrameDetections, Goal
from semantic_detection_pkg.scan.core.path_following import PathFollower
from semantic_detection_pkg.scan.core.paths.traversal import TraversalSettings
from semantic_detection_pkg.scan.core.planning.closer_looks import closer_look_rules
from semantic_detection_pkg.scan.core.planning.probability import PassTask, ProbabilityPlanner
from semantic_detection_pkg.scan.core.planning.search_problem import ProbabilityRules
from semantic_detection_pkg.scan.core.planning.sweep import SweepPlanner, SweepProgress, SweepTask
from semantic_detection_pkg.scan.core.planning.view_planning import ViewPlanningSettings
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.search_tasks import Visit, VlmQuestion
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground
from semantic_detection_pkg.scan.core.tracking.frame_tracks import FrameTracks
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.weights import cell_weights

#: A plan to be made off the control loop.
PlanTask = SweepTask | PassTask

# A picture counts for the coverage from this share of the sweep's resolution on: at exactly the
# resolution that the sweep is planned for, rounding would decide.
_COUNTED_SHARE = 0.9
_ZOOM_REACHED = 0.97  # of the greatest zoom
_SAME_HFOV = 0.03  # of it: so exactly a gimbal tells the field of view, zoomed or not
_NS_PER_S = 1_000_000_000
_STAMPS_KEPT = 6  # of frames, for their interval: one that is late does not matter


@dataclass(frozen=True)
class SearchPlan:
    """How the goal is carried out with this gimbal and camera.

    Attributes:
        area: the part of the goal's area that the gimbal reaches.
        zoom: of the sweep.
        wide: lens and picture at zoom 1; where it looks does not matter.
        costs: of close views, with the greatest zoom that there is.
        cut: what was cut from the goal, in words; empty: nothing.
    """

    area: Area
    zoom: float
    wide: CameraView
    limits: GimbalLimits
    costs: ViewPlanningSettings
    cut: str


@dataclass(frozen=True)
class SearchProgress:
    """How far a search has come by its probability of detection (POD).

    Attributes:
        pod: of the area, by `PodMap`, 0..1; where a goal repeats, of the round in hand.
        wanted_pod: that is enough; 0: all of it is to be seen.
        forecast_pod: what the plan reaches; 0: there is no plan.
        forecast_s: [s] until then.
        forecast: in words; empty: there is no plan.
        planner: "sweep" or "probability".
        is_swept: all of it was seen or the wanted POD is reached, or the best there is.
    """

    pod: float
    wanted_pod: float
    forecast_pod: float = 0.0
    forecast_s: float = 0.0
    forecast: str = ""
    planner: str = ""
    is_swept: bool = False


class Search:
    """The state of one goal from its plan on.

    Attributes:
        visit: the close view in hand; None: none is.
        question: the question in hand; None: none is.
        is_viewing: candidates are looked at, one view after the other.
        is_swept: nothing of the area is unseen, or the planner gave up.
        has_begun: the planner was asked for a way.
        followers: of paths that are still to be followed, in order.
        frame_ns: stamp of the newest frame; the candidates' tracks stand for it.
    """

    def __init__(
        self,
        started_ns: int,
        goal: Goal,
        plan: SearchPlan,
        settings: ScanSettings,
        names: Sequence[str] = (),
    ) -> None:
        """Begin with nothing seen; `started_ns` is that of the mission, `names`: `class_labels`."""
        self.goal = goal
        self.plan = plan
        self._settings = settings
        self.visit: Visit | None = None
        self.question: VlmQuestion | None = None
        self.is_viewing = False
        self.is_swept = False
        self.has_begun = False
        self.followers: list[PathFollower] = []
        self.frame_ns = 0
        self._stamps_ns: deque[int] = deque(maxlen=_STAMPS_KEPT)
        labels = class_labels(goal.words, names)
        self.candidates = CandidateList(settings, labels, plan.area)
        self.findings = FindingList(started_ns, settings.candidates)
        hfov_rad = hfov_at_zoom(plan.wide.hfov_rad, plan.zoom)
        view = replace(plan.wide, hfov_rad=hfov_rad)
        criteria = replace(settings.coverage, pixels_per_rad=_COUNTED_SHARE * view.pixels_per_rad)
        self.coverage = CoverageMap(plan.area, settings.cell_size_rad, criteria)
        self._labels = tuple(labels.values())
        grid, weights = self.coverage, goal.weights
        self._weights = cell_weights(weights, grid.yaw_rad, grid.pitch_rad) if weights else None
        self.pod = self._new_pod()
        self._round: PodMap | None = None  # of the search in hand, where it is not the first
        self._used: tuple[DetectionCurves | None, Ground] = (None, Ground())
        self._sweep_view = view
        self.planner = self._new_planner(SweepProgress())

    @property
    def track_in_hand(self) -> int:
        """Return the track of the question, else the first in view; 0: none."""
        if self.question is not None:
            return self.question.candidate.track.id
        return next((one.track.id for one in self.in_view()), 0)

    def take_moment(self, old: Search) -> None:
        """Go on at the moment at which another search is, but for its view and its question."""
        self.frame_ns, self._stamps_ns = old.frame_ns, old._stamps_ns
        self.is_viewing, self.has_begun = old.is_viewing, old.has_begun

    def pods_like(self, old: Search) -> list[PodMap]:
        """Return `pods`, as many as another search has."""
        if len(old.pods) > len(self.pods):
            self.begin_round_pod()
        return self.pods

    @property
    def pods(self) -> list[PodMap]:
        """Return the map of the POD, and that of the round in hand where it is not the first."""
        return [self.pod] if self._round is None else [self.pod, self._round]

    @property
    def frame_interval_ns(self) -> int:
        """Return the usual time between two frames that are examined; 0: not known yet. [ns]"""
        gaps = [after - before for before, after in pairwise(self._stamps_ns)]
        return round(median(gaps)) if gaps else 0

    def in_view(self) -> list[Candidate]:
        """Return the candidates that the view in hand is for and that still want it."""
        if self.visit is None:
            return []
        found = (self.candidates.get(one) for one in self.visit.view.track_ids)
        return [one for one in found if one is not None and one.may(CandidateAction.VIEW)]

    def is_likely(self, candidate: Candidate) -> bool:
        """Return whether a candidate stands where the goal's weight is no less than on average."""
        if self._weights is None:
            return True
        track = candidate.track
        weight = self.coverage.at(self._weights, (track.yaw_rad, track.pitch_rad))
        ground = np.where(self.coverage.is_wanted, self.pod.ranges.weights, 0.0)
        return weight * float(ground.sum()) >= float((ground * self._weights).sum()) * (1.0 - 1e-9)

    def needs(self) -> NDArray[np.float64]:
        """Return how much a fine look is worth at each cell of the coverage: (rows, columns) 0..1.

        In a close view that is where its candidates are, and nowhere else: shown larger by the
        zoom, but in the coarse whole of the picture, a small thing is seen worse than in the tile
        of the sweep that found it.
        """
        extents = [one.evidence.extent for one in self.in_view()]
        if not extents and isinstance(self.planner, ProbabilityPlanner):
            return self.planner.needs()
        if not extents:
            return self.coverage.needs()
        return self.coverage.needs_at(
            [((one.track.yaw_rad, one.track.pitch_rad), one.size_rad) for one in extents]
        )

    def interrupt(self) -> None:
        """Drop the view and the pass in hand: the camera is taken somewhere else."""
        for candidate in self.in_view():
            candidate.drop_view()
        self.visit = None
        self.planner.interrupt()

    def add_frame(
        self,
        frame: FrameDetections,
        view: CameraView,
        pose: Pose,
        tracks: FrameTracks,
        *,
        counts: bool = True,
    ) -> None:
        """Add what a frame shows to the coverage, the path in hand, findings and candidates.

        Args:
            view, pose: where the frame looked, and how the gimbal moved.
            tracks: after the frame.
            counts: it was looked at for the words of the goal.
        """
        self.frame_ns = frame.stamp_ns
        self._stamps_ns.append(frame.stamp_ns)
        rates = (pose.yaw_rate_rad_s, pose.pitch_rate_rad_s)
        if counts:
            self.coverage.add_view(view, frame.stamp_ns / _NS_PER_S, rates, frame.looks)
            for pod in self.pods:
                pod.update(view, frame.stamp_ns / _NS_PER_S, rates, frame.looks)
        self.planner.note_frame(frame.looks, self.frame_interval_ns / _NS_PER_S)
        shown = TrackedFrame(
            frame.stamp_ns,
            view,
            self.coverage.criteria.motion_blur_px(view, rates),
            tracks.by_id,
            is_at_max_zoom=pose.zoom >= _ZOOM_REACHED * self.plan.costs.zoom_max,
            detections=frame.detections,
            looks=frame.looks,
            proposed=frame.proposed_names,
        )
        self._add_to_path(shown, frame.detections, frame.vocabulary)
        self.findings.update_tracks(shown.seen)
        for track in self.candidates.add_frame(frame.stamp_ns, shown, frame.model):
            self.mark(track, CellResult.CANDIDATE)

    def can_go_on(self, plan: SearchPlan) -> bool:
        """Return whether what was seen by this plan counts by another one, too."""
        old, new = self.plan, plan
        is_same_picture = (old.wide.width, old.wide.height) == (new.wide.width, new.wide.height)
        hfov_change = abs(new.wide.hfov_rad / old.wide.hfov_rad - 1.0)
        return (
            is_same_picture
            and hfov_change <= _SAME_HFOV
            and (old.area, old.zoom) == (new.area, new.zoom)
        )

    def set_progress(self, progress: SweepProgress, *, is_swept: bool) -> None:
        """Go on with a sweep that has come so far."""
        self.planner = self._new_planner(progress)
        self.is_swept = is_swept

    def use(self, curves: DetectionCurves | None, ground: Ground) -> None:
        """Go by these curves and this ground, see `PodMap.use`."""
        self._used = curves, ground
        for pod in self.pods:
            pod.use(curves, ground)
        self._choose_planner()

    def begin_round(self, now_s: float) -> None:
        """Begin again: what was seen counts no more for this, the map of the POD keeps it."""
        self.coverage.forget_older(now_s, 0.0)
        self.is_swept = False
        if isinstance(self.planner, SweepPlanner):
            self.planner.restart()
            return
        self.begin_round_pod()
        self.planner = self._new_planner(SweepProgress())

    def begin_round_pod(self) -> PodMap:
        """Begin the map of the POD by which a round goes that is not the first; return it."""
        self._round = self._new_pod()
        self._round.use(*self._used)
        return self._round

    def _choose_planner(self) -> None:
        """Choose again, as long as it has not begun, by what is known of the detector."""
        if not self.has_begun and self._planner_name != self._wanted_planner:
            self.planner = self._new_planner(self.planner.progress)

    def sweep_instead(self) -> None:
        """Go on with a sweep."""
        self.planner = self._new_sweep(SweepProgress())

    @property
    def wanted_pod(self) -> float:
        """Return the POD of the area that is enough, 0..1; 0: all of it is to be seen."""
        is_sweep = self._planner_name == "sweep"
        return 0.0 if is_sweep else self.goal.wanted_pod or self._settings.wanted_pod

    @property
    def lacks_room(self) -> bool:
        """Return whether it is a sweep as there are too many cells for a map of the POD."""
        return self._planner_name != self._wanted_planner == "probability"

    @property
    def _wanted_planner(self) -> str:
        wanted = self.goal.planner or self._settings.planner
        if wanted != "auto":
            return wanted
        _, ground = self._used
        is_known = ground.is_known and all(map(self.pod.is_measured, self.pod.class_names))
        return "probability" if is_known else "sweep"

    def progress(self, now_s: float) -> SearchProgress:
        """Return how far it has come by its POD."""
        forecast = self.planner.forecast
        pod = (self._round or self.pod).area_pod()
        if forecast is None:
            return SearchProgress(
                pod, self.wanted_pod, planner=self._planner_name, is_swept=self.is_swept
            )
        left_s = max(forecast.end_s - now_s, 0.0)
        return SearchProgress(
            pod,
            self.wanted_pod,
            forecast.pod,
            left_s,
            forecast.text,
            self._planner_name,
            self.is_swept,
        )

    @property
    def _planner_name(self) -> str:
        return "sweep" if isinstance(self.planner, SweepPlanner) else "probability"

    def _new_planner(self, progress: SweepProgress) -> SweepPlanner | ProbabilityPlanner:
        """Return the planner that the settings name; without room for PODs it is the sweep."""
        plan, settings, coverage = self.plan, self._settings, self.coverage
        if self._wanted_planner != "probability" or not self.pod.class_names:
            return self._new_sweep(progress)
        rules = ProbabilityRules(
            plan.wide,
            plan.limits,
            self.goal.zoom,
            plan.costs.zoom_max,
            plan.costs.zoom_rate_per_s,
            self.goal.wanted_pod or settings.wanted_pod,
            self._weights is not None,
            settings.tracker.confirm_hits,
            closer_look_rules(
                settings.close, settings.view_planning.size_margin, self.pod.class_names
            ),
        )
        return ProbabilityPlanner(
            coverage, self._round or self.pod, rules, settings.sweep, progress
        )

    def _new_sweep(self, progress: SweepProgress) -> SweepPlanner:
        plan, settings = self.plan, self._settings.sweep
        return SweepPlanner(
            self.coverage, self._sweep_view, plan.limits, settings, progress, plan.zoom
        )

    def _new_pod(self) -> PodMap:
        settings = self._settings
        hits = settings.tracker.confirm_hits
        return PodMap(self.coverage, self._labels, settings.pod, hits, self._weights)

    def follow_path(self, conclusion: Conclusion) -> None:
        """Have the path of a finding followed, when there is time."""
        plan = self.plan
        self.followers.append(
            PathFollower(
                conclusion, plan.wide, plan.costs.zoom_max, plan.limits, TraversalSettings()
            )
        )

    def mark(self, track: Track, result: CellResult) -> None:
        """Note on the map what is known of a track."""
        size = (track.width_rad, track.height_rad)
        self.coverage.mark((track.yaw_rad, track.pitch_rad), size, result)

    def _add_to_path(
        self, shown: TrackedFrame, detections: Detections, names: Sequence[str]
    ) -> None:
        is_sharp = shown.motion_blur_px <= self._settings.close.max_view_motion_blur_px
        if self.followers and is_sharp:
            self.followers[0].add_frame(shown.view, detections, names)

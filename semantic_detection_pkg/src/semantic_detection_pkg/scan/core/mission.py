"""One goal being carried out: what has been seen, what waits, what is in hand, what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ros_support_pkg.core.pose_history import Pose, hfov_at_zoom
from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.candidate import Dossier, Frame
from semantic_detection_pkg.scan.core.candidate_list import CandidateList
from semantic_detection_pkg.scan.core.coverage import CoverageMap, Result
from semantic_detection_pkg.scan.core.findings import Conclusion, FindingBook
from semantic_detection_pkg.scan.core.goals import Word, read_words
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    FrameDetections,
    GimbalReading,
    Goal,
)
from semantic_detection_pkg.scan.core.path_following import Walk
from semantic_detection_pkg.scan.core.paths.walk import WalkSettings
from semantic_detection_pkg.scan.core.planning.sweep import SweepPlanner
from semantic_detection_pkg.scan.core.planning.view_planning import CloseView, TourCosts
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.delay import DelayEstimator
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker

_COUNTED_SHARE = 0.9  # of the sweep's resolution, from which a picture counts for the coverage
_ZOOM_REACHED = 0.97  # of the greatest zoom
_OLD_WORDS_NS = 2_000_000_000  # frames may be on their way for so long
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Plan:
    """How the goal is carried out with this gimbal and camera.

    Attributes:
        zoom: of the sweep.
        wide: lens and picture at zoom 1; where it looks does not matter.
        costs: of close views, with the greatest zoom that there is.
        cut: what was cut from the goal, in words; empty: nothing.
    """

    area: Area
    zoom: float
    wide: CameraView
    limits: GimbalLimits
    costs: TourCosts
    cut: str


@dataclass(frozen=True)
class Visit:
    """A close view being made.

    Attributes:
        since_ns: when it was chosen.
        arrived_ns: when it was reached; 0: not yet.
    """

    view: CloseView
    since_ns: int
    arrived_ns: int = 0


@dataclass(frozen=True)
class Question:
    """A question to the vision-language model under way."""

    request_id: int
    dossier: Dossier
    until_ns: int


class Mission:
    """The state of one goal.

    Attributes:
        plan: None until gimbal and camera were heard.
        visit: the close view in hand; None: none.
        question: the question in hand; None: none.
        is_touring: candidates are looked at, one view after the other.
        is_swept: nothing of the area is unseen, or the planner gave up.
        walks: paths that are to be followed, in order.
        delay: by which pictures and poses are out of step.
        vocabulary: what the detector answered to the words; empty: nothing yet.
        frame_ns: stamp of the newest frame; `tracks` stand for it.
    """

    def __init__(self, now_ns: int, goal: Goal, settings: ScanSettings) -> None:
        self.goal = goal
        self.started_ns = now_ns
        self.words: tuple[Word, ...] = read_words(goal.words)
        self.plan: Plan | None = None
        self.visit: Visit | None = None
        self.question: Question | None = None
        self.is_touring = False
        self.is_swept = False
        self.vocabulary: tuple[str, ...] = ()
        self.vocabulary_id = 0
        self.vocabulary_sent_ns = 0
        self.vocabulary_since_ns = 0
        labels = {word.name: word.label for word in self.words}
        self.candidates = CandidateList(settings, labels)
        self.findings = FindingBook(now_ns, settings.candidates)
        self.tracker = Tracker(settings.tracker)
        self.delay = DelayEstimator()
        self.tracks: tuple[Track, ...] = ()
        self.walks: list[Walk] = []
        self.frame_ns = 0
        self.detector = ""
        self._settings = settings
        self._coverage: CoverageMap | None = None
        self._planner: SweepPlanner | None = None

    @property
    def coverage(self) -> CoverageMap:
        """The record of what was seen; there once there is a plan."""
        assert self._coverage is not None, "the plan comes first"
        return self._coverage

    @property
    def planner(self) -> SweepPlanner:
        """The way of the sweep; there once there is a plan."""
        assert self._planner is not None, "the plan comes first"
        return self._planner

    @property
    def share_seen(self) -> float:
        """0..1 of the area."""
        return 0.0 if self._coverage is None else self._coverage.share_seen()

    @property
    def track_in_hand(self) -> int:
        """Of the question, else the first that the view in hand is for; 0: none."""
        if self.question is not None:
            return self.question.dossier.track.id
        return next((one.track.id for one in self.in_view()), 0)

    def in_view(self) -> list[Dossier]:
        """Candidates that the view in hand is for and that still want it."""
        if self.visit is None:
            return []
        found = (self.candidates.get(one) for one in self.visit.view.track_ids)
        return [one for one in found if one is not None and one.wants_view]

    def interrupt(self) -> None:
        """The camera is taken somewhere else: views and strips are planned anew after that."""
        self.visit = None
        if self._planner is not None:
            self._planner.interrupt()

    def lose_vocabulary(self, frame_ns: int) -> None:
        """A frame captured long after the words were taken knows others: tell them again."""
        if frame_ns - self.vocabulary_since_ns > _OLD_WORDS_NS:
            self.vocabulary = ()
            self.vocabulary_id = 0

    def carry_out(self, plan: Plan) -> None:
        """Begin, as planned."""
        self.plan = plan
        self.candidates.area = plan.area
        wide = plan.wide
        hfov_rad = hfov_at_zoom(wide.hfov_rad, plan.zoom)
        view = replace(wide, hfov_rad=hfov_rad)
        needs = replace(self._settings.seeing, pixels_per_rad=_COUNTED_SHARE * view.pixels_per_rad)
        self._coverage = CoverageMap(plan.area, self._settings.cell_rad, needs)
        self._planner = SweepPlanner(self._coverage, view, plan.limits, self._settings.sweep)

    def observe(self, frame: FrameDetections, poses: CameraPoses[GimbalReading]) -> None:
        """Take the detections of one frame, at the pose of its capture."""
        picture = frame.detections
        delay_s = self.delay.applied_s
        pose = _pose_at_capture(frame, poses, delay_s)
        if pose is None or frame.stamp_ns <= self.frame_ns:
            return
        view = poses.view_of(pose, picture.width, picture.height)
        self.frame_ns, self.detector = frame.stamp_ns, frame.model
        self.tracks = self.tracker.update(frame.stamp_ns, view, picture, frame.vocabulary)
        rates = (pose.yaw_rate_rad_s, pose.pitch_rate_rad_s)
        self.delay.update(frame.stamp_ns, view, *rates, self.tracks, delay_s)
        if self.plan is None:
            return
        self.coverage.see(view, frame.stamp_ns / _NS_PER_S, rates)
        nearest = _ZOOM_REACHED * self.plan.costs.zoom_max
        seen = Frame(
            frame.stamp_ns,
            view,
            self.coverage.needs.smear_of(view, rates),
            {track.id: track for track in self.tracks},
            is_nearest=pose.zoom >= nearest,
            picture=picture,
        )
        if self.walks and seen.smear_px <= self._settings.close.sharp_px:
            self.walks[0].observe(view, picture, frame.vocabulary)
        self.findings.follow(seen.tracks)
        for track in self.candidates.update(frame.stamp_ns, seen, frame.model):
            self.mark(track, Result.CANDIDATE)

    def follow(self, conclusion: Conclusion) -> None:
        """Walk along the path of a finding, when there is time."""
        plan = self.plan
        assert plan is not None, "the plan comes first"
        self.walks.append(
            Walk(conclusion, plan.wide, plan.costs.zoom_max, plan.limits, WalkSettings())
        )

    def mark(self, track: Track, result: Result) -> None:
        """Note on the map what is known of a track."""
        size = (track.width_rad, track.height_rad)
        self.coverage.mark((track.yaw_rad, track.pitch_rad), size, result)


def _pose_at_capture(
    frame: FrameDetections, poses: CameraPoses[GimbalReading], delay_s: float
) -> Pose | None:
    """Return where a frame looked: as published with it, unless pictures are out of step.

    The published pose is that of the stamp. With a delay the picture shows another moment, and
    carrying the pose on at its rates would be off by half the acceleration times the delay squared:
    the readings around that moment are better.
    """
    if frame.pose is not None and delay_s == 0.0:
        return frame.pose
    return poses.at(frame.stamp_ns + round(delay_s * _NS_PER_S))

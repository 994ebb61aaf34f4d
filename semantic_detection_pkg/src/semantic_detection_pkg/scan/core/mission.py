"""One goal from its acceptance to its end: what is known before there is a plan, and the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ros_support_pkg.core.pose_history import Pose
from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.scan.core.base_place import BasePlace
from semantic_detection_pkg.scan.core.goals import class_labels
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading, Goal
from semantic_detection_pkg.scan.core.mission_words import MissionWords
from semantic_detection_pkg.scan.core.search import Search, SearchPlan
from semantic_detection_pkg.scan.core.search_handover import go_on_otherwise, take_over
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground
from semantic_detection_pkg.scan.core.tracking.delay import DelayEstimator
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker

_NS_PER_S = 1_000_000_000


class Mission:
    """The state of one goal.

    Attributes:
        started_ns: [ns] of the scan's clock.
        stamp_ns: the same on the clock of the outside, for names; see `ScanClock`.
        search: None until there is a plan, which needs gimbal and camera.
        delay: by which pictures and poses are out of step.
        goal: as it was asked for; its words are those of the beginning.
        words: what is looked for now.
        frame_ns: stamp of the newest frame; `tracks` stand for it.
        is_fitted: the search's plan fits the gimbal and the camera that are there; that of a
            mission that was resumed is first compared with them, and nothing counts before.
        base_before: where the base was when the mission was interrupted, as far as it is not yet
            compared with where it is.
        is_refit_agreed: an operator agrees, once he goes on, to a plan that fits others.
    """

    def __init__(
        self, now_ns: int, goal: Goal, settings: ScanSettings, stamp_ns: int | None = None
    ) -> None:
        """Begin at `now_ns`; `stamp_ns` left out: the scan's clock is that of the outside."""
        self.goal = goal
        self.started_ns = now_ns
        self.stamp_ns = now_ns if stamp_ns is None else stamp_ns
        self.search: Search | None = None
        self.words = MissionWords(goal.words, mission=self.name)
        self.tracker = Tracker(settings.tracker)
        self.delay = DelayEstimator()
        self.tracks: Sequence[Track] = ()
        self.frame_ns = 0
        self.is_fitted = True
        self.is_refit_agreed = False
        self.base_before = BasePlace()
        self._settings = settings

    @property
    def name(self) -> str:
        """Return what names it for other nodes; the same after it was resumed."""
        return f"{self.goal.goal_id} {self.started_ns}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Return what the detector answered to the words; empty: nothing yet."""
        return self.words.vocabulary

    @property
    def goal_now(self) -> Goal:
        """Return the goal with the words that are looked for now."""
        return replace(self.goal, words=self.words.asked)

    @property
    def share_seen(self) -> float:
        """Return how much of the area has been seen, 0..1."""
        return 0.0 if self.search is None else self.search.coverage.share_seen()

    @property
    def is_asking(self) -> bool:
        """Return whether the VLM has a question to answer."""
        return self.search is not None and self.search.question is not None

    def begin_search(
        self,
        plan: SearchPlan,
        curves: DetectionCurves | None = None,
        ground: Ground | None = None,
    ) -> None:
        """Begin to search as planned; a search in hand goes on in the new one.

        Args:
            curves, ground: by which the first plan is made; None: not known yet.
        """
        before = self.search
        self.search = Search(self.stamp_ns, self.goal_now, plan, self._settings, self.words.names)
        self.search.use(curves, ground or Ground())
        if before is not None:
            take_over(self.search, before)

    def change_words(
        self, now_s: float, curves: DetectionCurves | None, ground: Ground
    ) -> int | None:
        """Go on with the words that are looked for now; what is new is searched from now on.

        Returns:
            The request of the question that is in hand no more; None: there was none.
        """
        before = self.search
        if before is None:
            return None
        before.interrupt()
        self.begin_search(before.plan, curves, ground)
        return None if self.search is None else go_on_otherwise(self.search, before, now_s)

    def compare_words(
        self, now_s: float, curves: DetectionCurves | None, ground: Ground
    ) -> int | None:
        """Go on with the classes as the detector has just answered them, where they are others.

        It may have no room for all of them now, or spell them in another way.

        Returns:
            As `change_words`.
        """
        search, words = self.search, self.words
        if search is None or not self.is_fitted:  # the plan that is still to come takes them
            return None
        is_same = class_labels(words.asked, words.names) == search.candidates.labels
        return None if is_same else self.change_words(now_s, curves, ground)

    def interrupt(self) -> None:
        """Drop what is under way: the camera is taken somewhere else."""
        if self.search is not None:
            self.search.interrupt()

    def add_frame(self, frame: FrameDetections, poses: CameraPoses[GimbalReading]) -> None:
        """Track the detections of one frame, and show it to the search if there is one."""
        delay_s = self.delay.applied_s
        pose = _pose_at_capture(frame, poses, delay_s)
        if pose is None or frame.stamp_ns <= self.frame_ns:
            return
        detections = frame.detections
        view = poses.view_of(pose, detections.width, detections.height)
        self.frame_ns = frame.stamp_ns
        tracks = self.tracks = self.tracker.update(
            frame.stamp_ns, view, detections, frame.vocabulary, frame.looks
        )
        rates = (pose.yaw_rate_rad_s, pose.pitch_rate_rad_s)
        self.delay.update(frame.stamp_ns, view, *rates, tracks.seen, delay_s)
        if self.search is not None and self.is_fitted:
            self.search.add_frame(frame, view, pose, tracks, counts=self.words.counts(frame))


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

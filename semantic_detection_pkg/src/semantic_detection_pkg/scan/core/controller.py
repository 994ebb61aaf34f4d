"""The scan controller: one pure step after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from py_trees.common import Status as TreeStatus

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S, Scene
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decision_builder import Wish
from semantic_detection_pkg.scan.core.evidence import Finding, VlmReply
from semantic_detection_pkg.scan.core.goals import check_goal
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    Attitude,
    Cancel,
    Decision,
    Fix,
    FrameDetections,
    GimbalReading,
    Goal,
    GoalResult,
    Input,
    InspectionResult,
    Pause,
    PointHere,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tree import build_tree

#: Ticks in one step: a leaf that is done lets the next one begin at once.
_TICKS_MAX = 8


class ScanController:
    """Sweeps, looks closer, decides and comes back.

    The same settings and the same sequence of (now_ns, inputs) give the same decisions, bit for
    bit. Within a step gimbal readings are taken first, then detections, then the rest, each in the
    order in which they were given.
    """

    def __init__(self, settings: ScanSettings | None = None) -> None:
        """Idle, without a goal."""
        self._scene = Scene(settings or ScanSettings())
        self._tree = build_tree(self._scene)

    @property
    def is_busy(self) -> bool:
        """Whether there is a goal, an operator, or a way to rest."""
        scene = self._scene
        has_work = scene.mission is not None or scene.operator is not None
        return has_work or scene.resting_since_ns > 0

    @property
    def goal(self) -> Goal | None:
        """The one in hand, with the area and zoom that it is carried out with."""
        mission = self._scene.mission
        if mission is None:
            return None
        plan = mission.plan
        if plan is None:
            return mission.goal
        return replace(mission.goal, area=plan.area, zoom=plan.zoom)

    @property
    def coverage(self) -> CoverageMap | None:
        """Of the goal in hand; None without one."""
        mission = self._scene.mission
        return None if mission is None or mission.plan is None else mission.coverage

    @property
    def tracks(self) -> tuple[Track, ...]:
        """After the newest frame."""
        mission = self._scene.mission
        return () if mission is None else mission.tracks

    @property
    def frame_ns(self) -> int:
        """Stamp of the frame that `tracks` stand for."""
        mission = self._scene.mission
        return 0 if mission is None else mission.frame_ns

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the goal in hand, the newest revision of each."""
        mission = self._scene.mission
        return () if mission is None else mission.findings.all

    @property
    def pose_delay_s(self) -> float:
        """[s] by which pictures and poses are out of step; NaN while unknown."""
        mission = self._scene.mission
        return math.nan if mission is None else mission.delay.estimate.delay_s

    @property
    def view(self) -> CameraView | None:
        """Where the camera looks now; None before gimbal and camera were heard."""
        scene = self._scene
        newest = scene.poses.newest
        if newest is None or scene.picture_size is None:
            return None
        return scene.poses.view_at(newest.stamp_ns, *scene.picture_size)

    def step(self, now_ns: int, inputs: Sequence[Input]) -> Decision:
        """Take what came since the last step and decide.

        Args:
            now_ns: [ns] since the epoch; a time before that of the last step counts as that.
            inputs: since the last step.
        """
        scene = self._scene
        now_ns = max(now_ns, scene.now_ns)
        scene.now_ns = now_ns
        scene.wish = Wish()
        for item in in_order(inputs):
            scene.losses.hear(now_ns, item)
            self._take(item)
        for _ in range(_TICKS_MAX):
            self._tree.tick_once()
            if self._tree.status is TreeStatus.RUNNING:
                break
        return scene.wish.decision(*scene.summary())

    def _take(self, item: Input) -> None:
        scene = self._scene
        if isinstance(item, GimbalReading):
            scene.poses.add(item)
        elif isinstance(item, FrameDetections):
            self._see(item)
        elif isinstance(item, Goal):
            self._begin(item)
        elif isinstance(item, Cancel):
            if scene.mission is not None and scene.mission.goal.goal_id == item.goal_id:
                scene.end_mission("cancelled", "cancelled")
        elif isinstance(item, PointHere):
            hold_ns = round(scene.settings.operator_hold_s * NS_PER_S)
            scene.operator = (item, scene.now_ns + hold_ns)
        elif isinstance(item, Pause):
            scene.is_paused = item.is_paused
        elif isinstance(item, Fix):
            scene.fix = item
        elif isinstance(item, Attitude):
            scene.attitude = item
        else:
            self._hear_answer(item)

    def _see(self, frame: FrameDetections) -> None:
        scene = self._scene
        scene.picture_size = (frame.detections.width, frame.detections.height)
        mission = scene.mission
        if mission is None:
            return
        if mission.vocabulary and frame.vocabulary != mission.vocabulary:
            mission.lose_vocabulary(frame.stamp_ns)
        mission.observe(frame, scene.poses)

    def _begin(self, goal: Goal) -> None:
        scene = self._scene
        try:
            check_goal(goal)
        except ConfigurationError as error:
            scene.wish.result = GoalResult(goal.goal_id, "aborted", str(error))
            return
        if scene.mission is not None:
            scene.end_mission("aborted", "another goal was given")
        scene.mission = Mission(scene.now_ns, goal, scene.settings)
        scene.resting_since_ns = 0
        scene.is_paused = False
        scene.forget_commands()

    def _hear_answer(self, item: Input) -> None:
        scene, mission = self._scene, self._scene.mission
        if mission is None:
            return
        if isinstance(item, VocabularyReply) and item.request_id == mission.vocabulary_id:
            if item.is_ok:
                mission.vocabulary = item.vocabulary
                mission.vocabulary_since_ns = scene.now_ns
            else:
                scene.end_mission("aborted", item.message)
        elif isinstance(item, InspectionResult):
            for dossier in mission.candidates.all:
                if dossier.inspect_id == item.request_id:
                    dossier.take(item)
        elif isinstance(item, VlmReply):
            question = mission.question
            if question is not None and question.request_id == item.request_id:
                question.dossier.take_answer(item)
                mission.question = None
                scene.losses.excuse(scene.now_ns)


def in_order(inputs: Sequence[Input]) -> list[Input]:
    """Gimbal readings, then detections, then the rest."""
    kinds = (GimbalReading, FrameDetections)

    def rank(item: Input) -> int:
        return next((i for i, kind in enumerate(kinds) if isinstance(item, kind)), len(kinds))

    return sorted(inputs, key=rank)

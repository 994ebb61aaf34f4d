"""The scan controller: one pure step after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from py_trees.common import Status as TreeStatus

from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Bearing
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S, Blackboard
from semantic_detection_pkg.scan.core.checkpoint import (
    Checkpoint,
    checkpoint_of,
    marks_of,
    resume_mission,
)
from semantic_detection_pkg.scan.core.checkpoint_encoding import from_text
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decision_builder import DecisionBuilder
from semantic_detection_pkg.scan.core.decisions import Decision, GoalResult
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.evaluate_candidates import evaluate_candidates
from semantic_detection_pkg.scan.core.evidence import Finding, VlmReply
from semantic_detection_pkg.scan.core.goals import check_goal
from semantic_detection_pkg.scan.core.ground_model import Place
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    BaseLost,
    Cancel,
    Fix,
    FrameDetections,
    GimbalReading,
    Goal,
    Input,
    InspectionResult,
    Pause,
    PointHere,
    Resume,
    SweepPlanned,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.mission_words import WordsChange
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.scan_clock import ScanClock
from semantic_detection_pkg.scan.core.search import PlanTask, Search, SearchProgress
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tree import build_tree

#: Ticks in one step: when a behaviour is done, what comes next begins at once.
_TICKS_MAX = 8


class ScanController:
    """Sweeps, looks closer, decides and comes back.

    The same settings and the same sequence of (now_ns, inputs) give the same decisions, bit for
    bit. Within a step gimbal readings are taken first, then detections, then the rest, each in the
    order in which they were given.
    """

    def __init__(self, settings: ScanSettings | None = None) -> None:
        """Begin idle, without a goal."""
        self._blackboard = Blackboard(settings or ScanSettings())
        self._clock = ScanClock()
        self._tree = build_tree(self._blackboard)

    @property
    def is_busy(self) -> bool:
        """Return whether there is a goal, an operator, or a way to rest."""
        blackboard = self._blackboard
        has_work = blackboard.mission is not None or blackboard.operator is not None
        return has_work or blackboard.resting_since_ns > 0

    @property
    def is_paused(self) -> bool:
        """Return whether an operator has paused it."""
        return self._blackboard.is_paused

    @property
    def goal(self) -> Goal | None:
        """Return the goal in hand, with the area, zoom and words of now."""
        mission, search = self._blackboard.mission, self._search
        if mission is None or search is None:
            return None if mission is None else mission.goal_now
        return replace(mission.goal_now, area=search.plan.area, zoom=search.plan.zoom)

    @property
    def goal_begun_ns(self) -> int:
        """Return when the goal in hand was begun, as its findings' ids have it; 0: no goal. [ns]"""
        mission = self._blackboard.mission
        return 0 if mission is None else mission.stamp_ns

    @property
    def mission_name(self) -> str:
        """Return what names the goal in hand for other nodes, see `Mission.name`; empty: none."""
        mission = self._blackboard.mission
        return "" if mission is None else mission.name

    @property
    def coverage(self) -> CoverageMap | None:
        """Return the map of the goal in hand; None before there is a plan."""
        return None if self._search is None else self._search.coverage

    @property
    def needs(self) -> NDArray[np.float64] | None:
        """Return how much a fine look is worth at each cell of `coverage`, 0..1; None without."""
        return None if self._search is None else self._search.needs()

    @property
    def looking(self) -> str:
        """Return how the detector is to look at pictures: "full", "tiles", "rotating"; "": any."""
        return "" if self._search is None else self._search.planner.looking

    @property
    def pod(self) -> PodMap | None:
        """Return the POD of the goal in hand; None before there is a plan."""
        return None if self._search is None else self._search.pod

    @property
    def progress(self) -> SearchProgress | None:
        """Return how far the search has come by its POD; None before there is a plan."""
        return None if self._search is None else self._search.progress(self._blackboard.now_s)

    @property
    def base(self) -> tuple[Fix, BaseAttitude] | None:
        """Return where the base was last known to be and how turned; None where one never was.

        Maps of the area are put there: bearings count from a base that stands.
        """
        fix, attitude = self._blackboard.fix, self._blackboard.attitude
        return None if fix is None or attitude is None else (fix, attitude)

    @property
    def sweep_task(self) -> PlanTask | None:
        """Return the plan to be made beside the steps; `SweepPlanned` says that it is."""
        return None if self._search is None else self._search.planner.task

    @property
    def now_s(self) -> float:
        """Return the time of the last step on the clock of `coverage`; it never falls. [s]"""
        return self._blackboard.now_s

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return the tracks after the newest frame."""
        mission = self._blackboard.mission
        return () if mission is None else self._clock.tracks_outward(mission.tracks)

    @property
    def frame_ns(self) -> int:
        """Return the stamp of the frame that `tracks` stand for."""
        mission = self._blackboard.mission
        return 0 if mission is None else self._clock.outward(mission.frame_ns)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the goal in hand, the newest revision of each."""
        search = self._search
        return () if search is None else self._clock.findings_outward(search.findings.all)

    @property
    def pose_delay_s(self) -> float:
        """Return by how much pictures and poses are out of step, NaN while unknown. [s]"""
        mission = self._blackboard.mission
        return math.nan if mission is None else mission.delay.estimate.delay_s

    @property
    def view(self) -> CameraView | None:
        """Return where the camera looks now; None before gimbal and camera were heard."""
        blackboard = self._blackboard
        newest = blackboard.poses.newest
        if newest is None or blackboard.picture_size is None:
            return None
        return blackboard.poses.view_at(newest.stamp_ns, *blackboard.picture_size)

    def checkpoint(self) -> Checkpoint | None:
        """Return what was reached, to be gone on with by another controller; None: no goal."""
        return checkpoint_of(self._blackboard, self._clock.record)

    def checkpoint_marks(self) -> Hashable:
        """Return what is different after each decision; None without a goal."""
        return marks_of(self._blackboard)

    def bearings_of(self, places: Sequence[Place]) -> list[Bearing]:
        """Return where places on the ground lie; see `GroundModel.bearings_of`."""
        blackboard = self._blackboard
        return blackboard.ground_model.bearings_of(places, *blackboard.base_now)

    def step(
        self, now_ns: int, inputs: Sequence[Input], on_tracked: Callable[[], object] | None = None
    ) -> Decision:
        """Apply what came since the last step, and return what is to be done.

        Args:
            now_ns: [ns] since the epoch. The clock may step: inside, time goes on evenly, and
                stamps in the decision are those that came in; see `ScanClock`.
            inputs: since the last step.
            on_tracked: called when the inputs are taken, before anything is decided by them.
        """
        blackboard = self._blackboard
        blackboard.decision = DecisionBuilder()
        for item in inputs:
            if isinstance(item, Resume):  # first of all: its clock reads the stamps of this step
                self._resume(now_ns, item)
        blackboard.now_ns = self._clock.advance(now_ns)
        for item in map(self._clock.input_inward, in_order(inputs)):
            blackboard.watchdog.note_input(blackboard.now_ns, item)
            self._apply(item)
        if self._search is not None:
            if any(isinstance(item, Resume) for item in inputs):  # no frame has brought them yet
                self._search.use(blackboard.curves, blackboard.ground)
            self._search.pod.now_s = blackboard.now_s
        if on_tracked is not None:
            on_tracked()
        for _ in range(_TICKS_MAX):
            blackboard.wants_tick = False
            evaluate_candidates(blackboard)
            self._tree.tick_once()
            if self._tree.status is TreeStatus.RUNNING and not blackboard.wants_tick:
                break
        return self._clock.decision_outward(blackboard.decision.build(*blackboard.summary()))

    @property
    def _search(self) -> Search | None:
        mission = self._blackboard.mission
        return None if mission is None else mission.search

    def _apply(self, item: Input) -> None:
        blackboard, mission = self._blackboard, self._blackboard.mission
        if isinstance(item, GimbalReading):
            blackboard.poses.add(item)
        elif isinstance(item, FrameDetections):
            self._add_frame(item)
        elif isinstance(item, Goal):
            self._begin(item)
        elif isinstance(item, Cancel):
            if mission is not None and mission.goal.goal_id == item.goal_id:
                blackboard.end_mission("cancelled", "cancelled")
        elif isinstance(item, PointHere):
            hold_ns = round(blackboard.settings.operator_hold_s * NS_PER_S)
            blackboard.operator = (item, blackboard.now_ns + hold_ns)
        elif isinstance(item, Pause):
            blackboard.is_paused, blackboard.pause_reason = item.is_paused, ""
        elif isinstance(item, Fix):
            blackboard.fix, blackboard.lost = item, blackboard.lost - {"fix"}
            self._compare_base(item)
        elif isinstance(item, BaseAttitude):
            blackboard.attitude, blackboard.lost = item, blackboard.lost - {"imu"}
            self._compare_base(item)
        elif isinstance(item, BaseLost):
            blackboard.lost |= {item.what}
        elif isinstance(item, DetectionCurves):
            blackboard.curves = item
        elif isinstance(item, Terrain):
            blackboard.ground_model.terrain = item
        elif isinstance(item, VocabularyReply):
            self._add_vocabulary(item)
        elif isinstance(item, WordsInForce):
            if mission is not None:
                self._change_words(mission, mission.words.follow(item, blackboard.now_ns))
        elif self._search is not None:
            self._add_answer(item, self._search)

    def _resume(self, now_ns: int, item: Resume) -> None:
        blackboard = self._blackboard
        if blackboard.mission is not None:
            return
        try:
            checkpoint = from_text(item.checkpoint)
            mission = resume_mission(checkpoint, blackboard.settings, now_ns)
            clock = ScanClock.resume(checkpoint.mission.clock, now_ns, item.elapsed_ns)
        except ValueError as error:
            blackboard.decision.notices.append(f"the mission cannot be resumed: {error}")
            return
        self._clock = clock
        blackboard.resume(mission, checkpoint.mission.request_count)
        found = 0 if mission.search is None else len(mission.search.findings.all)
        blackboard.decision.notices.append(
            f"the mission is resumed: {100 * mission.share_seen:.0f} % seen, {found} findings"
        )
        if item.reasons_to_ask:
            reasons = "; ".join(item.reasons_to_ask)
            blackboard.ask_operator(f"resumed, waits for an operator to go on or end it: {reasons}")
        elif checkpoint.mission.is_paused:
            blackboard.ask_operator("resumed, paused as it was before")

    def _compare_base(self, item: Fix | BaseAttitude) -> None:
        """Ask an operator where a mission was resumed at another place: bearings count from it."""
        mission = self._blackboard.mission
        if mission is None:
            return
        mission.base_before, moved = mission.base_before.compare(item)
        if moved:
            self._blackboard.ask_operator(
                f"resumed at another place, waits for an operator to go on or end it: {moved}"
            )

    def _add_frame(self, frame: FrameDetections) -> None:
        blackboard, mission = self._blackboard, self._blackboard.mission
        blackboard.picture_size = (frame.detections.width, frame.detections.height)
        if mission is None:
            return
        mission.words.compare(frame)
        if mission.search is not None:
            mission.search.use(blackboard.curves, blackboard.ground)
        mission.add_frame(frame, blackboard.poses)

    def _begin(self, goal: Goal) -> None:
        blackboard = self._blackboard
        try:
            check_goal(goal)
        except ConfigurationError as error:
            blackboard.decision.result = GoalResult(goal.goal_id, "aborted", str(error))
            return
        if blackboard.mission is not None:
            blackboard.end_mission("aborted", "another goal was given")
        stamp_ns = self._clock.outward(blackboard.now_ns)
        blackboard.mission = Mission(blackboard.now_ns, goal, blackboard.settings, stamp_ns)
        blackboard.resting_since_ns = 0
        blackboard.is_paused, blackboard.pause_reason = False, ""
        blackboard.repeat_commands()

    def _add_vocabulary(self, reply: VocabularyReply) -> None:
        blackboard, mission = self._blackboard, self._blackboard.mission
        if mission is None or reply.request_id != mission.words.request_id:
            return
        if not reply.is_ok and reply.since_ns:
            self._change_words(mission, mission.words.give_way(reply, blackboard.now_ns))
            return
        if not reply.is_ok:
            blackboard.end_mission("aborted", reply.message)
            return
        if reply.message:  # words that the model has no room for
            blackboard.decision.notices.append(reply.message)
        change = mission.words.answer(reply, blackboard.now_ns)
        if change is not None:
            self._change_words(mission, change)
            return
        situation = blackboard.now_s, blackboard.curves, blackboard.ground
        self._cancel_question(mission.compare_words(*situation))

    def _change_words(self, mission: Mission, change: WordsChange | None) -> None:
        """Go on with what an operator has asked of the detector; None: with what it is."""
        blackboard = self._blackboard
        if change is None:
            return
        if not change.words:
            blackboard.end_mission("aborted", f"{change.text}: nothing is left to look for")
            return
        if change.text:
            blackboard.decision.notices.append(change.text)
        situation = blackboard.now_s, blackboard.curves, blackboard.ground
        self._cancel_question(mission.change_words(*situation))

    def _cancel_question(self, dropped: int | None) -> None:
        """Take back a question that is in hand no more; None: there is none."""
        blackboard = self._blackboard
        if dropped is not None:
            blackboard.decision.cancel_asks.append(dropped)

    def _add_answer(self, item: Input, search: Search) -> None:
        blackboard = self._blackboard
        if isinstance(item, InspectionResult):
            for one in search.candidates.all:
                request = one.evidence.crop_request
                if request is not None and request.request_id == item.request_id:
                    one.add_inspection(item)
        elif isinstance(item, SweepPlanned):
            search.planner.add_plan(item.number)
        elif isinstance(item, VlmReply):
            question = search.question
            if question is not None and question.request_id == item.request_id:
                question.candidate.add_answer(item)
                search.question = None
                blackboard.watchdog.restart_detections_timeout(blackboard.now_ns)


def in_order(inputs: Sequence[Input]) -> list[Input]:
    """Return the inputs in the order in which they are applied: readings, detections, the rest."""
    kinds = (GimbalReading, FrameDetections)

    def rank(item: Input) -> int:
        return next((i for i, kind in enumerate(kinds) if isinstance(item, kind)), len(kinds))

    return sorted(inputs, key=rank)

"""Leaves of Level 1: get ready, sweep, and come to an end."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.behaviours.behaviour import Leaf
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.goals import fit_goal, limits_of
from semantic_detection_pkg.scan.core.inputs_and_decisions import Level, VocabularyRequest
from semantic_detection_pkg.scan.core.mission import Plan


class Prepare(Leaf):
    """Tell the detector the words, and fit the goal to the gimbal."""

    level = Level.SWEEP

    def update(self) -> Status:
        mission = self.mission
        if not mission.vocabulary:
            return self._tell_words()
        if mission.plan is None:
            return self._plan()
        return Status.FAILURE

    def _tell_words(self) -> Status:
        scene, mission = self.scene, self.mission
        waited_s = (scene.now_ns - mission.vocabulary_sent_ns) / NS_PER_S
        if not mission.vocabulary_id or waited_s >= scene.settings.losses.vocabulary_s:
            mission.vocabulary_id = scene.number()
            mission.vocabulary_sent_ns = scene.now_ns
            scene.wish.vocabulary = VocabularyRequest(mission.vocabulary_id, mission.goal.words)
        return self.running("tells the detector what to look for")

    def _plan(self) -> Status:
        scene, mission = self.scene, self.mission
        if scene.picture_size is None:
            return self.running("waits for a first picture")
        reading = scene.reading
        try:
            area, zoom, cut = fit_goal(mission.goal, reading, scene.settings)
            limits = limits_of(reading, scene.settings.gimbal)
            wide = CameraView(0.0, 0.0, 0.0, scene.poses.hfov_rad(1.0), *scene.picture_size)
            zoom_max = min(scene.settings.tour.zoom_max, max(reading.zoom_max, 1.0))
            costs = replace(scene.settings.tour, zoom_max=zoom_max)
            mission.carry_out(Plan(area, zoom, wide, limits, costs, cut))
        except ConfigurationError as error:
            scene.end_mission("aborted", str(error))
            return Status.SUCCESS
        if cut:
            scene.wish.notices.append(cut)
        return Status.FAILURE


class Sweep(Leaf):
    """Go on with the sweep; nothing to do where all is seen."""

    level = Level.SWEEP

    def update(self) -> Status:
        scene, mission = self.scene, self.mission
        assert mission.plan is not None, "prepare comes first"
        if mission.is_swept:
            return Status.FAILURE
        rates = mission.planner.rates(scene.now_s, scene.axis)
        if rates is None:
            mission.is_swept = True
            return Status.SUCCESS  # candidates that waited for this come before the end
        scene.zoom_to(mission.plan.zoom)
        scene.turn(rates)
        return self.running("sweeps the area")


class Finish(Leaf):
    """All is seen and nothing waits: begin again, or end."""

    level = Level.SWEEP

    def update(self) -> Status:
        scene, mission = self.scene, self.mission
        if mission.goal.is_repeating:
            mission.coverage.forget_older(scene.now_s, 0.0)
            mission.planner.restart()
            mission.is_swept = False
            return self.running("the area is covered: begins again")
        seen = mission.share_seen
        message = "the area is covered"
        if mission.planner.is_stuck:
            message = f"{100 * (1 - seen):.1f} % of the area could not be seen"
        scene.end_mission("succeeded", message)
        return Status.SUCCESS

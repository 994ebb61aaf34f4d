"""Behaviours of Level 1: get ready, sweep, and come to an end."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.behaviours.behaviour import ScanBehaviour, SearchBehaviour
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.decisions import VocabularyRequest
from semantic_detection_pkg.scan.core.goals import fit_goal, gimbal_limits
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.search import Search, SearchPlan


class PrepareSearch(ScanBehaviour):
    """Tell the detector the words, and fit the goal to the gimbal; fails where it does not fit."""

    level = Level.SWEEP

    def update(self) -> Status:
        mission = self.blackboard.mission
        if mission is None:
            return Status.SUCCESS
        if not mission.vocabulary:
            return self._tell_words(mission)
        is_ready = mission.search is not None and mission.is_fitted
        return Status.SUCCESS if is_ready else self._plan(mission)

    def _tell_words(self, mission: Mission) -> Status:
        blackboard = self.blackboard
        words, timeouts = mission.words, blackboard.settings.input_timeouts
        waited_s = (blackboard.now_ns - words.sent_ns) / NS_PER_S
        if not words.request_id or waited_s >= timeouts.vocabulary_timeout_s:
            words.request(blackboard.next_request_id(), blackboard.now_ns)
            blackboard.decision.vocabulary = VocabularyRequest(words.request_id, words.asked)
        return self.running("telling the detector what to look for")

    def _plan(self, mission: Mission) -> Status:
        blackboard, settings = self.blackboard, self.blackboard.settings
        if blackboard.picture_size is None:
            return self.running("waiting for the first picture")
        reading = blackboard.reading
        try:
            area, zoom, cut = fit_goal(mission.goal, reading, settings)
            limits = gimbal_limits(reading, settings.gimbal)
            hfov_rad = blackboard.poses.hfov_rad(1.0)
            wide = CameraView(0.0, 0.0, 0.0, hfov_rad, *blackboard.picture_size)
            zoom_max = min(settings.view_planning.zoom_max, max(reading.zoom_max, 1.0))
            costs = replace(settings.view_planning, zoom_max=zoom_max)
            plan = SearchPlan(area, zoom, wide, limits, costs, cut)
            if not self._may_begin(mission, plan):
                return self.again()
            mission.begin_search(plan, blackboard.curves, blackboard.ground)
            mission.is_fitted = True
            if mission.search is not None and mission.search.lacks_room:
                blackboard.decision.notices.append(
                    "planner: the area has too many cells to know a probability of each, so it is "
                    "swept; a greater cell_size_deg helps"
                )
        except ConfigurationError as error:
            blackboard.end_mission("aborted", str(error))
            return Status.FAILURE
        if cut:
            blackboard.decision.notices.append(cut)
        return Status.SUCCESS

    def _may_begin(self, mission: Mission, plan: SearchPlan) -> bool:
        """Return whether to go by a plan; an operator agrees to lose what was seen by another."""
        search = mission.search
        if search is None or search.can_go_on(plan) or mission.is_refit_agreed:
            return True
        mission.is_refit_agreed = True
        self.blackboard.ask_operator(
            "the camera, or what the gimbal reaches, is not what it was before the mission was "
            "resumed: go on and see all of it anew with the findings kept, or end it"
        )
        return False


class SweepArea(SearchBehaviour):
    """Go on with the sweep until everything is seen."""

    level = Level.SWEEP

    def advance(self, search: Search) -> Status:
        blackboard = self.blackboard
        if search.is_swept:
            return Status.SUCCESS
        search.has_begun = True
        zoom = blackboard.reading.zoom
        rates = search.planner.rates(blackboard.now_s, blackboard.camera_state, zoom)
        if rates is None and search.planner.is_blind:
            blackboard.decision.notices.append(
                "planner: where the ground is taken to be, nothing of the area can be seen from "
                "here, so it is swept; camera_height_m or a terrain_file may help"
            )
            search.sweep_instead()
            return self.again()
        if rates is None:
            search.is_swept = True
            return self.again()  # candidates that waited for this come before the end
        blackboard.zoom_to(search.planner.zoom)
        blackboard.set_rates(rates)
        return self.running(search.planner.reason)


class FinishSearch(SearchBehaviour):
    """When everything is seen and nothing waits, begin again or end the goal."""

    level = Level.SWEEP

    def advance(self, search: Search) -> Status:
        blackboard = self.blackboard
        if search.goal.is_repeating:
            search.begin_round(blackboard.now_s)
            return self.running("the area is covered: starting again")
        blackboard.end_mission("succeeded", search.planner.outcome())
        return self.again()

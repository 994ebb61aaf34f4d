"""Behaviours of Level 2: close views of candidates, until Tiers 1 and 2 are settled."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.behaviours.behaviour import SearchBehaviour
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction
from semantic_detection_pkg.scan.core.planning.view_planning import plan_views
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.search import Search
from semantic_detection_pkg.scan.core.search_tasks import Visit

_ZOOM_REACHED = 0.06  # of the zoom
_FRAMES_SLACK = 0.25  # of the interval of frames: so much longer than they take


class CloseLookBehaviour(SearchBehaviour):
    """A behaviour that works on the view in hand."""

    level = Level.CLOSE

    def about(self, what: str, search: Search) -> Status:
        """Take the gimbal for the candidates in view."""
        names = [f"{one.track.class_name} {one.track.id}" for one in search.in_view()]
        return self.running(f"{what} {', '.join(names[:3])}{' ...' if names[3:] else ''}")


class ChooseView(CloseLookBehaviour):
    """Choose the next close view, once the sweep is done or a candidate waits for too long."""

    def advance(self, search: Search) -> Status:
        blackboard = self.blackboard
        self._end_visit(search)
        if search.visit is not None:
            return Status.SUCCESS
        wanting = [one for one in search.candidates.all if one.may(CandidateAction.VIEW)]
        wait_s = search.candidates.longest_wait_s(blackboard.now_ns)
        is_time = search.is_swept
        is_time = is_time or wait_s >= blackboard.settings.candidates.max_candidate_wait_s
        if not is_time and search.planner.wants_closer_looks:
            wanting, is_time = [one for one in wanting if search.is_likely(one)], True
        if not wanting or not (is_time or search.is_viewing):
            search.is_viewing = False
            return Status.SUCCESS
        targets = [one.view_target for one in wanting if self._is_due(one, search.frame_ns)]
        if not targets:
            return self.running("waiting for the results of the last views")
        if not search.is_viewing:
            search.is_viewing = True
            search.planner.interrupt()
        plan, reading = search.plan, blackboard.reading
        zoom = reading.zoom if reading.zoom >= 1.0 else 1.0
        tour = plan_views(
            targets, blackboard.camera_state, zoom, plan.wide, plan.limits, plan.costs
        )
        search.visit = Visit(tour[0], blackboard.now_ns)
        for candidate in search.in_view():
            candidate.drop_view()
        return Status.SUCCESS

    def _is_due(self, candidate: Candidate, frame_ns: int) -> bool:
        """Return whether it needs another view now; after too many it is given up."""
        now_ns, evidence = self.blackboard.now_ns, candidate.evidence
        if now_ns < evidence.results_due_ns or candidate.awaits_frames(frame_ns):
            return False
        if evidence.views < self.blackboard.settings.close.max_views:
            return True
        # Not "undecided": the tiers may still decide by what these views have shown.
        views = f"{evidence.views} close view{'' if evidence.views == 1 else 's'}"
        candidate.give_up(now_ns, f"after {views}")
        return False

    def _end_visit(self, search: Search) -> None:
        """End the view in hand when no candidate wants it any more, or it had its time.

        Results of its frames come while the camera is on its way to the next view.
        """
        visit, left = search.visit, search.in_view()
        if visit is None or (left and not self._had_its_time(search, visit)):
            return
        now_ns = self.blackboard.now_ns
        due_ns = now_ns + round(self.blackboard.settings.close.answer_s * NS_PER_S)
        is_missed = not visit.arrived_ns and search.frame_ns >= visit.since_ns
        for candidate in left:
            candidate.end_view(now_ns, due_ns, is_missed=is_missed)
        search.visit = None

    def _had_its_time(self, search: Search, visit: Visit) -> bool:
        """Return whether the way was too long, or the stay; a slow camera takes longer."""
        now_ns, settings = self.blackboard.now_ns, self.blackboard.settings.close
        if not visit.arrived_ns:
            return now_ns - visit.since_ns >= settings.approach_timeout_s * NS_PER_S
        stayed_ns = now_ns - visit.arrived_ns
        if stayed_ns < settings.max_dwell_s * NS_PER_S:
            return False
        frames_ns = (settings.min_view_frames + _FRAMES_SLACK) * search.frame_interval_ns
        is_complete = all(one.is_view_complete for one in search.in_view())
        return is_complete or stayed_ns >= frames_ns


class ApproachView(CloseLookBehaviour):
    """Point and zoom at once; a candidate that has the view alone is followed as it moves."""

    def advance(self, search: Search) -> Status:
        blackboard, visit = self.blackboard, search.visit
        if visit is None:
            return Status.SUCCESS
        target = self._target(search, visit)
        blackboard.point_at(target)
        blackboard.zoom_to(visit.view.zoom)
        if visit.arrived_ns:
            return Status.SUCCESS
        if not self._is_there(search, visit, target):
            return self.about("approaching", search)
        search.visit = replace(visit, arrived_ns=blackboard.now_ns)
        for candidate in search.in_view():
            candidate.begin_view(blackboard.now_ns)
        return Status.SUCCESS

    def _target(self, search: Search, visit: Visit) -> BearingState:
        view = visit.view
        alone = search.candidates.get(view.track_ids[0]) if len(view.track_ids) == 1 else None
        if alone is None:
            return BearingState(self.blackboard.now_s, view.yaw_rad, view.pitch_rad)
        track = alone.track
        return BearingState(
            search.frame_ns / NS_PER_S,  # tracks stand where they are at the newest frame
            track.yaw_rad,
            track.pitch_rad,
            track.yaw_rate_rad_s,
            track.pitch_rate_rad_s,
        )

    def _is_there(self, search: Search, visit: Visit, target: BearingState) -> bool:
        blackboard, reading = self.blackboard, self.blackboard.reading
        hfov_rad = blackboard.poses.hfov_rad(reading.zoom)
        near_rad = blackboard.settings.close.arrival_share * hfov_rad
        limits = search.plan.limits
        yaw, pitch = limits.nearest(target.at(blackboard.now_s))
        axis = blackboard.camera_state
        is_pointed = (
            abs(limits.turn(axis.yaw_rad, yaw)) <= near_rad
            and abs(pitch - axis.pitch_rad) <= near_rad
        )
        zoom = visit.view.zoom
        return is_pointed and abs(reading.zoom - zoom) <= _ZOOM_REACHED * zoom


class WatchCandidates(CloseLookBehaviour):
    """Stay in the view while Tier 1 counts the frames that show its candidates."""

    tier = 1

    def advance(self, search: Search) -> Status:
        if all(one.may(CandidateAction.CLASSIFY) for one in search.in_view()):
            return Status.SUCCESS
        return self.about("watching", search)


class AwaitClassifier(CloseLookBehaviour):
    """Stay in the view while Tier 2 classifies its candidates; then the next view is chosen."""

    tier = 2

    def advance(self, search: Search) -> Status:
        if search.visit is None:
            return Status.SUCCESS
        return self.about("classifying", search) if search.in_view() else self.again()

"""Leaves of Level 2: views of candidates, closer and closer, until each has its verdict."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from semantic_detection_pkg.scan.core.behaviours.behaviour import Leaf
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.candidate import Dossier
from semantic_detection_pkg.scan.core.coverage import Result
from semantic_detection_pkg.scan.core.evidence import FindingState
from semantic_detection_pkg.scan.core.findings import Conclusion, position_of
from semantic_detection_pkg.scan.core.inputs_and_decisions import AskRequest, InspectRequest, Level
from semantic_detection_pkg.scan.core.mission import Question, Visit
from semantic_detection_pkg.scan.core.planning.view_planning import plan_tour
from semantic_detection_pkg.scan.core.pointing import Motion
from semantic_detection_pkg.scan.core.tiers import conclude

_ZOOM_REACHED = 0.06  # of the zoom

_RESULTS = {
    FindingState.CONFIRMED: Result.FINDING,
    FindingState.REJECTED: Result.REJECTED,
    FindingState.UNCERTAIN: Result.CANDIDATE,
}


class Weigh(Leaf):
    """Weigh the evidence of all candidates, order crops, conclude what is ripe.

    It never has the gimbal: what the sweep shows large enough is decided without a closer look.
    """

    def update(self) -> Status:
        scene, candidates = self.scene, self.mission.candidates
        under_way = sum(one.inspect_id > 0 for one in candidates.all)
        for dossier in candidates.all:
            if under_way < scene.settings.tiers.inspections_at_once or dossier.inspect_id:
                under_way += self._order(dossier)
            dossier.judge(scene.now_ns)
            if dossier.is_ripe and candidates.get(dossier.first_id) is dossier:
                self._conclude(dossier)
        return Status.FAILURE

    def _order(self, dossier: Dossier) -> int:
        scene = self.scene
        shown = dossier.order(scene.now_ns, scene.number)
        if shown is None:
            return 0
        request = InspectRequest(dossier.inspect_id, shown.frame_ns, shown.box_xyxy)
        scene.wish.inspect.append(request)
        return 1

    def _conclude(self, dossier: Dossier) -> None:
        scene, mission = self.scene, self.mission
        state, score, _ = conclude(dossier.tiers, scene.settings.tiers)
        mission.mark(dossier.track, _RESULTS[state])
        mission.candidates.decide(scene.now_ns, dossier)
        best = dossier.best
        if best is None and state is FindingState.REJECTED:
            return  # a ghost of the sweep: there is nothing to show
        track = dossier.track
        is_path = dossier.label in scene.settings.tiers.path_words
        conclusion = Conclusion(
            state=state,
            score=score,
            tiers=tuple(dossier.tiers[tier] for tier in sorted(dossier.tiers)),
            answers=dossier.answers,
            track=track,
            frame_ns=best.frame_ns if best is not None else track.last_seen_ns,
            box_xyxy=best.box_xyxy if best is not None else track.box_xyxy,
            position=position_of(
                track, scene.fix, scene.attitude, scene.settings.ground_height_m, is_path
            ),
            path=dossier.shape.seen_path() if dossier.shape is not None else None,
        )
        scene.wish.findings.append(mission.findings.record(scene.now_ns, conclusion))
        if is_path and state is FindingState.CONFIRMED:
            mission.follow(conclusion)


class CloserLeaf(Leaf):
    """A leaf that works on the view in hand."""

    level = Level.CLOSE

    @property
    def view_in_hand(self) -> Visit:
        """The view in hand; `choose view` comes first."""
        visit = self.mission.visit
        assert visit is not None, f"{self.name} runs without a view"
        return visit

    def told(self, what: str) -> Status:
        """RUNNING, about the candidates in view."""
        names = [f"{one.track.class_name} {one.track.id}" for one in self.mission.in_view()]
        return self.running(f"{what} {', '.join(names[:3])}{' ...' if names[3:] else ''}")


class ChooseView(CloserLeaf):
    """The next close view, when the sweep is done or a candidate waits for too long."""

    def update(self) -> Status:
        scene, mission = self.scene, self.mission
        self._end_visit()
        if mission.visit is not None:
            return Status.SUCCESS
        wanting = [one for one in mission.candidates.all if one.wants_view]
        waits_s = mission.candidates.waits_longest_s(scene.now_ns)
        is_time = mission.is_swept or waits_s >= scene.settings.candidates.wait_max_s
        if not wanting or not (is_time or mission.is_touring):
            mission.is_touring = False
            return Status.FAILURE
        sought = [one.sought for one in wanting if self._is_open(one)]
        if not sought:
            return self.running("waits for what the last views show")
        if not mission.is_touring:
            mission.is_touring = True
            mission.planner.interrupt()
        plan = mission.plan
        assert plan is not None, "prepare comes first"
        zoom = scene.reading.zoom if scene.reading.zoom >= 1.0 else 1.0
        tour = plan_tour(sought, scene.axis, zoom, plan.wide, plan.limits, plan.costs)
        mission.visit = Visit(tour[0], scene.now_ns)
        return Status.SUCCESS

    def _is_open(self, dossier: Dossier) -> bool:
        """Whether it wants another view now; after too many it is given up."""
        now_ns = self.scene.now_ns
        if now_ns < dossier.waits_until_ns:
            return False
        if dossier.views < self.scene.settings.close.views_max:
            return True
        dossier.give_up(now_ns, f"not decided in {dossier.views} views")
        return False

    def _end_visit(self) -> None:
        """Nobody wants the view any more, or enough frames were captured in it.

        What they show is told while the camera is on its way to the next view.
        """
        scene, mission, settings = self.scene, self.mission, self.scene.settings.close
        visit, left = mission.visit, mission.in_view()
        if visit is None:
            return
        if visit.arrived_ns:
            is_late = scene.now_ns - visit.arrived_ns >= settings.view_s * NS_PER_S
        else:
            is_late = scene.now_ns - visit.since_ns >= settings.approach_s * NS_PER_S
        if left and not is_late:
            return
        for dossier in left:
            dossier.views += 1
            dossier.waits_until_ns = scene.now_ns + round(settings.answer_s * NS_PER_S)
        mission.visit = None


class Approach(CloserLeaf):
    """Point and zoom at once; one that is looked at alone is gone along with."""

    def update(self) -> Status:
        scene, mission, visit = self.scene, self.mission, self.view_in_hand
        view = visit.view
        target = Motion(scene.now_s, view.yaw_rad, view.pitch_rad)
        alone = mission.candidates.get(view.track_ids[0]) if len(view.track_ids) == 1 else None
        if alone is not None:
            track = alone.track
            target = Motion(
                mission.frame_ns / NS_PER_S,  # tracks stand where they are at the newest frame
                track.yaw_rad,
                track.pitch_rad,
                track.yaw_rate_rad_s,
                track.pitch_rate_rad_s,
            )
        scene.steer(target)
        scene.zoom_to(view.zoom)
        if visit.arrived_ns:
            return Status.SUCCESS
        if not self._is_there(target):
            return self.told("approaches")
        mission.visit = replace(visit, arrived_ns=scene.now_ns)
        return Status.SUCCESS

    def _is_there(self, target: Motion) -> bool:
        scene, reading = self.scene, self.scene.reading
        near_rad = scene.settings.close.arrival_share * scene.poses.hfov_rad(reading.zoom)
        limits = self.mission.plan.limits if self.mission.plan is not None else None
        assert limits is not None, "prepare comes first"
        yaw, pitch = limits.nearest(target.at(scene.now_s))
        is_pointed = (
            abs(limits.turn(reading.yaw_rad, yaw)) <= near_rad
            and abs(pitch - reading.pitch_rad) <= near_rad
        )
        zoom = self.view_in_hand.view.zoom
        return is_pointed and abs(reading.zoom - zoom) <= _ZOOM_REACHED * zoom


class Detector(CloserLeaf):
    """Tier 1: are they seen close up, frame after frame?"""

    tier = 1

    def update(self) -> Status:
        if all(1 in one.tiers for one in self.mission.in_view()):
            return Status.SUCCESS
        return self.told("watches")


class Classifier(CloserLeaf):
    """Tier 2: what does the classifier call them?"""

    tier = 2

    def update(self) -> Status:
        if not self.mission.in_view():
            return Status.SUCCESS
        return self.told("classifies")


class Ask(CloserLeaf):
    """Tier 3: questions to the vision-language model about what is not sure, after all else.

    Each takes seconds and takes the GPU from the detector.
    """

    tier = 3

    def update(self) -> Status:
        scene, mission = self.scene, self.mission
        question = mission.question
        if question is None:
            if not any(one.wants_model for one in mission.candidates.all):
                return Status.FAILURE
            question = self._next()
            if question is None:
                return Status.SUCCESS  # none could be put: they are weighed without
        dossier = question.dossier
        if scene.now_ns >= question.until_ns:
            scene.wish.cancel_asks.append(question.request_id)
            mission.question = None
            dossier.skip_model(f"no answer within {scene.settings.tiers.vlm_timeout_s:g} s")
            return Status.SUCCESS
        scene.losses.excuse(scene.now_ns)
        track = dossier.track
        scene.steer(Motion(scene.now_s, track.yaw_rad, track.pitch_rad))
        return self.running(f"asks the model about {track.class_name} {track.id}")

    def _next(self) -> Question | None:
        """Put the next question; those that cannot be put are skipped, in words."""
        scene, mission = self.scene, self.mission
        timeout_s = scene.settings.tiers.vlm_timeout_s
        for dossier in mission.candidates.all:
            if not dossier.wants_model:
                continue
            if scene.losses.gpu.is_degraded:
                dossier.skip_model(f"the model is off: {scene.losses.gpu.reason}")
            elif not dossier.picture:
                dossier.skip_model("there is no picture to ask about")
            else:
                until_ns = scene.now_ns + round(timeout_s * NS_PER_S)
                mission.question = Question(scene.number(), dossier, until_ns)
                scene.wish.ask.append(
                    AskRequest(
                        mission.question.request_id, dossier.picture, dossier.label, timeout_s
                    )
                )
                return mission.question
        return None

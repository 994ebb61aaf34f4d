"""The behaviour of Tier 3: questions to the VLM, after all else."""

from __future__ import annotations

from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.behaviours.behaviour import SearchBehaviour
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction
from semantic_detection_pkg.scan.core.decisions import AskRequest
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.search import Search
from semantic_detection_pkg.scan.core.search_tasks import VlmQuestion


class AskVlm(SearchBehaviour):
    """Ask the VLM about candidates that Tiers 1 and 2 leave open, one at a time, after all else.

    Each question takes seconds and takes the GPU from the detector.
    """

    level = Level.CLOSE
    tier = 3

    def advance(self, search: Search) -> Status:
        blackboard = self.blackboard
        question = search.question
        if question is None:
            waiting = [one for one in search.candidates.all if one.may(CandidateAction.ASK)]
            if not waiting:
                return Status.SUCCESS
            question = search.question = self._next(waiting)
            if question is None:
                return self.again()  # none could be put: they are decided without
        if blackboard.now_ns >= question.until_ns:
            blackboard.decision.cancel_asks.append(question.request_id)
            search.question = None
            timeout_s = blackboard.settings.tiers.vlm_timeout_s
            question.candidate.skip_vlm(f"no answer within {timeout_s:g} s")
            return self.again()
        blackboard.watchdog.restart_detections_timeout(blackboard.now_ns)
        track = question.candidate.track
        blackboard.point_at(BearingState(blackboard.now_s, track.yaw_rad, track.pitch_rad))
        return self.running(f"asking the VLM about {track.class_name} {track.id}")

    def _next(self, waiting: list[Candidate]) -> VlmQuestion | None:
        """Put the next question; candidates that none can be put about are skipped, in words."""
        blackboard = self.blackboard
        timeout_s = blackboard.settings.tiers.vlm_timeout_s
        gpu = blackboard.watchdog.gpu
        for candidate in waiting:
            picture_id = candidate.evidence.picture_id
            if gpu.is_degraded:
                candidate.skip_vlm(f"the model is off: {gpu.reason}")
            elif not picture_id:
                candidate.skip_vlm("there is no picture to ask about")
            else:
                candidate.begin_question()
                request_id = blackboard.next_request_id()
                blackboard.decision.ask.append(
                    AskRequest(request_id, picture_id, candidate.label, timeout_s)
                )
                until_ns = blackboard.now_ns + round(timeout_s * NS_PER_S)
                return VlmQuestion(request_id, candidate, until_ns)
        return None

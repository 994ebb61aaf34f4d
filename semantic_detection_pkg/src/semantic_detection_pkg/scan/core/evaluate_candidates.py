"""The step before the tree: draw up what the evidence allows, and order what is missing.

It never has the gimbal, so it is no behaviour: what the sweep shows large enough is decided without
a closer look.
"""

from __future__ import annotations

from ros_support_pkg.core.words import CellResult, FindingState
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction
from semantic_detection_pkg.scan.core.findings import Conclusion, foot_pitch_rad, position_of
from semantic_detection_pkg.scan.core.search import Search

_RESULTS = {
    FindingState.CONFIRMED: CellResult.FINDING,
    FindingState.REJECTED: CellResult.REJECTED,
    FindingState.UNCERTAIN: CellResult.CANDIDATE,
}


def evaluate_candidates(blackboard: Blackboard) -> None:
    """Order crops, evaluate the evidence of all candidates, conclude those that are decided.

    Nothing is done while something else comes before the search: a loss, an operator, a pause.
    """
    search = blackboard.active_search()
    if search is None:
        return
    candidates = search.candidates
    known = candidates.all
    under_way = sum(one.evidence.crop_request is not None for one in known)
    for one in known:
        has_request = one.evidence.crop_request is not None
        if has_request or under_way < blackboard.settings.tiers.inspections_at_once:
            request = one.order_crop(blackboard.now_ns, blackboard.next_request_id)
            if request is not None:
                blackboard.decision.inspect.append(request)
                under_way += 1
        one.evaluate(blackboard.now_ns)
        # One that was the same thing as another that has just been concluded is none any more.
        if one.may(CandidateAction.CONCLUDE) and candidates.get(one.first_id) is one:
            _conclude(one, search, blackboard)


def _conclude(candidate: Candidate, search: Search, blackboard: Blackboard) -> None:
    state, score = candidate.conclude()
    track, evidence = candidate.track_as_seen, candidate.evidence
    search.mark(track, _RESULTS[state])
    search.candidates.retire(blackboard.now_ns, candidate)
    best, tiers = evidence.best, evidence.by_tier
    if best is None and state is FindingState.REJECTED:
        return  # a ghost of the sweep: there is nothing to show
    settings = blackboard.settings
    is_path = candidate.label in settings.tiers.path_classes
    fix, attitude = blackboard.base_now
    foot = track.yaw_rad, foot_pitch_rad(track, is_path)
    ground_m = blackboard.ground_model.height_at_m(foot, fix, attitude)
    conclusion = Conclusion(
        state=state,
        score=score,
        tiers=tuple(tiers[tier] for tier in sorted(tiers)),
        answers=evidence.answers,
        track=track,
        frame_ns=best.frame_ns if best is not None else track.last_seen_ns,
        box_xyxy=best.box_xyxy if best is not None else track.box_xyxy,
        position=position_of(track, fix, attitude, ground_m, is_path),
        path=evidence.mask.to_path_course() if evidence.mask is not None else None,
    )
    blackboard.decision.findings.append(search.findings.record(blackboard.now_ns, conclusion))
    if is_path and state is FindingState.CONFIRMED:
        search.follow_path(conclusion)

"""Tier 3 of a thing that was recorded: whether it is asked for, and what its answer comes to."""

from __future__ import annotations

from dataclasses import replace

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.archive.core.evaluation import Sighted
from semantic_detection_pkg.common.core.picture_questions import PictureAnswer
from semantic_detection_pkg.scan.core.evidence import TierResult, VlmReply
from semantic_detection_pkg.scan.core.settings import TierSettings
from semantic_detection_pkg.scan.core.tiers import combine_tiers, needs_vlm, vlm_result


def asking_settings(recorded: TierSettings, policy: str = "") -> TierSettings:
    """Return the rules by which it is asked.

    Args:
        recorded: those of the mission, or the default.
        policy: as `TierSettings.vlm_policy`; empty: the mission's, where it asked at all.
    """
    known = recorded.vlm_policy if recorded.vlm_policy != "never" else "unsure"
    return replace(recorded, vlm_policy=policy or known)


def is_open(what: Sighted, settings: TierSettings) -> bool:
    """Return whether the model is to be asked about it."""
    tiers = {tier.tier: tier for tier in what.tiers}
    return 1 in tiers and 2 in tiers and needs_vlm(tiers, settings)


def with_answer(
    what: Sighted, answer: PictureAnswer, number: int, settings: TierSettings
) -> Sighted:
    """Return it as the answer has it; without an answer as it was, with a word that says so.

    How long an answer took is left out: of a recording it tells nothing, and differs each time.

    Args:
        number: of the question.
    """
    if not answer.is_answered:
        missing = TierResult(3, Verdict.NOT_RUN, 0.0, answer.reason)
        return replace(what, tiers=(*what.tiers, missing))
    reply = VlmReply(
        number,
        answer.verdict,
        answer.confidence,
        answer.confidence_source,
        answer.text,
        answer.reason,
        answer.cause,
        answer.question,
        answer.prompt_id,
        answer.model,
        what.best_ns,
    )
    tiers = (*what.tiers, vlm_result(reply))
    state, score = combine_tiers({one.tier: one for one in tiers}, settings, what.close_score)
    return replace(what, tiers=tiers, answers=(reply,), state=state, score=score)

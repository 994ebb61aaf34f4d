"""The result of each tier, and the verdict of all: pure functions over evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.common.core.labels import NO_WORD
from semantic_detection_pkg.scan.core.evidence import TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.settings import TierSettings
from semantic_detection_pkg.scan.core.sprt import Sprt

_LEAST_PROBABILITY = 1e-6  # a classifier is never surer than that


def detector_result(
    sprt: Sprt, settings: TierSettings, model: str, frames_ns: tuple[int, ...]
) -> TierResult:
    """Return Tier 1's result: is it still seen, close up, frame after frame?"""
    seen, looked = sprt.hits, sprt.hits + sprt.misses
    return TierResult(
        tier=1,
        verdict=sprt.verdict(settings.error_rate),
        score=sprt.probability,
        reason=f"seen in {seen} of {looked} close frames",
        model=model,
        frames_ns=frames_ns,
    )


def pool_probabilities(inspections: Sequence[InspectionResult]) -> dict[str, float]:
    """Return the probability of each label over several crops of one thing.

    The geometric mean, made to add up to 1: crops of one thing are no independent witnesses, so
    several that agree do not make it surer than one.
    """
    said = [one for one in inspections if not one.error and one.labels]
    if not said:
        return {}
    logs = dict.fromkeys(said[0].labels, 0.0)
    for one in said:
        for label, probability in zip(one.labels, one.probabilities, strict=True):
            if label in logs:
                logs[label] += math.log(max(probability, _LEAST_PROBABILITY)) / len(said)
    total = sum(math.exp(value) for value in logs.values())
    return {label: math.exp(value) / total for label, value in logs.items()}


def classifier_result(
    label: str, inspections: Sequence[InspectionResult], settings: TierSettings, geometry: str = ""
) -> TierResult:
    """Return Tier 2's result: what does the classifier call it?

    Args:
        label: what it is called if it is what is looked for.
        inspections: the classifier's answers, failed ones too.
        geometry: of its mask, in words; a supporting number, it decides nothing.
    """
    shares = pool_probabilities(inspections)
    said = [one for one in inspections if not one.error and one.labels]
    model = said[-1].model if said else ""
    frames_ns = tuple(one.frame_ns for one in said)
    note = f"; {geometry}" if geometry else ""
    if not said:
        why = next((one.error for one in reversed(inspections) if one.error), "")
        small = next((one.model for one in inspections if one.model and not one.error), "")
        if small:
            why = "no opinion: the crops are smaller than what the classifier was made for"
        reason = why or "there is no classifier"
        return TierResult(2, Verdict.NOT_RUN, 0.0, reason + note, small, frames_ns)
    if label not in shares:
        reason = f"no opinion: the classifier does not know '{label}'"
        return TierResult(2, Verdict.NOT_RUN, 0.0, reason + note, model, frames_ns)
    share = shares[label]
    best = max(shares, key=lambda name: shares[name])
    if best == NO_WORD:
        reason = f"no opinion: {label} {share:.2f}, for the rest the classifier has no word"
        return TierResult(2, Verdict.NOT_RUN, 0.0, reason + note, model, frames_ns)
    if share >= settings.classifier_accept_threshold:
        verdict = Verdict.YES
    else:
        verdict = Verdict.NO if share <= settings.classifier_reject_threshold else Verdict.UNSURE
    crops = "crop" if len(said) == 1 else "crops"
    rival = f", {best} {shares[best]:.2f}" if best != label else ""
    reason = f"{label} {share:.2f}{rival} over {len(said)} {crops}"
    return TierResult(2, verdict, share, reason + note, model, frames_ns)


def has_no_opinion(label: str, inspections: Sequence[InspectionResult]) -> bool:
    """Return whether Tier 2 cannot say anything of a label, however many crops it is shown.

    Larger crops may still help a classifier for which these were too small.
    """
    answers = [one for one in inspections if not one.error]
    if any(one.labels for one in answers):
        return label not in pool_probabilities(inspections)
    return bool(answers) and not any(one.model for one in answers)


def vlm_result(reply: VlmReply) -> TierResult:
    """Return Tier 3's result: what does the vision-language model say?"""
    what = reply.reason or reply.text or reply.cause
    cause = f" ({reply.cause})" if reply.cause and reply.cause != what else ""
    return TierResult(
        tier=3,
        verdict=reply.verdict,
        score=reply.confidence,
        reason=f"{what}{cause}" or "no reason given",
        model=reply.model,
        frames_ns=(reply.frame_ns,) if reply.frame_ns else (),
        elapsed_s=reply.latency_s,
    )


def needs_vlm(tiers: Mapping[int, TierResult], settings: TierSettings) -> bool:
    """Return whether Tier 3 is to be asked after Tiers 1 and 2."""
    if settings.vlm_policy == "never" or tiers[1].verdict is Verdict.NO:
        return False
    if settings.vlm_policy == "always":
        return tiers[2].verdict is not Verdict.NO
    return tiers[2].verdict not in (Verdict.YES, Verdict.NO)


def combine_tiers(
    tiers: Mapping[int, TierResult], settings: TierSettings, close_score: float = 1.0
) -> tuple[FindingState, float]:
    """Return the verdict of all tiers that ran, and its score, 0..1.

    Args:
        close_score: the detector's best score of it close up. Tier 1 says that something is there
            frame after frame, and so is what a detector takes a thing for by mistake. Where nobody
            else has an opinion, the detector must hold it more likely than not.

    The highest tier that says yes or no decides. A missing or unreadable answer is never a no: it
    leaves the finding uncertain, or what the lower tiers say is likelier where the settings ask
    for that.
    """
    first, second, third = tiers[1], tiers.get(2), tiers.get(3)
    if first.verdict is Verdict.NO:
        return FindingState.REJECTED, first.score
    decided = {Verdict.YES: FindingState.CONFIRMED, Verdict.NO: FindingState.REJECTED}
    for result in (third, second):
        if result is not None and result.verdict in decided:
            return decided[result.verdict], result.score
    is_classified = second is not None and second.verdict is Verdict.UNSURE
    score = second.score if second is not None and is_classified else 0.0
    if settings.vlm_unavailable_policy == "lower":
        score = score or first.score
        is_told = score >= 0.5 and (is_classified or close_score >= settings.detector_accept_score)
        state = FindingState.CONFIRMED if is_told else FindingState.UNCERTAIN
        return state, score
    return FindingState.UNCERTAIN, score

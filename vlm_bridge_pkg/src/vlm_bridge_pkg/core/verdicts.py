"""From a model's words to a verdict. Whatever cannot be read is "unsure", never "no"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ros_support_pkg.core.words import Verdict

_WORDS = {
    "yes": Verdict.YES,
    "no": Verdict.NO,
    "unsure": Verdict.UNSURE,
    "uncertain": Verdict.UNSURE,
}
_THINKING = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"</?s>|<\|[^|>]*\|>|```\w*|[*_#>`]")
_LETTERS = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Reading:
    """What one answer says.

    Attributes:
        cause: why it is unsure: "empty", "unreadable", "contradiction", "unsure"; else empty.
        confidence: 0..1 from the probabilities of the first word; None: they are not known.
    """

    verdict: Verdict
    reason: str = ""
    cause: str = ""
    confidence: float | None = None


def read_answer(text: str, first_logprobs: Mapping[str, float] | None = None) -> Reading:
    """Read an answer: its first word is the verdict, the rest is the reason. Never raises."""
    plain = _MARKUP.sub("", _THINKING.sub("", text)).strip()
    if not plain:
        return Reading(Verdict.UNSURE, cause="empty")
    first_line, _, rest = plain.partition("\n")
    words = _LETTERS.findall(first_line.lower())
    reason = " ".join((rest or first_line).split())[:300]
    if not words or words[0] not in _WORDS:
        return Reading(Verdict.UNSURE, reason, "unreadable")
    # "no" inside a sentence that begins with "yes" is a word like any other only in a reason.
    if len({_WORDS[word] for word in words if word in _WORDS}) > 1:
        return Reading(Verdict.UNSURE, reason, "contradiction")
    verdict = _WORDS[words[0]]
    cause = "unsure" if verdict is Verdict.UNSURE else ""
    return Reading(verdict, reason, cause, _probability(verdict, first_logprobs or {}))


def _probability(verdict: Verdict, logprobs: Mapping[str, float]) -> float | None:
    """p(verdict) / (p(yes) + p(no)) over the first token and its rivals."""
    shares = {Verdict.YES: 0.0, Verdict.NO: 0.0}
    for token, logprob in logprobs.items():
        side = _WORDS.get(token.strip().lower())
        if side in shares and logprob <= 0.0:  # NaN and more than certainty are no probabilities
            shares[side] += math.exp(logprob)
    total = sum(shares.values())
    return shares[verdict] / total if verdict in shares and total > 0.0 else None


@dataclass(frozen=True)
class Judgement:
    """What all answers to one goal say together.

    Attributes:
        confidence: 0..1; of an unsure verdict 0.
        source: "logprobs", "agreement" or "none".
    """

    verdict: Verdict
    confidence: float
    source: str
    reason: str
    cause: str


def judge(readings: Sequence[tuple[Reading, bool]]) -> Judgement:
    """Put the answers together.

    Args:
        readings: one or more; each with whether its question was negated.
    """
    first = readings[0][0]
    votes = [one.verdict.negated() if is_negated else one.verdict for one, is_negated in readings]
    if {Verdict.YES, Verdict.NO} <= set(votes):
        return Judgement(Verdict.UNSURE, 0.0, "agreement", first.reason, "contradiction")
    decided = [vote for vote in votes if vote is not Verdict.UNSURE]
    share = len(decided) / len(votes)
    if share <= 0.5:
        source = "agreement" if len(votes) > 1 else "none"
        cause = next((one.cause for one, _ in readings if one.cause), "unsure")
        return Judgement(Verdict.UNSURE, 0.0, source, first.reason, cause)
    if first.confidence is not None:
        return Judgement(decided[0], first.confidence, "logprobs", first.reason, "")
    if len(votes) == 1:
        return Judgement(decided[0], 0.0, "none", first.reason, "")
    return Judgement(decided[0], share, "agreement", first.reason, "")

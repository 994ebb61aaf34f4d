"""From a model's words to a verdict. Whatever cannot be read is "unsure", never "no"."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.foreign_text import in_one_line
from vlm_bridge_pkg.core.answer_text import read_verdict, says_it_is_there

_WORDS = {"yes": Verdict.YES, "no": Verdict.NO}
_REASON_CHARS = 300
#: Up to the verdict of an answer in JSON.
_FIELD = re.compile(r'[\s`]*(?:json)?\s*\{\s*"(?:answer|verdict)"\s*:\s*"?\s*', re.IGNORECASE)
_MARKS = " \t\n\"'{}:,.`"


@dataclass(frozen=True)
class AnswerReading:
    """What one answer says.

    Attributes:
        cause: why it is unsure, as `answer_text.read_verdict` names it; else empty.
        confidence: 0..1 from the probabilities of the verdict; None: they are not known.
    """

    verdict: Verdict
    reason: str = ""
    cause: str = ""
    confidence: float | None = None


def read_answer(
    text: str, logprobs: Mapping[str, float] | None = None, names: Collection[str] = ()
) -> AnswerReading:
    """Read one answer; see `answer_text`. Never raises.

    Args:
        logprobs: of the token that is the verdict and its rivals, by text; see
            `logprobs_of_verdict`.
        names: of what a "no" says that it is not there.
    """
    verdict, reason, cause = read_verdict(text)
    if verdict is Verdict.NO and says_it_is_there(reason, names):
        verdict, cause = Verdict.UNSURE, "contradiction"
    confidence = _probability(verdict, logprobs or {})
    return AnswerReading(verdict, reason[:_REASON_CHARS], cause, confidence)


def without_answer(cause: str, why: str) -> AnswerReading:
    """Return the reading of no answer; `why` is in words of the service or of the way there."""
    words = in_one_line(" ".join(why.split()))
    return AnswerReading(Verdict.UNSURE, words[:_REASON_CHARS], cause)


def logprobs_of_verdict(
    tokens: Sequence[tuple[str, Mapping[str, float]]],
) -> Mapping[str, float]:
    """Return the logprobs of the token that is the verdict: in JSON its field's, else the first.

    Args:
        tokens: the first of an answer, each with the logprobs of it and its rivals.
    """
    text = "".join(token for token, _ in tokens)
    field = _FIELD.match(text)
    place = field.end() if field else 0
    end = 0
    for token, rivals in tokens:
        end += len(token)
        if end > place:
            return rivals
    return {}


def _probability(verdict: Verdict, logprobs: Mapping[str, float]) -> float | None:
    """Return p(verdict) / (p(yes) + p(no)) over a token and its rivals.

    Only the most likely tokens are told, of a bound answer before the binding. So "no" may be
    missing beside "yes": then it is taken to be as likely as it can be, which is as the last one
    told (at temperature 0 the verdict is the likeliest of its choices), or as what is left of 1.
    """
    told = []
    shares: dict[Verdict, float] = {}
    for token, logprob in logprobs.items():
        if not logprob <= 0.0:  # NaN and more than certainty are no probabilities
            continue
        told.append(math.exp(logprob))
        if side := _WORDS.get(token.strip(_MARKS).lower()):
            shares[side] = shares.get(side, 0.0) + told[-1]
    if verdict not in shares:
        return None
    most = max(0.0, min(*told, 1.0 - sum(told)))
    total = shares[verdict] + shares.get(verdict.negated(), most)
    return shares[verdict] / total if total > 0.0 else None


@dataclass(frozen=True)
class CombinedReading:
    """The verdict of all answers to one goal.

    Attributes:
        confidence: 0..1; of an unsure verdict 0.
        source: "logprobs", "agreement" or "none".
    """

    verdict: Verdict
    confidence: float
    source: str
    reason: str
    cause: str


def combine_readings(readings: Sequence[tuple[AnswerReading, bool]]) -> CombinedReading:
    """Combine the answers to one goal into one verdict.

    Args:
        readings: one or more; each with whether its question was negated.
    """
    first = readings[0][0]
    votes = [one.verdict.negated() if is_negated else one.verdict for one, is_negated in readings]
    if {Verdict.YES, Verdict.NO} <= set(votes):
        return CombinedReading(Verdict.UNSURE, 0.0, "agreement", first.reason, "contradiction")
    decided = [vote for vote in votes if vote is not Verdict.UNSURE]
    share = len(decided) / len(votes)
    if share <= 0.5:
        source = "agreement" if len(votes) > 1 else "none"
        cause = next((one.cause for one, _ in readings if one.cause), "unsure")
        return CombinedReading(Verdict.UNSURE, 0.0, source, first.reason, cause)
    if first.confidence is not None:
        return CombinedReading(decided[0], first.confidence, "logprobs", first.reason, "")
    if len(votes) == 1:
        return CombinedReading(decided[0], 0.0, "none", first.reason, "")
    return CombinedReading(decided[0], share, "agreement", first.reason, "")

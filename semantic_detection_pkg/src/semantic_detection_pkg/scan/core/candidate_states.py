"""The life of a candidate: its states, why they change, and what may be done in each of them.

The numbers that the causes are derived from are in `candidate_evidence`, the decisions in
`candidate`. Close views are no states: one view serves several candidates, so it belongs to the
search, and frames count as evidence whichever view they were captured in.
"""

from __future__ import annotations

from enum import Enum


class CandidateState(Enum):
    """What is known of a candidate, by the tier that is at work on it."""

    __hash__ = object.__hash__  # each is one object; every step asks many times

    DETECTING = "detecting"  # Tier 1 counts the close frames that show it
    SEARCHING = "searching"  # it is not where it was: Tier 1 begins again, in a wider view
    CLASSIFYING = "classifying"  # Tier 2 classifies crops of it
    REFINING = "refining"  # Tier 2 was unsure: it classifies larger crops
    AWAITING_VLM = "awaiting_vlm"  # Tier 3 is wanted, its question waits for its turn
    ASKING_VLM = "asking_vlm"
    DECIDED = "decided"  # all tiers are done, the verdict is not drawn up yet
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"


class CandidateCause(Enum):
    """Why a candidate's state changes."""

    DETECTED = "seen in enough close frames"
    NOT_DETECTED = "not seen where it was"
    FOUND = "seen again"
    UNSURE = "the classifier is unsure at this size"
    VLM_WANTED = "Tiers 1 and 2 leave it to the VLM"
    SETTLED = "Tiers 1 and 2 settle it"
    ASKED = "the VLM is asked"
    NOT_ASKED = "the VLM cannot be asked"
    ANSWERED = "the VLM answered"
    NOT_ANSWERED = "no answer came in time"
    CONFIRMED = "the tiers say yes"
    REJECTED = "the tiers say no"
    LEFT_OPEN = "the tiers do not say"
    PICTURE_LOST = "the picture to ask about is gone"


class CandidateAction(Enum):
    """What the search does with a candidate."""

    __hash__ = object.__hash__

    OBSERVE = "count frames as evidence"
    VIEW = "plan close views of it"
    INSPECT = "send crops of it to the classifier"
    LOOK_AROUND = "look for it farther from where it was"
    CLASSIFY = "weigh the classifier's results"
    ASK = "put a question about it to the VLM"
    CONCLUDE = "draw up its finding"


_S, _C = CandidateState, CandidateCause

#: States in which Tiers 1 and 2 are open.
_OPEN = (_S.DETECTING, _S.SEARCHING, _S.CLASSIFYING, _S.REFINING)

TRANSITIONS: dict[tuple[CandidateState, CandidateCause], CandidateState] = {
    (_S.DETECTING, _C.DETECTED): _S.CLASSIFYING,
    (_S.DETECTING, _C.NOT_DETECTED): _S.SEARCHING,
    (_S.SEARCHING, _C.FOUND): _S.DETECTING,
    (_S.CLASSIFYING, _C.NOT_DETECTED): _S.SEARCHING,
    (_S.CLASSIFYING, _C.UNSURE): _S.REFINING,
    (_S.REFINING, _C.NOT_DETECTED): _S.SEARCHING,
    **{(state, _C.VLM_WANTED): _S.AWAITING_VLM for state in _OPEN},
    **{(state, _C.SETTLED): _S.DECIDED for state in _OPEN},
    (_S.AWAITING_VLM, _C.ASKED): _S.ASKING_VLM,
    (_S.AWAITING_VLM, _C.NOT_ASKED): _S.DECIDED,
    (_S.ASKING_VLM, _C.ANSWERED): _S.DECIDED,
    (_S.ASKING_VLM, _C.NOT_ANSWERED): _S.DECIDED,
    (_S.AWAITING_VLM, _C.PICTURE_LOST): _S.CLASSIFYING,
    (_S.ASKING_VLM, _C.PICTURE_LOST): _S.CLASSIFYING,
    (_S.DECIDED, _C.CONFIRMED): _S.CONFIRMED,
    (_S.DECIDED, _C.REJECTED): _S.REJECTED,
    (_S.DECIDED, _C.LEFT_OPEN): _S.UNCERTAIN,
}

_GATHER = frozenset({CandidateAction.OBSERVE, CandidateAction.VIEW, CandidateAction.INSPECT})

ALLOWED: dict[CandidateState, frozenset[CandidateAction]] = {
    _S.DETECTING: _GATHER,
    _S.SEARCHING: _GATHER | {CandidateAction.LOOK_AROUND},
    _S.CLASSIFYING: _GATHER | {CandidateAction.CLASSIFY},
    _S.REFINING: _GATHER | {CandidateAction.CLASSIFY},
    _S.AWAITING_VLM: frozenset({CandidateAction.ASK}),
    _S.ASKING_VLM: frozenset(),
    _S.DECIDED: frozenset({CandidateAction.CONCLUDE}),
    # With a verdict it is no candidate any more, until the cooldown is over.
    _S.CONFIRMED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.UNCERTAIN: frozenset(),
}

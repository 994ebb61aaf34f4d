"""Whose turn it is on the GPU, how turns follow each other, and the numbers that rule them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ros_support_pkg.core.settings import setting


class TurnState(Enum):
    """Whose turn it is."""

    STARTING = "starting"  # nothing is known yet
    DETECTOR = "detector"
    PAUSING = "pausing"  # the detector is asked to stop, for `pending`
    LEASED = "leased"
    RECLAIMING = "reclaiming"  # no lease is valid, the kernel lock may be held
    RESUMING = "resuming"  # the detector is brought up
    HELD = "held"  # the detector stays as an operator has left it


class Cause(Enum):
    """Why the turn changes."""

    FOUND_ACTIVE = "the detector is active"
    FOUND_FREE = "the detector is not active and nobody computes"
    FOUND_HELD = "somebody else computes"
    TURN = "the GPU goes to a lease"
    BY_HAND = "the detector was deactivated by an operator: activate it by hand"
    LOST = "the detector is not active any more"
    IDLE = "the detector is idle"
    STUCK = "the detector did not stop in time"
    RELEASED = "the lease was given back"
    EXPIRED = "the lease ran out"
    FREED = "nobody computes"


TRANSITIONS: dict[tuple[TurnState, Cause], TurnState] = {
    (TurnState.STARTING, Cause.FOUND_ACTIVE): TurnState.DETECTOR,
    (TurnState.STARTING, Cause.FOUND_FREE): TurnState.RESUMING,
    (TurnState.STARTING, Cause.FOUND_HELD): TurnState.RECLAIMING,
    (TurnState.DETECTOR, Cause.TURN): TurnState.PAUSING,
    (TurnState.DETECTOR, Cause.LOST): TurnState.RESUMING,
    (TurnState.DETECTOR, Cause.BY_HAND): TurnState.HELD,
    (TurnState.PAUSING, Cause.IDLE): TurnState.LEASED,
    (TurnState.PAUSING, Cause.STUCK): TurnState.RESUMING,
    (TurnState.LEASED, Cause.RELEASED): TurnState.RECLAIMING,
    (TurnState.LEASED, Cause.EXPIRED): TurnState.RECLAIMING,
    (TurnState.RECLAIMING, Cause.FREED): TurnState.RESUMING,
    (TurnState.RECLAIMING, Cause.FOUND_ACTIVE): TurnState.DETECTOR,
    (TurnState.RESUMING, Cause.FOUND_ACTIVE): TurnState.DETECTOR,
    (TurnState.RESUMING, Cause.FOUND_HELD): TurnState.RECLAIMING,
    (TurnState.RESUMING, Cause.BY_HAND): TurnState.HELD,
    (TurnState.HELD, Cause.FOUND_ACTIVE): TurnState.DETECTOR,
    (TurnState.HELD, Cause.LOST): TurnState.RESUMING,
}


@dataclass(frozen=True)
class ArbiterRules:
    """The arbiter's numbers; times in seconds.

    Attributes:
        answer_timeout_s: after which an unanswered question about the detector is asked again.
        max_waiting: requests that may wait.
        max_backoff_s: longest time for which requests are refused.
        retry_s, retry_max_s: wait after a failed transition of the detector; it doubles.
    """

    pause_timeout_s: float = setting(
        1.0, "time in which the detector must stop", minimum=0.1, maximum=60.0
    )
    answer_timeout_s: float = 1.0
    grace_period_s: float = setting(
        1.0,
        "from the end of a lease to the end of a process that still computes",
        minimum=0.1,
        maximum=60.0,
        formerly=("grace_s",),
    )
    max_lease_s: float = setting(20.0, "longest lease", minimum=0.1, maximum=600.0)
    min_dwell_s: float = setting(
        1.0, "the detector's shortest turn between two leases", minimum=0.0, maximum=600.0
    )
    # The detector's turn grows with the lease before it.
    max_share: float = setting(
        0.5, "share of the time that leases may take", minimum=0.05, maximum=1.0
    )
    max_waiting: int = 8
    max_failures: int = setting(
        3, "failed leases in a row until requests are refused for a while", minimum=1, maximum=100
    )
    initial_backoff_s: float = setting(
        10.0,
        "how long requests are refused at first; it doubles",
        minimum=0.1,
        maximum=600.0,
        formerly=("off_s",),
    )
    max_backoff_s: float = 300.0
    retry_s: float = 0.2
    retry_max_s: float = 5.0

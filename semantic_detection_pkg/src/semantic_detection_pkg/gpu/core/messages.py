"""What the arbiter hears (events) and what it wants done (commands).

Times are seconds on one monotonic clock, given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Life(Enum):
    """What is known of the detector's lifecycle."""

    UNKNOWN = "unknown"  # no answer in time
    ABSENT = "absent"  # no such node, or it has ended
    UNCONFIGURED = "unconfigured"
    INACTIVE = "inactive"
    HELD = "held"  # unconfigured or inactive: an operator has deactivated it
    ACTIVE = "active"


class Transition(Enum):
    """A lifecycle transition to be asked for."""

    CONFIGURE = "configure"
    CLEANUP = "cleanup"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True)
class Request:
    """Somebody wants the GPU.

    Attributes:
        number: of the caller, unique; the answer names it.
        holder: instance id of who asks.
        priority: higher goes first.
        duration_s: how long it is needed at most, > 0.
        wait_until_s: when the wait for a turn is over.
    """

    number: int
    holder: str
    purpose: str
    priority: int
    duration_s: float
    wait_until_s: float


@dataclass(frozen=True)
class Lease:
    """The GPU is `holder`'s until `until_s`; `epoch` goes with every piece of work."""

    epoch: int
    holder: str
    purpose: str
    since_s: float
    until_s: float


@dataclass(frozen=True)
class Asked:
    """Event: a request came in."""

    request: Request


@dataclass(frozen=True)
class Released:
    """Event: the holder gives its lease back. `number` is the caller's; the answer names it."""

    number: int
    holder: str
    epoch: int


@dataclass(frozen=True)
class DetectorIs:
    """Event: the state after `QueryDetector` or `Order` number `serial`; `UNKNOWN`: no answer."""

    serial: int
    life: Life


@dataclass(frozen=True)
class LockIs:
    """Event: the answer to `ProbeLock`."""

    is_free: bool


@dataclass(frozen=True)
class Tick:
    """Event: time has passed."""


Event = Asked | Released | DetectorIs | LockIs | Tick


@dataclass(frozen=True)
class QueryDetector:
    """Command: find out the detector's lifecycle state; one `DetectorIs` follows."""

    serial: int


@dataclass(frozen=True)
class Order:
    """Command: ask the detector for a transition, then look; one `DetectorIs` follows."""

    serial: int
    transition: Transition


@dataclass(frozen=True)
class ProbeLock:
    """Command: try the kernel lock; one `LockIs` follows before any other event."""


@dataclass(frozen=True)
class Publish:
    """Command: write the newest epoch where the GPU's users check it, before going on.

    Work under a lower epoch must not begin any more.
    """

    epoch: int


@dataclass(frozen=True)
class EndHolder:
    """Command: end the process that holds the kernel lock."""


@dataclass(frozen=True)
class Answer:
    """Command: answer `Asked` or `Released` number `number`; `reason` is empty on success."""

    number: int
    reason: str = ""
    lease: Lease | None = None


Command = QueryDetector | Order | ProbeLock | Publish | EndHolder | Answer

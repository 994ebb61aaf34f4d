"""The GPU's arbiter: events in, commands out.

The detector has the GPU by default. For a lease it is deactivated; the lease is granted when the
detector says that it is idle and the kernel lock proves it. However a lease ends, its epoch is made
void first, so that no work begins under it any more; then the kernel lock must be free; then the
detector comes back. A lease that runs out is therefore never taken for a free GPU: the arbiter
waits, and after a grace has the process ended that holds the lock.

    STARTING -> DETECTOR <-> PAUSING -> LEASED -> RECLAIMING -> RESUMING -> DETECTOR

What an operator has deactivated is left so (HELD) until it is activated by hand or is another
process. The detector itself knows whose word it was, so no order of an arbiter, however late or of
whichever run, is taken for an operator's.

`turns.TRANSITIONS` is the whole table. The fail-safe state is: detector active, requests refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from semantic_detection_pkg.gpu.core.messages import (
    Answer,
    Asked,
    Command,
    DetectorIs,
    EndHolder,
    Event,
    Lease,
    Life,
    LockIs,
    Order,
    ProbeLock,
    Publish,
    QueryDetector,
    Released,
    Request,
    Tick,
    Transition,
)
from semantic_detection_pkg.gpu.core.turns import TRANSITIONS, ArbiterRules, Cause, TurnState

#: The way up, one transition at a time.
_WAY_UP = {Life.UNCONFIGURED: Transition.CONFIGURE, Life.INACTIVE: Transition.ACTIVATE}

_STEPS_UP = 2

#: States in which the detector cannot be the one that computes.
_AT_REST = {Life.ABSENT, Life.UNCONFIGURED, Life.INACTIVE, Life.HELD}


@dataclass(frozen=True)
class Arbiter:
    """Everything the arbiter knows. Make the first one with `start`, the next with `step`.

    Attributes:
        epoch: newest ever published; never falls.
        reason: of the last change, in words.
        until_s: when the present mode's patience ends.
        life: newest known state of the detector.
        serial: of the newest question about the detector; older answers are ignored.
        ask_again_s: when the open question counts as lost; None: none is open.
        orders: on the way up, since the detector was last made anew.
        wait_s: before the next order on the way up but one; it doubles.
        retry_s: no order on the way up before this.
        owed_s: how long the detector's next turn is assured.
        dwell_until_s: end of the detector's assured turn.
        failures: leases that failed in a row.
        off_until_s: requests are refused until then.
    """

    rules: ArbiterRules = field(hash=False)  # many states share them
    epoch: int
    mode: TurnState = TurnState.STARTING
    reason: str = "started"
    until_s: float = 0.0
    life: Life = Life.UNKNOWN
    serial: int = 0
    ask_again_s: float | None = None
    orders: int = 0
    wait_s: float = 0.0
    retry_s: float = 0.0
    owed_s: float = 0.0
    dwell_until_s: float = 0.0
    lease: Lease | None = None
    pending: Request | None = None
    waiting: tuple[Request, ...] = ()
    failures: int = 0
    off_until_s: float = 0.0

    def is_degraded(self, now_s: float) -> bool:
        """Return whether requests are refused after failures."""
        return now_s < self.off_until_s


Step = tuple[Arbiter, list[Command]]


def start(rules: ArbiterRules, last_epoch: int, now_s: float) -> Step:
    """Return the arbiter after its own start, and its commands; what was leased before is void.

    Args:
        last_epoch: newest one published by an earlier run, >= 0.
    """
    arbiter = Arbiter(rules, last_epoch + 1, until_s=now_s + rules.grace_period_s)
    arbiter, commands = _look(arbiter, now_s)
    return arbiter, [Publish(arbiter.epoch), *commands]


def step(arbiter: Arbiter, event: Event, now_s: float) -> Step:
    """Take in one event."""
    match event:
        case Asked(request):
            return _asked(arbiter, request, now_s)
        case Released():
            return _released(arbiter, event, now_s)
        case DetectorIs(serial, life):
            if serial != arbiter.serial:
                return arbiter, []
            arbiter = replace(arbiter, life=life, ask_again_s=None)
            return _ON_DETECTOR[arbiter.mode](arbiter, now_s)
        case LockIs(is_free):
            return _on_lock(arbiter, is_free, now_s)
        case Tick():
            return _tick(arbiter, now_s)


def _asked(arbiter: Arbiter, request: Request, now_s: float) -> Step:
    refusal = _refusal(arbiter, request, now_s)
    if refusal:
        return arbiter, [Answer(request.number, refusal)]
    waiting = sorted((*arbiter.waiting, request), key=lambda one: -one.priority)
    return _next_turn(replace(arbiter, waiting=tuple(waiting)), now_s)


def _refusal(arbiter: Arbiter, request: Request, now_s: float) -> str:
    if arbiter.mode is TurnState.HELD:
        return Cause.BY_HAND.value
    if arbiter.is_degraded(now_s):
        return (
            f"requests are refused for {arbiter.off_until_s - now_s:.1f} s more, "
            f"{arbiter.failures} leases have failed in a row"
        )
    if len(arbiter.waiting) >= arbiter.rules.max_waiting:
        return f"{len(arbiter.waiting)} requests wait already, no more are allowed"
    holders = {one.holder for one in (*arbiter.waiting, arbiter.pending, arbiter.lease) if one}
    if request.holder in holders:
        return f"holder '{request.holder}' has or waits for the GPU already"
    return ""


def _released(arbiter: Arbiter, event: Released, now_s: float) -> Step:
    lease = arbiter.lease
    if lease is None:
        return arbiter, [Answer(event.number, f"nobody holds the GPU; epoch is {arbiter.epoch}")]
    if (lease.holder, lease.epoch) != (event.holder, event.epoch):
        holder = f"'{lease.holder}' holds the GPU under epoch {lease.epoch}"
        return arbiter, [Answer(event.number, holder)]
    arbiter, commands = _revoke(replace(arbiter, failures=0), Cause.RELEASED, now_s)
    return arbiter, [Answer(event.number), *commands]


def _tick(arbiter: Arbiter, now_s: float) -> Step:
    late = [one for one in arbiter.waiting if one.wait_until_s <= now_s]
    commands: list[Command] = [Answer(one.number, "the wait is over") for one in late]
    arbiter = replace(arbiter, waiting=tuple(w for w in arbiter.waiting if w not in late))
    if arbiter.ask_again_s is not None and arbiter.ask_again_s <= now_s:
        arbiter = replace(arbiter, ask_again_s=None, life=Life.UNKNOWN)
    lease = arbiter.lease
    if lease is not None and lease.until_s <= now_s:
        arbiter, more = _revoke(_failed(arbiter, now_s), Cause.EXPIRED, now_s)
    elif arbiter.mode is TurnState.PAUSING and arbiter.until_s <= now_s:
        arbiter, more = _stuck(arbiter, now_s)
    else:
        arbiter, more = _next_turn(arbiter, now_s)
    if arbiter.ask_again_s is None:
        arbiter, looking = _look(arbiter, now_s)
        more = [*more, *looking]
    return arbiter, [*commands, *more]


def _next_turn(arbiter: Arbiter, now_s: float) -> Step:
    """Begin a lease for the first in the queue if it is its turn."""
    is_turn = arbiter.mode is TurnState.DETECTOR and now_s >= arbiter.dwell_until_s
    if not is_turn or not arbiter.waiting:
        return arbiter, []
    first, *rest = arbiter.waiting
    arbiter = _go(
        replace(arbiter, pending=first, waiting=tuple(rest)),
        Cause.TURN,
        now_s + arbiter.rules.pause_timeout_s,
    )
    return _order(arbiter, Transition.DEACTIVATE, now_s)


def _grant(arbiter: Arbiter, now_s: float) -> Step:
    request = arbiter.pending
    assert request is not None
    until_s = now_s + min(request.duration_s, arbiter.rules.max_lease_s)
    lease = Lease(arbiter.epoch + 1, request.holder, request.purpose, now_s, until_s)
    arbiter = replace(arbiter, epoch=lease.epoch, lease=lease, pending=None)
    arbiter = _go(arbiter, Cause.IDLE, until_s)
    return arbiter, [Publish(lease.epoch), Answer(request.number, lease=lease)]


def _stuck(arbiter: Arbiter, now_s: float) -> Step:
    request = arbiter.pending
    assert request is not None
    timeout_s = arbiter.rules.pause_timeout_s
    answer = Answer(request.number, f"the detector did not stop within {timeout_s:g} s")
    arbiter = _go(_failed(replace(arbiter, pending=None), now_s), Cause.STUCK, now_s)
    arbiter, commands = _look(replace(arbiter, orders=0, wait_s=0.0, retry_s=now_s), now_s)
    return arbiter, [answer, *commands]


def _revoke(arbiter: Arbiter, cause: Cause, now_s: float) -> Step:
    """Make the lease void; from here on only the kernel lock counts."""
    lease = arbiter.lease
    assert lease is not None
    rules = arbiter.rules
    used_s = now_s - lease.since_s
    owed_s = used_s * (1.0 / rules.max_share - 1.0)
    arbiter = replace(
        arbiter,
        lease=None,
        epoch=arbiter.epoch + 1,
        life=Life.UNKNOWN,
        owed_s=owed_s,
    )
    arbiter = _go(arbiter, cause, now_s + rules.grace_period_s)
    return arbiter, [Publish(arbiter.epoch), ProbeLock()]


def _failed(arbiter: Arbiter, now_s: float) -> Arbiter:
    rules = arbiter.rules
    failures = arbiter.failures + 1
    if failures < rules.max_failures:
        return replace(arbiter, failures=failures)
    doublings = min(failures - rules.max_failures, 30)
    off_s = min(rules.initial_backoff_s * 2.0**doublings, rules.max_backoff_s)
    return replace(arbiter, failures=failures, off_until_s=now_s + off_s)


def _on_lock(arbiter: Arbiter, is_free: bool, now_s: float) -> Step:
    match arbiter.mode, is_free:
        case TurnState.PAUSING, True if arbiter.life in _AT_REST:
            return _grant(arbiter, now_s)
        case TurnState.STARTING, _ if arbiter.life in _AT_REST:
            if is_free:
                return _resume(arbiter, Cause.FOUND_FREE, now_s)
            return _reclaim(arbiter, now_s)
        case TurnState.RECLAIMING, True:
            return _resume(arbiter, Cause.FREED, now_s)
        case TurnState.RECLAIMING, False if arbiter.until_s <= now_s and arbiter.life in _AT_REST:
            again_s = now_s + arbiter.rules.grace_period_s
            reason = "a process that has no lease does not leave the GPU: it is ended"
            return replace(arbiter, until_s=again_s, reason=reason), [EndHolder()]
        case TurnState.RESUMING, False if arbiter.life in _AT_REST:
            return _reclaim(arbiter, now_s)
    return arbiter, []


def _reclaim(arbiter: Arbiter, now_s: float) -> Step:
    # What is known of the detector may be older than the lock's state: learn it anew.
    arbiter = replace(arbiter, life=Life.UNKNOWN, orders=0, wait_s=0.0, retry_s=now_s)
    return _look(_go(arbiter, Cause.FOUND_HELD, now_s + arbiter.rules.grace_period_s), now_s)


def _resume(arbiter: Arbiter, cause: Cause, now_s: float) -> Step:
    arbiter = replace(arbiter, orders=0, wait_s=0.0, retry_s=now_s)
    arbiter = _go(arbiter, cause, now_s)
    # After a lease the detector is most likely inactive: ask for what comes next without looking.
    return _order(arbiter, Transition.ACTIVATE, now_s)


def _starting(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:
        return _take_turn(arbiter, now_s)
    return (arbiter, [ProbeLock()]) if arbiter.life in _AT_REST else (arbiter, [])


def _detector(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.HELD:
        return _hold(arbiter, now_s)
    return _lost(arbiter, now_s) if arbiter.life in _AT_REST else (arbiter, [])


def _lost(arbiter: Arbiter, now_s: float) -> Step:
    arbiter = replace(arbiter, orders=0, wait_s=0.0, retry_s=now_s)
    return _resuming(_go(arbiter, Cause.LOST, now_s), now_s)


def _hold(arbiter: Arbiter, now_s: float) -> Step:
    """Leave the detector as an operator wants it; nobody's turn comes before it is active again."""
    answers: list[Command] = [Answer(one.number, Cause.BY_HAND.value) for one in arbiter.waiting]
    return _go(replace(arbiter, waiting=()), Cause.BY_HAND, now_s), answers


def _held(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:
        return _take_turn(arbiter, now_s)
    # At rest, but not held: it is another process than the one that the operator has deactivated.
    return _lost(arbiter, now_s) if arbiter.life in _AT_REST - {Life.HELD} else (arbiter, [])


def _pausing(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:
        return _order(arbiter, Transition.DEACTIVATE, now_s)
    return (arbiter, [ProbeLock()]) if arbiter.life in _AT_REST else (arbiter, [])


def _leased(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:  # an order that came late
        return _order(arbiter, Transition.DEACTIVATE, now_s)
    return arbiter, []


def _reclaiming(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:  # then it is the detector that holds the lock
        return _take_turn(arbiter, now_s)
    return arbiter, [ProbeLock()]


def _resuming(arbiter: Arbiter, now_s: float) -> Step:
    if arbiter.life is Life.ACTIVE:
        return _take_turn(arbiter, now_s)
    if arbiter.life is Life.HELD:
        return _hold(arbiter, now_s)
    if arbiter.life not in _WAY_UP or now_s < arbiter.retry_s:
        return arbiter, []
    rules = arbiter.rules
    transition = _WAY_UP[arbiter.life]
    if arbiter.orders < _STEPS_UP:
        return _order(replace(arbiter, orders=arbiter.orders + 1), transition, now_s)
    # Something is in the way: go on slowly, see whether it is the lock, make the detector anew.
    wait_s = min(max(rules.retry_s, 2.0 * arbiter.wait_s), rules.retry_max_s)
    is_anew = transition is Transition.ACTIVATE and arbiter.orders > _STEPS_UP
    arbiter, commands = _order(
        replace(
            arbiter,
            orders=0 if is_anew else _STEPS_UP + 1,
            wait_s=wait_s,
            retry_s=now_s + wait_s,
        ),
        Transition.CLEANUP if is_anew else transition,
        now_s,
    )
    return arbiter, [ProbeLock(), *commands]


def _take_turn(arbiter: Arbiter, now_s: float) -> Step:
    dwell_until_s = now_s + max(arbiter.owed_s, arbiter.rules.min_dwell_s)
    arbiter = replace(
        arbiter, dwell_until_s=dwell_until_s, owed_s=0.0, orders=0, wait_s=0.0, retry_s=now_s
    )
    return _next_turn(_go(arbiter, Cause.FOUND_ACTIVE, now_s), now_s)


_ON_DETECTOR: dict[TurnState, Callable[[Arbiter, float], Step]] = {
    TurnState.STARTING: _starting,
    TurnState.DETECTOR: _detector,
    TurnState.PAUSING: _pausing,
    TurnState.LEASED: _leased,
    TurnState.RECLAIMING: _reclaiming,
    TurnState.RESUMING: _resuming,
    TurnState.HELD: _held,
}


def _go(arbiter: Arbiter, cause: Cause, until_s: float) -> Arbiter:
    mode = TRANSITIONS[arbiter.mode, cause]
    return replace(arbiter, mode=mode, reason=cause.value, until_s=until_s)


def _look(arbiter: Arbiter, now_s: float) -> Step:
    arbiter = _asking(arbiter, now_s)
    return arbiter, [QueryDetector(arbiter.serial)]


def _order(arbiter: Arbiter, transition: Transition, now_s: float) -> Step:
    arbiter = _asking(arbiter, now_s)
    return arbiter, [Order(arbiter.serial, transition)]


def _asking(arbiter: Arbiter, now_s: float) -> Arbiter:
    again_s = now_s + arbiter.rules.answer_timeout_s
    return replace(arbiter, serial=arbiter.serial + 1, ask_again_s=again_s)

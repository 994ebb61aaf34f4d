"""Explicit-state search: the real arbiter core with a model of everybody else.

The world: the arbiter, the detector (on the GPU while active), the VLM service (one piece of work
at a time), a client that forgets its leases, the kernel lock, the published epoch. Every
interleaving is visited, within these bounds:

- crashes: of any process, at any time, as often as may be; it comes back at any time;
- messages: any may be lost, or late by any time; at most two questions are on the way to the
  detector and overtake each other (a third one displaces one), one answer on the way back to the
  arbiter, one request on the way to the service;
- time: at any step the arbiter's patience may run out, then with everything;
- the operator: deactivates the detector at any time, and activates what he has deactivated, no
  other; the detector knows his word from an arbiter's order (`arbiter_door`);
- clients: one. It may ask again once it has forgotten a lease, so work under an old lease meets the
  holder of a new one;
- left out: the detector's assured turn and the refusals after failed leases, which only make the
  arbiter wait longer (`test_gpu_arbiter` has both).

What must never be: two on the GPU, be it the detector beside the service, or work under a lease
that was taken back beside the holder of another. What must stay possible from everywhere, without
another crash: that each of them gets on; for the detector without the operator's help, but where it
is his word that it rests on. There are 155,000 worlds with 1,627,000 steps between them.

It is one long file because it is one model: a step of anybody is understood beside those of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import pytest
from state_search import BadStateFound, Graph, explore

from semantic_detection_pkg.gpu.core.arbiter import Arbiter, start, step
from semantic_detection_pkg.gpu.core.messages import (
    Answer,
    Asked,
    Command,
    DetectorIs,
    EndHolder,
    Event,
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
from semantic_detection_pkg.gpu.core.turns import ArbiterRules, TurnState

#: Every patience is one unit: it has run out or it has not.
RULES = ArbiterRules(
    pause_timeout_s=1,
    answer_timeout_s=1,
    grace_period_s=1,
    max_lease_s=1,
    min_dwell_s=0,
    max_share=1,
    max_waiting=2,
    max_failures=9,
    retry_s=0,
    retry_max_s=0,
)
CLIENTS = ("a",)
#: The newest published epoch. Epochs count from it: an older one is -1, the next older one -2.
NEWEST = 0
_OPEN = {
    (Life.UNCONFIGURED, Transition.CONFIGURE): Life.INACTIVE,
    (Life.INACTIVE, Transition.CLEANUP): Life.UNCONFIGURED,
    (Life.INACTIVE, Transition.ACTIVATE): Life.ACTIVE,
    (Life.ACTIVE, Transition.DEACTIVATE): Life.INACTIVE,
}
_BY_HAND = {
    (Life.ACTIVE, Transition.DEACTIVATE): Life.HELD,
    (Life.HELD, Transition.ACTIVATE): Life.ACTIVE,
}


@dataclass(frozen=True)
class Bounds:
    """How far the search goes, and what the world is made of."""

    has_crashes: bool = True
    has_lock: bool = True
    has_epoch: bool = True


@dataclass(frozen=True, eq=False)
class Mind:
    """What the arbiter knows. One object for each value (see `_mind`), so it compares by identity:
    the hash of a world need not look into it."""

    arbiter: Arbiter


class Sent(NamedTuple):
    """A question to the detector that is on its way; without a transition it only looks."""

    is_newest: bool
    transition: Transition | None


class World(NamedTuple):
    """One state of everything. What differs only by how long all has been going on is one state:
    the arbiter's clock is at zero (`_at_zero`), epochs are told apart by their order (`_ranked`),
    questions by whether they are the newest."""

    mind: Mind | None = None
    probes: bool = False  # the arbiter is about to try the lock
    detector: Life = Life.UNCONFIGURED
    orders: tuple[Sent, ...] = ()  # on the way to the detector, in no order
    reply: Life | None = None  # on the way to the arbiter; it ignores those to older questions
    work: int | None = None  # epoch of the request on the way to the service
    phase: str = "idle"  # of the service: then "waiting" for the lock, "ready", "running"
    task: int | None = None  # epoch of the work it has in hand
    holds: str = ""  # who holds the kernel lock: "detector", "vlm"
    leases: frozenset[tuple[str, int]] = frozenset()  # what the clients believe to hold


def users(world: World) -> set[str]:
    """Who is on the GPU. Work that computes under one lease meets the holder of another, too."""
    found = {"detector"} if world.detector is Life.ACTIVE else set()
    if world.phase == "running":
        found.add(f"lease {world.task}")
        if world.mind is not None and world.mind.arbiter.lease is not None:
            found.add(f"lease {world.mind.arbiter.lease.epoch}")
    return found


class Effects(NamedTuple):
    """What one step of the arbiter does to the world.

    Attributes:
        risen: by how much the published epoch has risen.
        grants: to whom leases are given, with the newest epoch.
    """

    mind: Mind
    risen: int
    orders: tuple[Sent, ...]
    probes: bool
    ends_holder: bool
    grants: frozenset[tuple[str, int]]


@cache
def _mind(arbiter: Arbiter) -> Mind:
    return Mind(arbiter)


@cache
def _started() -> Effects:
    return _summary(*start(RULES, NEWEST, 0.0), 0.0)


@cache  # there are many worlds, but only some hundred states of the arbiter
def _effects(mind: Mind, event: Event, now_s: float) -> Effects:
    return _summary(*step(mind.arbiter, event, now_s), now_s)


def _summary(arbiter: Arbiter, commands: list[Command], now_s: float) -> Effects:
    """What the commands of one step come to; no two of them meddle with the same thing."""
    published = NEWEST
    orders, grants = [], set()
    for command in commands:
        match command:
            case Publish(epoch):
                assert epoch > published, "epochs must rise"
                published = epoch
            case QueryDetector(serial):
                orders.append(Sent(serial == arbiter.serial, None))
            case Order(serial, transition):
                orders.append(Sent(serial == arbiter.serial, transition))
            case Answer(number, _, lease) if lease is not None:
                assert lease.epoch == published, "a lease is granted under the newest epoch"
                grants.add((CLIENTS[number], NEWEST))
    assert arbiter.epoch == published, "an epoch counts once it is published"
    return Effects(
        _mind(_at_zero(arbiter, now_s)),
        published,
        tuple(orders),
        ProbeLock() in commands,
        EndHolder() in commands,
        frozenset(grants),
    )


def _at_zero(arbiter: Arbiter, now_s: float) -> Arbiter:
    """The arbiter on a clock that reads zero now. What has run out, ran out now; counters keep only
    what the arbiter tells apart."""

    def left(until_s: float) -> float:
        return max(0.0, until_s - now_s)

    lease, ask_again_s = arbiter.lease, arbiter.ask_again_s
    assert lease is None or lease.epoch == arbiter.epoch, "the lease has the newest epoch"
    return replace(
        arbiter,
        epoch=NEWEST,
        serial=1,
        reason="",
        until_s=left(arbiter.until_s),
        retry_s=left(arbiter.retry_s),
        dwell_until_s=0.0,
        owed_s=0.0,
        failures=0,
        ask_again_s=None if ask_again_s is None else left(ask_again_s),
        lease=lease and replace(lease, epoch=NEWEST, since_s=0.0, until_s=left(lease.until_s)),
        waiting=tuple(replace(one, wait_until_s=left(one.wait_until_s)) for one in arbiter.waiting),
        pending=arbiter.pending and replace(arbiter.pending, wait_until_s=0.0),
    )


@cache
def _ranked(
    work: int | None, task: int | None, leases: frozenset[tuple[str, int]], risen: int
) -> dict[str, Any]:
    """What changes when epochs are told apart by their order only, the newest having risen."""
    epochs = {e - risen for e in (work, task, *(e for _, e in leases)) if e is not None}
    rank = {epoch: -index for index, epoch in enumerate(sorted(epochs | {NEWEST}, reverse=True))}
    now = {
        "work": None if work is None else rank[work - risen],
        "task": None if task is None else rank[task - risen],
        "leases": frozenset((who, rank[epoch - risen]) for who, epoch in leases),
    }
    return {} if list(now.values()) == [work, task, leases] else now


def _normal(world: World, risen: int = 0) -> World:
    changes = _ranked(world.work, world.task, world.leases, risen)
    return world._replace(**changes) if changes else world


@cache
def _sent(earlier: tuple[Sent, ...], new: tuple[Sent, ...]) -> tuple[Sent, ...]:
    """What is on the way now: of an earlier question, whose answer is ignored, only its order."""
    orders = (*(Sent(False, transition) for _, transition in earlier), *new)[-2:]  # others are lost
    kept = [one for one in orders if one.is_newest or one.transition is not None]
    return tuple(sorted(kept, key=lambda one: (one.transition is not None, str(one))))


def _perform(world: World, effects: Effects) -> World:
    if effects.orders:  # an answer that is on the way is now one to an older question
        world = world._replace(orders=_sent(world.orders, effects.orders), reply=None)
    if effects.ends_holder:
        world = _crash_vlm(world) if world.holds == "vlm" else world
        world = _crash_detector(world) if world.holds == "detector" else world
    world = _normal(world, effects.risen)
    return world._replace(
        mind=effects.mind,
        probes=world.probes or effects.probes,
        leases=world.leases | effects.grants,
    )


def _tell(world: World, event: Event, now_s: float = 0.0) -> World:
    assert world.mind is not None
    return _perform(world, _effects(world.mind, event, now_s))


def _crash_arbiter(world: World) -> World:
    return world._replace(mind=None, probes=False, reply=None, orders=_sent(world.orders, ()))


def _crash_vlm(world: World) -> World:
    holds = "" if world.holds == "vlm" else world.holds
    return world._replace(phase="idle", task=None, holds=holds)


def _crash_detector(world: World) -> World:
    holds = "" if world.holds == "detector" else world.holds
    return world._replace(detector=Life.ABSENT, holds=holds)


def _arbiter_steps(world: World, bounds: Bounds) -> Iterator[World]:
    if world.mind is None:
        yield _perform(world, _started())
        return
    if world.probes:  # nothing comes between the question and its answer
        free = not world.holds or not bounds.has_lock
        yield _tell(world._replace(probes=False), LockIs(free))
        return
    yield _tell(world, Tick())
    yield _tell(world, Tick(), 1.0)  # every patience has run out
    if world.reply is not None:
        yield _tell(world._replace(reply=None), DetectorIs(1, world.reply))
    for number, holder in enumerate(CLIENTS):
        if not any(who == holder for who, _ in world.leases):
            yield _tell(world, Asked(Request(number, holder, "", 0, 1.0, 1.0)))


def _detector_steps(world: World, bounds: Bounds) -> Iterator[World]:
    if world.detector is Life.ABSENT:
        yield world._replace(detector=Life.UNCONFIGURED)  # somebody starts it again
    for life, transition in _BY_HAND:
        if world.detector is life:
            yield _transit(world, transition, bounds, _BY_HAND)
    for index, order in enumerate(world.orders):
        lost = world._replace(orders=world.orders[:index] + world.orders[index + 1 :])
        yield lost
        after = _transit(lost, order.transition, bounds)
        yield after._replace(reply=after.detector) if order.is_newest else after


def _transit(
    world: World,
    transition: Transition | None,
    bounds: Bounds,
    table: dict[tuple[Life, Transition], Life] = _OPEN,
) -> World:
    life = table.get((world.detector, transition)) if transition else None
    if life is None:
        return world
    if bounds.has_lock and life is Life.ACTIVE:
        return world._replace(detector=life, holds="detector") if not world.holds else world
    holds = "" if world.holds == "detector" else world.holds
    return world._replace(detector=life, holds=holds)


def _vlm_steps(world: World, bounds: Bounds) -> Iterator[World]:
    """The service takes the lock, then reads the epoch, then computes; it may stall in between."""
    if world.work is not None:
        yield world._replace(work=None)  # lost
        if world.phase == "idle":
            yield world._replace(work=None, phase="waiting", task=world.work)
    match world.phase:
        case "waiting" if not bounds.has_lock:
            yield world._replace(phase="ready")
        case "waiting":
            yield _crash_vlm(world)  # busy: refused
            if not world.holds:
                yield world._replace(phase="ready", holds="vlm")
        case "ready" if bounds.has_epoch and world.task != NEWEST:
            yield _crash_vlm(world)
        case "ready":
            yield world._replace(phase="running")
        case "running":
            yield _crash_vlm(world)


def _client_steps(world: World) -> Iterator[World]:
    for grant in world.leases:
        if world.work is None:
            yield world._replace(work=grant[1])
        # Forgetting a lease is what a crashed client does, and one whose message is lost.
        kept = world._replace(leases=world.leases - {grant})
        yield kept
        if world.mind is not None and not world.probes:
            yield _tell(kept, Released(0, *grant))


def _crashes(world: World) -> Iterator[World]:
    if world.mind is not None:
        yield _crash_arbiter(world)
    if world.detector is not Life.ABSENT:
        yield _crash_detector(world)
    if world.phase != "idle":
        yield _normal(_crash_vlm(world))


def search(bounds: Bounds) -> Graph[World]:
    """Visit every world; stops at the first with two on the GPU."""

    def steps(world: World) -> Iterator[World]:
        return chain(
            _arbiter_steps(world, bounds),
            _detector_steps(world, bounds),
            map(_normal, _vlm_steps(world, bounds)),
            map(_normal, _client_steps(world)),
        )

    faults = _crashes if bounds.has_crashes else lambda _: iter(())
    first = _perform(World(), _started())
    return explore(first, steps, faults, lambda world: len(users(world)) > 1)


@pytest.fixture(scope="module")
def graph() -> Graph[World]:
    return search(Bounds())


def test_never_two_on_the_gpu(graph: Graph[World]) -> None:
    """`search` has looked at every world; this says that there was something to look at."""
    assert len(graph.states) > 50_000
    for who in ("detector", "lease"):
        assert any(any(u.startswith(who) for u in users(world)) for world in graph.states)
    modes = {world.mind.arbiter.mode for world in graph.states if world.mind is not None}
    assert modes == set(TurnState)


@pytest.mark.parametrize(
    "goal",
    [
        pytest.param(lambda world: world.detector is Life.ACTIVE, id="detector"),
        pytest.param(lambda world: bool(world.leases), id="client"),
        pytest.param(lambda world: world.phase == "running", id="service"),
    ],
)
def test_everybody_gets_on_eventually(graph: Graph[World], goal: Callable[[World], bool]) -> None:
    """From wherever crashes have led there is a way on that needs no further crash."""
    stuck = set(range(len(graph.states))) - graph.from_which(goal)
    assert not stuck, f"{len(stuck)} worlds, one is {graph.states[min(stuck)]}"


@pytest.mark.parametrize("missing", ["has_lock", "has_epoch"])
def test_without_lock_or_epoch_there_is_an_overlap(missing: str) -> None:
    with pytest.raises(BadStateFound) as found:
        search(replace(Bounds(has_crashes=False), **{missing: False}))
    assert len(users(found.value.way[-1])) == 2

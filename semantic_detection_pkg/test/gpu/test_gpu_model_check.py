"""Explicit-state search: the real arbiter core with a model of everybody else.

The world: the arbiter, the detector (on the GPU while active), the VLM service (one piece of work
at a time), a client that forgets its leases, the kernel lock, the published epoch. Any process may
crash and come back, any message may be lost, or late by any time. Every interleaving is visited.

What must never be: two on the GPU, be it the detector beside the service, or work under a lease
that was taken back beside the holder of another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

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
    Look,
    Order,
    ProbeLock,
    Publish,
    Released,
    Request,
    Tick,
    Transition,
)
from semantic_detection_pkg.gpu.core.turns import Mode, Rules

#: Every patience is one unit: it has run out or it has not.
RULES = Rules(
    pause_timeout_s=1,
    answer_timeout_s=1,
    grace_s=1,
    max_lease_s=1,
    min_dwell_s=0,
    max_share=1,
    max_waiting=2,
    max_failures=9,
    retry_s=0,
    retry_max_s=0,
)
CLIENTS = ("a",)
_OPEN = {
    (Life.UNCONFIGURED, Transition.CONFIGURE): Life.INACTIVE,
    (Life.INACTIVE, Transition.CLEANUP): Life.UNCONFIGURED,
    (Life.INACTIVE, Transition.ACTIVATE): Life.ACTIVE,
    (Life.ACTIVE, Transition.DEACTIVATE): Life.INACTIVE,
}


@dataclass(frozen=True)
class Bounds:
    """How far the search goes, and what the world is made of."""

    faults: int = 1
    has_lock: bool = True
    has_epoch: bool = True


@dataclass(frozen=True)
class World:
    """One state of everything. Epochs are small numbers: see `_normal`."""

    arbiter: Arbiter | None
    published: int
    faults_left: int
    probes: bool = False  # the arbiter is about to try the lock
    detector: Life = Life.UNCONFIGURED
    orders: tuple[Look | Order, ...] = ()  # on the way to the detector, in no order
    reply: DetectorIs | None = None
    work: frozenset[int] = frozenset()  # epochs of requests on the way to the service
    phase: str = "idle"  # of the service: then "waiting" for the lock, "ready", "running"
    task: int = 0  # epoch of the work it has in hand, 0: none
    holds: str = ""  # who holds the kernel lock: "detector", "vlm"
    leases: frozenset[tuple[str, int]] = frozenset()  # what the clients believe to hold


def users(world: World) -> set[str]:
    """Who is on the GPU. Work that computes under one lease meets the holder of another, too."""
    found = {"detector"} if world.detector is Life.ACTIVE else set()
    if world.phase == "running":
        found.add(f"lease {world.task}")
        if world.arbiter is not None and world.arbiter.lease is not None:
            found.add(f"lease {world.arbiter.lease.epoch}")
    return found


def _perform(world: World, arbiter: Arbiter, commands: list[Command]) -> World:
    """The commands of one step of the arbiter, in their order."""
    world = replace(world, arbiter=arbiter)
    for command in commands:
        match command:
            case Publish(epoch):
                assert epoch > world.published, "epochs must rise"
                world = replace(world, published=epoch)
            case Look() | Order():
                world = replace(world, orders=(*world.orders, command)[-2:])  # older ones are lost
            case ProbeLock():
                world = replace(world, probes=True)
            case EndHolder():
                world = _crash_vlm(world) if world.holds == "vlm" else world
                world = _crash_detector(world) if world.holds == "detector" else world
            case Answer(number, _, lease) if lease is not None:
                grant = (CLIENTS[number], lease.epoch)
                world = replace(world, leases=world.leases | {grant})
    return world


def _tell(world: World, event: Event, now_s: float = 0.0) -> World:
    assert world.arbiter is not None
    arbiter, commands = step(world.arbiter, event, now_s)
    return _perform(world, _later(arbiter, now_s), commands)


def _crash_vlm(world: World) -> World:
    holds = "" if world.holds == "vlm" else world.holds
    return replace(world, phase="idle", task=0, holds=holds)


def _crash_detector(world: World) -> World:
    holds = "" if world.holds == "detector" else world.holds
    return replace(world, detector=Life.ABSENT, holds=holds)


def _arbiter_steps(world: World, bounds: Bounds) -> Iterator[World]:
    arbiter = world.arbiter
    if arbiter is None:
        yield _perform(world, *start(RULES, world.published, 0.0))
        return
    if world.probes:  # nothing comes between the question and its answer
        free = not world.holds or not bounds.has_lock
        yield _tell(replace(world, probes=False), LockIs(free))
        return
    yield _tell(world, Tick())
    yield _tell(world, Tick(), 1.0)  # every patience has run out
    if world.reply is not None:
        yield _tell(replace(world, reply=None), world.reply)
    for number, holder in enumerate(CLIENTS):
        if not any(who == holder for who, _ in world.leases):
            yield _tell(world, Asked(Request(number, holder, "", 0, 1.0, 1.0)))


def _detector_steps(world: World, bounds: Bounds) -> Iterator[World]:
    if world.detector is Life.ABSENT:
        yield replace(world, detector=Life.UNCONFIGURED)  # somebody starts it again
    for index, order in enumerate(world.orders):
        rest = world.orders[:index] + world.orders[index + 1 :]
        yield replace(world, orders=rest)  # lost
        after = replace(world, orders=rest)
        if isinstance(order, Order):
            after = _transit(after, order.transition, bounds)
        yield replace(after, reply=DetectorIs(order.serial, after.detector))


def _transit(world: World, transition: Transition, bounds: Bounds) -> World:
    life = _OPEN.get((world.detector, transition))
    if life is None:
        return world
    if bounds.has_lock and life is Life.ACTIVE:
        return replace(world, detector=life, holds="detector") if not world.holds else world
    holds = "" if world.holds == "detector" else world.holds
    return replace(world, detector=life, holds=holds)


def _vlm_steps(world: World, bounds: Bounds) -> Iterator[World]:
    """The service takes the lock, then reads the epoch, then computes; it may stall in between."""
    for epoch in world.work:
        rest = replace(world, work=world.work - {epoch})
        yield rest  # lost
        if world.phase == "idle":
            yield replace(rest, phase="waiting", task=epoch)
    done = replace(world, phase="idle", task=0)
    match world.phase:
        case "waiting" if not bounds.has_lock:
            yield replace(world, phase="ready")
        case "waiting":
            yield done  # busy: refused
            if not world.holds:
                yield replace(world, phase="ready", holds="vlm")
        case "ready" if bounds.has_epoch and world.task != world.published:
            yield replace(done, holds="" if world.holds == "vlm" else world.holds)
        case "ready":
            yield replace(world, phase="running")
        case "running":
            yield replace(done, holds="" if world.holds == "vlm" else world.holds)


def _client_steps(world: World) -> Iterator[World]:
    for grant in world.leases:
        _, epoch = grant
        if not world.work:
            yield replace(world, work=world.work | {epoch})
        # Forgetting a lease is what a crashed client does, and one whose message is lost.
        kept = replace(world, leases=world.leases - {grant})
        yield kept
        if world.arbiter is not None and not world.probes:
            yield _tell(kept, Released(0, *grant))


def _faults(world: World) -> Iterator[World]:
    if not world.faults_left:
        return
    world = replace(world, faults_left=world.faults_left - 1)
    if world.arbiter is not None:
        yield replace(world, arbiter=None, probes=False, reply=None)
    if world.detector is not Life.ABSENT:
        yield _crash_detector(world)
    if world.phase != "idle":
        yield _crash_vlm(world)


def _normal(world: World) -> World:
    """The same world with the clock at zero, epochs by their order: what differs only by how long
    all has been going on is one state."""
    arbiter = world.arbiter
    epochs = {world.published, world.task, *world.work, *(e for _, e in world.leases)}
    if arbiter is not None:
        epochs |= {arbiter.epoch, *([arbiter.lease.epoch] if arbiter.lease else [])}
    rank = {epoch: index for index, epoch in enumerate(sorted(epochs | {0}))}
    newest = -1 if arbiter is None else arbiter.serial
    # The arbiter ignores answers to older questions: only the effect of an older order is left.
    orders = {
        replace(order, serial=int(order.serial == newest))
        for order in world.orders
        if isinstance(order, Order) or order.serial == newest
    }
    reply = world.reply
    return replace(
        world,
        arbiter=None if arbiter is None else _at_zero(arbiter, rank),
        published=rank[world.published],
        task=rank[world.task],
        work=frozenset(rank[epoch] for epoch in world.work),
        leases=frozenset((who, rank[epoch]) for who, epoch in world.leases),
        orders=tuple(sorted(orders, key=repr)),
        reply=replace(reply, serial=1) if reply is not None and reply.serial == newest else None,
    )


def _at_zero(arbiter: Arbiter, rank: dict[int, int]) -> Arbiter:
    """What has run out, ran out now; counters keep only what the arbiter tells apart."""
    lease, ask_again_s = arbiter.lease, arbiter.ask_again_s
    return replace(
        arbiter,
        epoch=rank[arbiter.epoch],
        serial=1,
        reason="",
        until_s=max(0.0, arbiter.until_s),
        retry_s=max(0.0, arbiter.retry_s),
        dwell_until_s=0.0,
        owed_s=0.0,
        failures=0,
        ask_again_s=None if ask_again_s is None else max(0.0, ask_again_s),
        lease=lease
        and replace(lease, epoch=rank[lease.epoch], since_s=0.0, until_s=max(0.0, lease.until_s)),
        waiting=tuple(
            replace(one, wait_until_s=max(0.0, one.wait_until_s)) for one in arbiter.waiting
        ),
        pending=arbiter.pending and replace(arbiter.pending, wait_until_s=0.0),
    )


def _later(arbiter: Arbiter, by_s: float) -> Arbiter:
    """The arbiter on a clock that reads `by_s` less."""
    lease, ask_again_s = arbiter.lease, arbiter.ask_again_s
    return replace(
        arbiter,
        until_s=arbiter.until_s - by_s,
        retry_s=arbiter.retry_s - by_s,
        ask_again_s=None if ask_again_s is None else ask_again_s - by_s,
        lease=lease and replace(lease, until_s=lease.until_s - by_s),
        waiting=tuple(
            replace(one, wait_until_s=one.wait_until_s - by_s) for one in arbiter.waiting
        ),
    )


@dataclass(frozen=True)
class Graph:
    """All worlds that can be reached, and who can be reached from whom without another fault."""

    worlds: list[World]
    before: list[list[int]]  # by number of the world after

    def from_which(self, goal: Callable[[World], bool]) -> set[int]:
        """Numbers of the worlds from which a goal can be reached without faults."""
        reached = {number for number, world in enumerate(self.worlds) if goal(world)}
        todo = list(reached)
        while todo:
            for earlier in self.before[todo.pop()]:
                if earlier not in reached:
                    reached.add(earlier)
                    todo.append(earlier)
        return reached


def explore(bounds: Bounds) -> Graph:
    """Visit every world; stops at the first with two on the GPU.

    Raises:
        OverlapFound: with the way there.
    """
    first = _normal(_perform(World(None, 0, bounds.faults), *start(RULES, 0, 0.0)))
    numbers, worlds = {first: 0}, [first]
    before: list[list[int]] = [[]]
    parent = [0]
    todo = deque([0])
    while todo:
        here = todo.popleft()
        world = worlds[here]
        steps = (
            *((one, True) for one in _arbiter_steps(world, bounds)),
            *((one, True) for one in _detector_steps(world, bounds)),
            *((one, True) for one in _vlm_steps(world, bounds)),
            *((one, True) for one in _client_steps(world)),
            *((one, False) for one in _faults(world)),
        )
        for after, is_fair in steps:
            after = _normal(after)
            there = numbers.get(after)
            if there is None:
                there = numbers[after] = len(worlds)
                worlds.append(after)
                before.append([])
                parent.append(here)
                todo.append(there)
                if len(users(after)) > 1:
                    raise OverlapFound(_way(worlds, parent, there))
            if is_fair:
                before[there].append(here)
    return Graph(worlds, before)


class OverlapFound(Exception):  # noqa: N818 - what is searched for
    """Two on the GPU; the worlds on the way there, first to last."""

    def __init__(self, way: list[World]) -> None:
        super().__init__(f"{' and '.join(sorted(users(way[-1])))} after {len(way) - 1} steps")
        self.way = way


def _way(worlds: list[World], parent: list[int], end: int) -> list[World]:
    way = [end]
    while way[-1]:
        way.append(parent[way[-1]])
    return [worlds[number] for number in reversed(way)]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return explore(Bounds())


def test_never_two_on_the_gpu(graph: Graph) -> None:
    """`explore` has looked at every world; this says that there was something to look at."""
    assert len(graph.worlds) > 1000
    for who in ("detector", "lease"):
        assert any(any(u.startswith(who) for u in users(world)) for world in graph.worlds)
    modes = {world.arbiter.mode for world in graph.worlds if world.arbiter is not None}
    assert modes == set(Mode)


@pytest.mark.parametrize(
    "goal",
    [
        pytest.param(lambda world: world.detector is Life.ACTIVE, id="detector"),
        pytest.param(lambda world: bool(world.leases), id="client"),
        pytest.param(lambda world: world.phase == "running", id="service"),
    ],
)
def test_everybody_gets_on_eventually(graph: Graph, goal: Callable[[World], bool]) -> None:
    """From wherever faults have led there is a way on that needs no further fault."""
    assert graph.from_which(goal) == set(range(len(graph.worlds)))


@pytest.mark.parametrize("missing", ["has_lock", "has_epoch"])
def test_without_lock_or_epoch_there_is_an_overlap(missing: str) -> None:
    with pytest.raises(OverlapFound) as found:
        explore(replace(Bounds(faults=0), **{missing: False}))
    assert len(users(found.value.way[-1])) == 2

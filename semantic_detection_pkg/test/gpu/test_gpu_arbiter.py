"""The arbiter's core: what it does in each situation, and what holds after any events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from semantic_detection_pkg.gpu.core.arbiter import Arbiter, start, step
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

RULES = ArbiterRules(min_dwell_s=1.0, max_share=0.5)


class Play:
    """An arbiter with a clock, and what it wanted last."""

    def __init__(self, rules: ArbiterRules = RULES, epoch: int = 6) -> None:
        self.now_s = 100.0
        self.numbers = iter(range(1, 1000))
        self.arbiter, self.commands = start(rules, epoch, self.now_s)

    def tell(self, *events: Event, after_s: float = 0.0) -> Play:
        self.now_s += after_s
        for event in events:
            self.arbiter, self.commands = step(self.arbiter, event, self.now_s)
        return self

    def detector(self, life: Life) -> Play:
        return self.tell(DetectorIs(self.arbiter.serial, life))

    def ask(self, holder: str = "a", priority: int = 0, wait_s: float = 9.0) -> Play:
        request = Request(next(self.numbers), holder, "test", priority, 2.0, self.now_s + wait_s)
        return self.tell(Asked(request))

    def wanted(self, kind: type[Command]) -> list[Command]:
        return [command for command in self.commands if isinstance(command, kind)]

    def answer(self) -> Answer:
        (answer,) = (command for command in self.commands if isinstance(command, Answer))
        return answer

    def lease(self) -> Lease:
        assert self.arbiter.lease is not None
        return self.arbiter.lease


def active(rules: ArbiterRules = RULES) -> Play:
    """The detector has had its assured turn."""
    return Play(rules).detector(Life.ACTIVE).tell(Tick(), after_s=rules.min_dwell_s)


def leased(rules: ArbiterRules = RULES) -> Play:
    return active(rules).ask().detector(Life.INACTIVE).tell(LockIs(True))


def test_a_lease_from_request_to_return() -> None:
    play = active()
    assert [type(c) for c in play.ask().commands] == [Order]
    assert play.wanted(Order)[0] == Order(play.arbiter.serial, Transition.DEACTIVATE)
    assert play.detector(Life.INACTIVE).commands == [ProbeLock()], "its word is not proof"
    play.tell(LockIs(True))
    lease = Lease(8, "a", "test", play.now_s, play.now_s + 2.0)
    assert play.commands == [Publish(8), Answer(1, lease=lease)], "published before it is granted"
    play.tell(Released(5, "a", 8), after_s=0.5)
    assert play.commands == [Answer(5), Publish(9), ProbeLock()], "void before the detector is back"
    play.tell(LockIs(True))
    assert play.wanted(Order) == [Order(play.arbiter.serial, Transition.ACTIVATE)]
    assert play.detector(Life.ACTIVE).arbiter.mode is TurnState.DETECTOR


@pytest.mark.parametrize(
    ("life", "is_free", "mode"),
    [
        (Life.ACTIVE, None, TurnState.DETECTOR),
        (Life.INACTIVE, True, TurnState.RESUMING),
        (Life.UNCONFIGURED, False, TurnState.RECLAIMING),
        (Life.ABSENT, True, TurnState.RESUMING),
        (Life.UNKNOWN, None, TurnState.STARTING),
    ],
)
def test_start_finds_out_what_is(life: Life, is_free: bool | None, mode: TurnState) -> None:
    play = Play(epoch=6)
    assert play.commands == [Publish(7), QueryDetector(play.arbiter.serial)]
    play.detector(life)
    if is_free is not None:
        assert play.commands == [ProbeLock()]
        play.tell(LockIs(is_free))
    assert play.arbiter.mode is mode


def test_brings_the_detector_up_in_order_and_makes_it_anew_when_it_sticks() -> None:
    """A detector that never activates."""
    play = Play().detector(Life.UNCONFIGURED).tell(LockIs(True))
    life, orders = Life.UNCONFIGURED, []
    while len(orders) < 7:
        for order in play.detector(life).wanted(Order):
            orders.append(order.transition.value)
            if order.transition is not Transition.ACTIVATE:
                life = {"configure": Life.INACTIVE, "cleanup": Life.UNCONFIGURED}[orders[-1]]
        play.tell(Tick(), after_s=RULES.retry_max_s)
    again = ["configure", "activate", "activate"]
    assert orders == [*again, "cleanup", *again]


def held() -> Play:
    return active().detector(Life.HELD)


def test_what_an_operator_deactivated_is_left_so() -> None:
    play = held()
    assert (play.arbiter.mode, play.commands) == (TurnState.HELD, [])
    assert play.arbiter.reason == Cause.BY_HAND.value
    for after_s in (0.1, 60.0, 3600.0, 1e6):
        play.tell(Tick(), after_s=after_s).detector(Life.HELD)
        assert (play.arbiter.mode, play.wanted(Order)) == (TurnState.HELD, [])


def test_an_operator_may_activate_it_again_at_any_time() -> None:
    assert held().tell(Tick()).detector(Life.ACTIVE).arbiter.mode is TurnState.DETECTOR


def test_an_arbiter_that_begins_anew_leaves_what_an_operator_deactivated() -> None:
    play = Play().detector(Life.HELD).tell(LockIs(True)).detector(Life.HELD)
    assert (play.arbiter.mode, play.wanted(Order)) == (TurnState.HELD, [])


def test_what_an_operator_deactivated_for_a_lease_is_left_so_after_it() -> None:
    """The order to deactivate and the operator's word were on their way at the same time."""
    play = active().ask().detector(Life.HELD).tell(LockIs(True))
    assert play.arbiter.mode is TurnState.LEASED
    play.tell(Released(5, "a", play.lease().epoch)).tell(LockIs(True)).detector(Life.HELD)
    assert play.arbiter.mode is TurnState.HELD


def test_while_an_operator_holds_the_detector_requests_are_refused() -> None:
    """Whoever waits would wait for a turn that comes when somebody activates it by hand."""
    play = Play().detector(Life.ACTIVE).ask("a").detector(Life.HELD)
    assert play.answer() == Answer(1, Cause.BY_HAND.value)
    assert play.ask("b").answer() == Answer(2, Cause.BY_HAND.value)


@pytest.mark.parametrize("mode", ["detector", "held"])
def test_inactive_without_an_operators_word_comes_back_at_once(mode: str) -> None:
    """An order of an earlier arbiter that came late, or another process than the one before."""
    play = (held() if mode == "held" else active()).detector(Life.INACTIVE)
    assert [order.transition for order in play.wanted(Order)] == [Transition.ACTIVATE]


def test_an_order_of_its_own_that_came_late_is_undone_at_once() -> None:
    """The detector was told to stop for a lease, did not in time, and does now."""
    play = active().ask().tell(Tick(), after_s=RULES.pause_timeout_s).detector(Life.ACTIVE)
    assert play.arbiter.mode is TurnState.DETECTOR
    play.tell(Tick(), after_s=0.1).detector(Life.INACTIVE)
    assert [order.transition for order in play.wanted(Order)] == [Transition.ACTIVATE]


def test_a_detector_that_is_lost_comes_back() -> None:
    play = active().detector(Life.UNCONFIGURED)
    assert play.arbiter.mode is TurnState.RESUMING
    assert play.wanted(Order) == [Order(play.arbiter.serial, Transition.CONFIGURE)]


def test_a_held_lock_keeps_the_lease_back() -> None:
    play = active().ask().detector(Life.INACTIVE).tell(LockIs(False))
    assert (play.arbiter.mode, play.commands) == (TurnState.PAUSING, [])
    play.tell(Tick(), after_s=RULES.pause_timeout_s)
    assert play.answer().reason == "the detector did not stop within 1 s"
    assert play.arbiter.mode is TurnState.RESUMING


def test_an_expired_lease_is_no_free_gpu() -> None:
    play = leased().tell(Tick(), after_s=2.0)
    assert play.arbiter.mode is TurnState.RECLAIMING
    assert play.commands[:2] == [Publish(9), ProbeLock()]
    play.tell(LockIs(False)).detector(Life.INACTIVE).tell(LockIs(False))
    assert not play.wanted(EndHolder), "the holder has a grace"
    play.tell(Tick(), after_s=RULES.grace_period_s).detector(Life.INACTIVE).tell(LockIs(False))
    assert play.wanted(EndHolder)
    assert not play.wanted(Order)
    assert play.tell(LockIs(True)).wanted(Order)


def test_who_may_be_the_detector_is_not_ended() -> None:
    play = leased().tell(Tick(), after_s=2.0).tell(Tick(), after_s=RULES.grace_period_s)
    assert not play.detector(Life.UNKNOWN).tell(LockIs(False)).wanted(EndHolder)
    assert play.tell(Tick(), after_s=9.0).detector(Life.ACTIVE).arbiter.mode is TurnState.DETECTOR


@pytest.mark.parametrize(
    ("holder", "epoch", "text"),
    [("b", 8, "'a' holds the GPU under epoch 8"), ("a", 7, "'a' holds the GPU under epoch 8")],
)
def test_only_the_holder_gives_back(holder: str, epoch: int, text: str) -> None:
    play = leased().tell(Released(5, holder, epoch))
    assert play.commands == [Answer(5, text)]
    assert play.arbiter.mode is TurnState.LEASED


def test_releasing_twice_is_answered() -> None:
    play = leased().tell(Released(5, "a", 8), Released(6, "a", 8))
    assert play.commands == [Answer(6, "nobody holds the GPU; epoch is 9")]


def test_priority_then_arrival() -> None:
    play = Play().detector(Life.ACTIVE)
    for holder, priority in (("a", 1), ("b", 9), ("c", 1), ("d", 9)):
        play.ask(holder, priority)
    assert [one.holder for one in play.arbiter.waiting] == ["b", "d", "a", "c"]


@pytest.mark.parametrize("wait_s", [0.0, 0.4])
def test_a_wait_has_an_end(wait_s: float) -> None:
    play = Play().detector(Life.ACTIVE).ask(wait_s=wait_s)
    assert play.tell(Tick(), after_s=wait_s).answer().reason == "the wait is over"


def test_refusals_say_why() -> None:
    play = Play(replace(RULES, max_waiting=1)).detector(Life.ACTIVE).ask("a").ask("b")
    assert play.answer().reason == "1 requests wait already, no more are allowed"
    assert "has or waits" in Play().detector(Life.ACTIVE).ask("a").ask("a").answer().reason
    assert "has or waits" in leased().ask("a").answer().reason


def test_the_detector_gets_its_share() -> None:
    """After a lease of 1.5 s, with at most half of the time for leases, it has 1.5 s."""
    play = leased().tell(Released(5, "a", 8), LockIs(True), after_s=1.5).detector(Life.ACTIVE)
    play.ask("b").tell(Tick(), after_s=1.4)
    assert play.arbiter.mode is TurnState.DETECTOR
    assert play.tell(Tick(), after_s=0.1).arbiter.mode is TurnState.PAUSING


def test_leases_are_capped() -> None:
    play = active(replace(RULES, max_lease_s=0.5)).ask().detector(Life.INACTIVE).tell(LockIs(True))
    assert play.lease().until_s - play.now_s == 0.5


def test_failures_turn_tier_3_off_and_a_success_on() -> None:
    play = active(replace(RULES, max_failures=2, initial_backoff_s=10.0))
    for failure, off_s in ((1, 0.0), (2, 10.0), (3, 20.0)):
        play.ask("a").detector(Life.INACTIVE).tell(LockIs(True))
        play.tell(Tick(), LockIs(True), after_s=2.0).detector(Life.ACTIVE)
        assert play.arbiter.failures == failure
        assert play.arbiter.is_degraded(play.now_s) == (off_s > 0)
        if off_s:
            assert play.ask("b").answer().reason.startswith("requests are refused for")
        play.tell(Tick(), after_s=max(off_s, 2.0))
        assert not play.arbiter.is_degraded(play.now_s)
    play.ask("a").detector(Life.INACTIVE).tell(LockIs(True))
    assert play.tell(Released(9, "a", play.lease().epoch)).arbiter.failures == 0


def test_a_detector_that_died_is_not_held_down_by_hand() -> None:
    """The operator's word is about the process that was deactivated, not about the next one."""
    play = held()
    for gone in (Life.ABSENT, Life.UNCONFIGURED):
        play.detector(gone)
    assert play.wanted(Order) == [Order(play.arbiter.serial, Transition.CONFIGURE)]


def test_every_transition_is_reachable_on_paper() -> None:
    """No mode is a dead end, and none is left out."""
    assert {mode for mode, _ in TRANSITIONS} == set(TurnState)
    assert set(TRANSITIONS.values()) == set(TurnState) - {TurnState.STARTING}


class AnyEvents(RuleBasedStateMachine):
    """Events in any order, as crashes and late messages make them."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Play()
        self.open: set[int] = set()
        self.epochs = [self.play.arbiter.epoch]
        self.number = 0

    def tell(self, event: Event, after_s: float = 0.0) -> None:
        before = self.play.arbiter
        self.play.tell(event, after_s=after_s)
        for command in self.play.commands:
            match command:
                case Publish(epoch):
                    self.epochs.append(epoch)
                case Answer(number, _, lease):
                    assert number in self.open, "answered once"
                    self.open.remove(number)
                    if lease is not None:
                        assert before.mode is TurnState.PAUSING
                        assert event == LockIs(True)
                case Order(_, Transition.ACTIVATE):
                    assert self.play.arbiter.lease is None
                case EndHolder():
                    assert event == LockIs(False)
                    assert before.life is not Life.ACTIVE

    @rule(holder=st.sampled_from("abc"), priority=st.integers(0, 3), wait_s=st.floats(0.0, 3.0))
    def ask(self, holder: str, priority: int, wait_s: float) -> None:
        self.number += 1
        self.open.add(self.number)
        until_s = self.play.now_s + wait_s
        self.tell(Asked(Request(self.number, holder, "", priority, 1.0, until_s)))

    @rule(holder=st.sampled_from("abc"), back=st.integers(0, 2))
    def release(self, holder: str, back: int) -> None:
        self.number += 1
        self.open.add(self.number)
        self.tell(Released(self.number, holder, self.play.arbiter.epoch - back))

    @rule(life=st.sampled_from(Life), back=st.integers(0, 2))
    def detector(self, life: Life, back: int) -> None:
        self.tell(DetectorIs(self.play.arbiter.serial - back, life))

    @precondition(lambda self: self.play.wanted(ProbeLock))
    @rule(is_free=st.booleans())
    def lock(self, is_free: bool) -> None:
        self.tell(LockIs(is_free))

    @rule(after_s=st.floats(0.0, 20.0))
    def tick(self, after_s: float) -> None:
        self.tell(Tick(), after_s)

    @rule()
    def crash(self) -> None:
        self.play.arbiter, self.play.commands = start(
            RULES, self.play.arbiter.epoch, self.play.now_s
        )
        self.epochs.append(self.play.arbiter.epoch)
        self.open.clear()

    @invariant()
    def holds(self) -> None:
        arbiter: Arbiter = self.play.arbiter
        assert self.epochs == sorted(set(self.epochs)), "epochs rise"
        assert self.epochs[-1] == arbiter.epoch
        assert (arbiter.lease is not None) == (arbiter.mode is TurnState.LEASED)
        assert (arbiter.pending is not None) == (arbiter.mode is TurnState.PAUSING)
        waiting = {one.number for one in arbiter.waiting}
        assert self.open == waiting | ({arbiter.pending.number} if arbiter.pending else set())
        assert len(waiting) <= RULES.max_waiting

    def teardown(self) -> None:
        """Whatever has happened: with everybody well again the detector is back in seconds."""
        end_s = self.play.now_s + 25.0
        life = Life.UNCONFIGURED
        up = {Transition.CONFIGURE: Life.INACTIVE, Transition.ACTIVATE: Life.ACTIVE}
        down = {Transition.DEACTIVATE: Life.INACTIVE, Transition.CLEANUP: Life.UNCONFIGURED}
        self.tell(Tick(), 0.1)
        while self.play.arbiter.mode is not TurnState.DETECTOR:
            assert self.play.now_s < end_s, self.play.arbiter
            for command in self.play.commands:
                if isinstance(command, Order):
                    life = (up | down)[command.transition]
            if self.play.wanted(ProbeLock):
                self.tell(LockIs(life is not Life.ACTIVE))
            elif self.play.wanted(QueryDetector) or self.play.wanted(Order):
                self.tell(DetectorIs(self.play.arbiter.serial, life))
            else:
                self.tell(Tick(), 0.1)


TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

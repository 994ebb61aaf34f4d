"""What the arbiter is told of a detector that was active and is not any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lifecycle_msgs.msg import State, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetState
from ros_graph import GraphProbe

from ros_support_pkg.qos import EVENT
from semantic_detection_pkg.gpu.core.messages import DetectorIs, Life
from semantic_detection_pkg.gpu.ros.detector_lifecycle import DetectorLifecycle

pytestmark = pytest.mark.graph


class StandIn:
    """A detector that is in the state which the test says, and what the arbiter is told of it."""

    def __init__(self, probe: GraphProbe) -> None:
        self._probe = probe
        self.state = State.PRIMARY_STATE_ACTIVE
        self.told: list[DetectorIs] = []
        probe.node.create_service(GetState, "detector/get_state", self._answer)
        probe.node.create_service(ChangeState, "detector/change_state", lambda _, answer: answer)
        self._events = probe.node.create_publisher(
            TransitionEvent, "detector/transition_event", EVENT
        )
        self.lifecycle = DetectorLifecycle(probe.node, "detector", self.told.append)
        self._heard = probe.listen(TransitionEvent, "detector/transition_event", EVENT)
        self._serial = 0
        probe.wait_for(lambda: self.is_seen_as(Life.ACTIVE), "the detector's state")
        probe.wait_for(lambda: self._events.get_subscription_count() == 2, "who hears its events")

    def _answer(self, _: GetState.Request, answer: GetState.Response) -> GetState.Response:
        answer.current_state.id = self.state
        return answer

    def is_seen_as(self, life: Life) -> bool:
        """Ask once, and return whether this was told last."""
        if not self.told or self.told[-1].serial == self._serial:
            self._serial += 1
            self.lifecycle.query_state(self._serial)
        return bool(self.told) and self.told[-1].life is life

    def ask(self) -> Life:
        """Return what is told of its state now."""
        self._serial += 1
        self.lifecycle.query_state(self._serial)
        answer = self._probe.wait_for(
            lambda: next((one for one in self.told if one.serial == self._serial), None),
            "an answer",
        )
        return answer.life

    def tells(self, start: int, goal: int) -> None:
        """Announce a transition, as rclpy does, and wait until it was heard."""
        event = TransitionEvent()
        event.start_state.id, event.goal_state.id = start, goal
        before = len(self._heard)
        self._events.publish(event)
        self._probe.wait_for(lambda: len(self._heard) > before, "its own event")


@pytest.fixture
def detector(probe: GraphProbe) -> Iterator[StandIn]:
    stand_in = StandIn(probe)
    yield stand_in
    stand_in.lifecycle.close()


@pytest.mark.parametrize(("discovery_s", "life"), [(0.0, Life.ABSENT), (1e3, Life.UNKNOWN)])
def test_one_that_was_not_met_yet_may_be_there(
    probe: GraphProbe, discovery_s: float, life: Life
) -> None:
    told: list[DetectorIs] = []
    lifecycle = DetectorLifecycle(probe.node, "nobody", told.append, discovery_s)
    lifecycle.query_state(1)
    lifecycle.close()
    assert told == [DetectorIs(1, life)]


def test_one_that_told_its_end_was_deactivated(detector: StandIn) -> None:
    detector.state = State.PRIMARY_STATE_INACTIVE
    detector.tells(State.PRIMARY_STATE_ACTIVE, State.TRANSITION_STATE_DEACTIVATING)
    assert detector.ask() is Life.INACTIVE


def test_one_that_told_nothing_has_died_and_another_is_there(detector: StandIn) -> None:
    detector.state = State.PRIMARY_STATE_INACTIVE
    assert detector.ask() is Life.ABSENT
    assert detector.ask() is Life.INACTIVE


def test_what_was_told_of_an_earlier_time_does_not_count(detector: StandIn) -> None:
    detector.tells(State.PRIMARY_STATE_ACTIVE, State.TRANSITION_STATE_DEACTIVATING)
    detector.tells(State.TRANSITION_STATE_ACTIVATING, State.PRIMARY_STATE_ACTIVE)
    detector.state = State.PRIMARY_STATE_INACTIVE
    assert detector.ask() is Life.ABSENT

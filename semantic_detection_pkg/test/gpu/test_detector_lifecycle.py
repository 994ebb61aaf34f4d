"""What the arbiter is told of a node with a door for it, and what it may do there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.msg import Transition as TransitionMessage
from lifecycle_msgs.srv import ChangeState, GetState
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_graph import GraphProbe, destroy

from ros_support_pkg.lifecycle import GuardedLifecycleNode
from semantic_detection_pkg.gpu.core.messages import DetectorIs, Life, Transition
from semantic_detection_pkg.gpu.ros.arbiter_door import ArbiterDoor
from semantic_detection_pkg.gpu.ros.detector_lifecycle import DetectorLifecycle

pytestmark = pytest.mark.graph


class Detector(GuardedLifecycleNode):
    """A node with a door, as the detector has it."""

    def __init__(self, **options: Any) -> None:
        super().__init__("detector", **options)
        self.fails = False
        self.door = ArbiterDoor(self)

    def deactivate(self) -> None:
        if self.fails:
            raise OSError("the model does not let go")


class Stand:
    """The node in a thread of its own, an arbiter's view of it, and an operator."""

    def __init__(self, probe: GraphProbe, domain_id: int) -> None:
        self._probe = probe
        self._domain_id = domain_id
        self._serial = 0
        self._told: list[DetectorIs] = []
        self.begin()
        self.lifecycle = DetectorLifecycle(probe.node, "detector", self._told.append)
        probe.wait_for(lambda: self.life() is Life.UNCONFIGURED, "the detector's state")

    def begin(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self._domain_id)
        self.node = Detector(context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._spinning = threading.Thread(target=self._executor.spin, daemon=True)
        self._spinning.start()

    def end(self) -> None:
        self._executor.shutdown()
        self._spinning.join(patience(10.0))
        destroy(self.node)
        self._context.try_shutdown()

    def life(self, transition: Transition | None = None) -> Life:
        """Return what the arbiter is told, after a transition that it asks for."""
        self._serial += 1
        if transition is None:
            self.lifecycle.query_state(self._serial)
        else:
            self.lifecycle.order(self._serial, transition)
        told = self._probe.wait_for(
            lambda: next((one for one in self._told if one.serial == self._serial), None),
            "an answer",
        )
        assert told is not None
        return told.life

    def by_hand(self, number: int) -> bool:
        request = ChangeState.Request(transition=TransitionMessage(id=number))
        return bool(self._probe.call(ChangeState, "detector/change_state", request).success)

    def order(self, number: int) -> bool:
        """Have an order carried out that was on its way, whatever the state is now."""
        request = ChangeState.Request(transition=TransitionMessage(id=number))
        return bool(self._probe.call(ChangeState, "detector/gpu/change_state", request).success)

    def bring_up(self) -> None:
        assert self.life(Transition.CONFIGURE) is Life.INACTIVE
        assert self.life(Transition.ACTIVATE) is Life.ACTIVE


@pytest.fixture
def stand(probe: GraphProbe, ros_domain: dict[str, str]) -> Iterator[Stand]:
    stand = Stand(probe, int(ros_domain["ROS_DOMAIN_ID"]))
    yield stand
    stand.lifecycle.close()
    stand.end()


@pytest.mark.parametrize(("discovery_s", "life"), [(0.0, Life.ABSENT), (1e3, Life.UNKNOWN)])
def test_one_that_was_not_met_yet_may_be_there(
    probe: GraphProbe, discovery_s: float, life: Life
) -> None:
    told: list[DetectorIs] = []
    lifecycle = DetectorLifecycle(probe.node, "nobody", told.append, discovery_s)
    lifecycle.query_state(1)
    lifecycle.close()
    assert told == [DetectorIs(1, life)]


def test_an_arbiters_order_is_no_operators_word(stand: Stand) -> None:
    stand.bring_up()
    assert stand.life(Transition.DEACTIVATE) is Life.INACTIVE
    assert stand.life(Transition.ACTIVATE) is Life.ACTIVE
    assert stand.order(TransitionMessage.TRANSITION_DEACTIVATE), "of an arbiter that has died"
    assert stand.life() is Life.INACTIVE
    assert stand.node.door.notice == ""


def test_what_an_operator_deactivated_no_arbiter_activates(stand: Stand, probe: GraphProbe) -> None:
    stand.bring_up()
    assert stand.by_hand(TransitionMessage.TRANSITION_DEACTIVATE)
    assert stand.life() is Life.HELD
    assert stand.life(Transition.ACTIVATE) is Life.HELD
    assert not stand.order(TransitionMessage.TRANSITION_ACTIVATE), "it was on its way"
    assert stand.node.door.notice == "deactivated by an operator: activate it by hand"
    state = probe.call(GetState, "detector/get_state", GetState.Request()).current_state
    assert (state.id, state.label) == (State.PRIMARY_STATE_INACTIVE, "inactive"), "as for all tools"

    assert stand.by_hand(TransitionMessage.TRANSITION_ACTIVATE)
    assert stand.life() is Life.ACTIVE
    assert stand.life(Transition.DEACTIVATE) is Life.INACTIVE


def test_what_an_operator_unloads_he_holds_too(stand: Stand) -> None:
    stand.bring_up()
    assert stand.by_hand(TransitionMessage.TRANSITION_DEACTIVATE)
    assert stand.by_hand(TransitionMessage.TRANSITION_CLEANUP)
    assert stand.life() is Life.HELD


def test_a_deactivation_that_failed_is_nobodys_will(stand: Stand) -> None:
    stand.bring_up()
    stand.node.fails = True
    assert not stand.by_hand(TransitionMessage.TRANSITION_DEACTIVATE)
    assert stand.life() is Life.UNCONFIGURED


def test_another_process_holds_nothing(stand: Stand, probe: GraphProbe) -> None:
    stand.bring_up()
    assert stand.by_hand(TransitionMessage.TRANSITION_DEACTIVATE)
    stand.end()
    probe.wait_for(lambda: stand.life() is Life.ABSENT, "the end of the detector")
    stand.begin()
    probe.wait_for(lambda: stand.life() is Life.UNCONFIGURED, "the next detector")

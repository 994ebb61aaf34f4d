"""The detector's lifecycle as the arbiter's `Detector`, by the door that it has for the arbiter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State
from lifecycle_msgs.msg import Transition as TransitionMessage
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.client import Client
from rclpy.node import Node

from semantic_detection_pkg.gpu.core.messages import DetectorIs, Life, Transition
from semantic_detection_pkg.gpu.ros.arbiter_door import CHANGE_STATE, GET_STATE, HELD

_LIFE = {
    State.PRIMARY_STATE_UNCONFIGURED: Life.UNCONFIGURED,
    State.PRIMARY_STATE_INACTIVE: Life.INACTIVE,
    State.PRIMARY_STATE_ACTIVE: Life.ACTIVE,
    State.PRIMARY_STATE_FINALIZED: Life.ABSENT,
}
#: Where each transition is open, and its number.
_OPEN = {
    Transition.CONFIGURE: (Life.UNCONFIGURED, TransitionMessage.TRANSITION_CONFIGURE),
    Transition.CLEANUP: (Life.INACTIVE, TransitionMessage.TRANSITION_CLEANUP),
    Transition.ACTIVATE: (Life.INACTIVE, TransitionMessage.TRANSITION_ACTIVATE),
    Transition.DEACTIVATE: (Life.ACTIVE, TransitionMessage.TRANSITION_DEACTIVATE),
}
#: So long is a state still true if only we change it: a node that died is not back so soon.
_FRESH_S = 0.3
#: Who has just started knows of nobody yet: on a busy machine it takes seconds to hear of those who
#: have been there all the time. Taken for absent, a detector that computes would be ended.
DISCOVERY_S = 5.0


class DetectorLifecycle:
    """Asks a lifecycle node for its state and for transitions, without waiting.

    The state counts, not the answer to the transition: rclpy may say yes to one that half happened.
    A transition that is not open is never asked for: it would end a node of plain rclpy.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        tell: Callable[[DetectorIs], None],
        discovery_s: float = DISCOVERY_S,
    ) -> None:
        """Ask the node of a name; one that was not met for so long [s] is absent."""
        group = ReentrantCallbackGroup()
        self._node = node
        self._name = name
        self._tell = tell
        self._get = node.create_client(GetState, f"{name}/{GET_STATE}", callback_group=group)
        self._change = node.create_client(
            ChangeState, f"{name}/{CHANGE_STATE}", callback_group=group
        )
        self._is_met = False
        self._open: list[tuple[Client, Any]] = []
        self._seen = (Life.UNKNOWN, 0.0)  # and when, on the monotonic clock
        self._met_until_s = time.monotonic() + discovery_s

    def query_state(self, serial: int) -> None:
        self._forget()
        self._ask_state(lambda life: self._tell(DetectorIs(serial, life)))

    def order(self, serial: int, transition: Transition) -> None:
        self._forget()
        needed, number = _OPEN[transition]

        def change(life: Life) -> None:
            if life is not needed:
                self._tell(DetectorIs(serial, life))
                return
            self._seen = (Life.UNKNOWN, 0.0)
            request = ChangeState.Request(transition=TransitionMessage(id=number))
            self._call(
                self._change, request, lambda answer: self._changed(serial, transition, answer)
            )

        life, seen_s = self._seen
        if life is needed and time.monotonic() - seen_s < _FRESH_S:
            change(life)
        else:
            self._ask_state(change)

    def close(self) -> None:
        """Take the clients out of the node."""
        self._forget()
        self._node.destroy_client(self._get)
        self._node.destroy_client(self._change)

    def _changed(self, serial: int, transition: Transition, answer: ChangeState.Response) -> None:
        if not answer.success:
            self._node.get_logger().warning(f"{self._name} does not {transition.value}")
        self._ask_state(lambda life: self._tell(DetectorIs(serial, life)))

    def _ask_state(self, then: Callable[[Life], None]) -> None:
        if not self._get.service_is_ready():
            is_absent = self._is_met or time.monotonic() >= self._met_until_s
            then(Life.ABSENT if is_absent else Life.UNKNOWN)
            return

        def learn(answer: GetState.Response) -> None:
            life = _LIFE.get(answer.current_state.id, Life.UNKNOWN)
            if answer.current_state.label == HELD:
                life = Life.HELD
            self._is_met = self._is_met or life is not Life.UNKNOWN
            self._seen = (life, time.monotonic())
            then(life)

        self._call(self._get, GetState.Request(), learn)

    def _call(self, client: Client, request: Any, then: Callable[[Any], None]) -> None:
        future = client.call_async(request)
        self._open.append((client, future))
        future.add_done_callback(lambda done: then(done.result()) if done.result() else None)

    def _forget(self) -> None:
        """Drop a call that was not answered in time: its client would keep it for ever."""
        for client, future in self._open:
            if not future.done():
                client.remove_pending_request(future)
        self._open.clear()

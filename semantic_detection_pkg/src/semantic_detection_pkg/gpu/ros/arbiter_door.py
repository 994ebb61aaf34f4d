"""The arbiter's own way to a node's lifecycle; what comes by the common one is an operator's word.

A node cannot see who asks for a transition, so the arbiter asks by services of its own. What comes
by the node's lifecycle services is then an operator's word, whenever it comes and whatever orders
of an arbiter are still on their way.
"""

from __future__ import annotations

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import LifecycleState, ManagedEntity, TransitionCallbackReturn

from ros_support_pkg.edge import serve
from ros_support_pkg.lifecycle import GuardedLifecycleNode

#: Under the node's name.
GET_STATE = "gpu/get_state"
CHANGE_STATE = "gpu/change_state"

#: What `GET_STATE` answers as label; the id is that of the lifecycle's state.
HELD = "deactivated by an operator"


class ArbiterDoor(ManagedEntity):
    """Offers the arbiter the state of a node and its transitions, but for what an operator holds.

    As a managed entity it is told of what the node itself has done; a transition that failed is
    nobody's will. A new process holds nothing: who has it started wants it to work.
    """

    def __init__(self, node: GuardedLifecycleNode) -> None:
        """Begin with what no operator has touched."""
        self._node = node
        self._is_arbiters = False  # the transition that runs
        self._is_held = False
        name = node.get_name()
        node.add_managed_entity(self)
        serve(node, GetState, f"{name}/{GET_STATE}", self._get)
        serve(node, ChangeState, f"{name}/{CHANGE_STATE}", self._change)

    @property
    def notice(self) -> str:
        """What people should know; empty: nothing."""
        return f"{HELD}: activate it by hand" if self._is_held else ""

    def on_activate(self, _: LifecycleState) -> TransitionCallbackReturn:
        """Forget the operator's word, whoever asked for it."""
        self._is_held = False
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, _: LifecycleState) -> TransitionCallbackReturn:
        """Remember whose word it was."""
        self._is_held = not self._is_arbiters
        return TransitionCallbackReturn.SUCCESS

    def _get(self, _: GetState.Request, answer: GetState.Response) -> GetState.Response:
        number, label = self._node.life
        answer.current_state = State(id=number, label=HELD if self._is_held else label)
        return answer

    def _change(
        self, request: ChangeState.Request, answer: ChangeState.Response
    ) -> ChangeState.Response:
        if self._is_held:  # an order that was on its way when the operator spoke
            return answer
        trigger = {
            Transition.TRANSITION_CONFIGURE: self._node.trigger_configure,
            Transition.TRANSITION_CLEANUP: self._node.trigger_cleanup,
            Transition.TRANSITION_ACTIVATE: self._node.trigger_activate,
            Transition.TRANSITION_DEACTIVATE: self._node.trigger_deactivate,
        }.get(request.transition.id)
        if trigger is None:
            return answer
        self._is_arbiters = True
        try:
            answer.success = trigger() == TransitionCallbackReturn.SUCCESS
        finally:
            self._is_arbiters = False
        return answer

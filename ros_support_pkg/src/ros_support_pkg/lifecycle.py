"""A lifecycle node that says why a transition failed and survives one that is not open.

rclpy (Humble, Jazzy) swallows exceptions of the transition callbacks, and a request for a
transition that is not open in the present state ends the node (ros2/rclpy#1209). Both are guarded
here, once.
"""

import time
import traceback
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ros_support_pkg.timers import every

_ANSWER_S = 0.2  # from a shutdown to the end of the process: who asked for it gets the answer
_ENDING_S = 0.5  # until a context has ended whose process was interrupted


class GuardedLifecycleNode(LifecycleNode):
    """Subclasses override `configure`, `activate`, `deactivate` and `cleanup`; each raises to fail.

    An exception of `expected_errors` is the user's to mend: it is logged as one line and the
    transition fails, so that the node stays in the state it had. Any other exception is a bug: it
    is logged with its traceback, `cleanup` is run, and the node goes to unconfigured.
    """

    expected_errors: tuple[type[Exception], ...] = ()

    @property
    def life(self) -> tuple[int, str]:
        """The lifecycle's state now: its number (`lifecycle_msgs/State`) and its label."""
        number, label = self._state_machine.current_state
        return number, label

    def configure(self) -> None:
        """Acquire what needs no GPU. On failure, leave nothing acquired."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Stop working; return only when nothing runs any more."""

    def cleanup(self) -> None:
        """Release everything; must be safe to call in any state."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("configure", self.configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("activate", self.activate, super().on_activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("deactivate", self.deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("cleanup", self.cleanup, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything and end the process: a finalised node can do nothing any more."""
        done = self._guarded("shut down", self.cleanup, super().on_shutdown, state)
        if done == TransitionCallbackReturn.SUCCESS:
            every(self, _ANSWER_S, self.context.try_shutdown)
        return done

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("clean up after an error", self.cleanup, super().on_error, state)

    def destroy_node(self) -> None:
        self.cleanup()
        super().destroy_node()

    def _guarded(
        self,
        verb: str,
        hook: Callable[[], None],
        managed_entities: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        try:
            hook()
        except self.expected_errors as error:
            self.get_logger().error(f"cannot {verb}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            if not self._is_ending():  # otherwise Ctrl-C has cut the hook short: no news
                self.get_logger().error(f"cannot {verb}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return managed_entities(state)

    def _is_ending(self) -> bool:
        """Return whether the context has ended, or ends in this moment.

        Python is interrupted in one thread, the context ended by another, maybe a little later; and
        what is interrupted may raise something of its own: ONNX Runtime's import, an ImportError.
        """
        end_s = time.monotonic() + _ENDING_S
        while self.context.ok() and time.monotonic() < end_s:
            time.sleep(_ENDING_S / 20)
        return not self.context.ok()

    # The mixin calls this by its mangled name from the service and from trigger_*; it is the only
    # place where an unavailable transition can be caught before rcl raises.
    def _LifecycleNodeMixin__change_state(self, transition_id: int) -> TransitionCallbackReturn:  # noqa: N802
        open_transitions = {
            transition[0]: transition[1] for transition in self._state_machine.available_transitions
        }
        if transition_id not in open_transitions:
            label = self._state_machine.current_state[1]
            self.get_logger().warning(
                f"transition {transition_id} is not open in state '{label}', open are "
                + ", ".join(f"{name} ({number})" for number, name in open_transitions.items())
            )
            return TransitionCallbackReturn.FAILURE
        return super()._LifecycleNodeMixin__change_state(transition_id)

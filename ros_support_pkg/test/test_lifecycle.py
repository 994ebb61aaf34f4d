"""What rclpy gets wrong about lifecycle nodes: swallowed exceptions, fatal requests."""

import threading
from collections.abc import Iterator

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from spinning import Spinning

from ros_support_pkg.lifecycle import GuardedLifecycleNode


class RefusalError(Exception):
    """What the user can mend."""


class Example(GuardedLifecycleNode):
    expected_errors = (RefusalError,)

    def __init__(self, **keywords: object) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, Exception] = {}
        super().__init__("example", **keywords)

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failures:
            raise self.failures.pop(name)

    def configure(self) -> None:
        self._note("configure")

    def activate(self) -> None:
        self._note("activate")

    def deactivate(self) -> None:
        self._note("deactivate")

    def cleanup(self) -> None:
        self._note("cleanup")

    @property
    def state(self) -> int:
        return self._state_machine.current_state[0]


@pytest.fixture
def node(ros_domain: dict[str, str]) -> Iterator[Example]:
    context = Context()
    rclpy.init(context=context)
    node = Example(context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def test_round_trip(node: Example) -> None:
    for trigger in ("configure", "activate", "deactivate", "activate", "deactivate", "cleanup"):
        assert getattr(node, f"trigger_{trigger}")() == TransitionCallbackReturn.SUCCESS
    assert node.state == State.PRIMARY_STATE_UNCONFIGURED
    assert node.calls == [
        "configure", "activate", "deactivate", "activate", "deactivate", "cleanup"
    ]  # fmt: skip


def test_expected_error_keeps_the_state(node: Example) -> None:
    node.failures["configure"] = RefusalError("model.onnx is missing")
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert node.state == State.PRIMARY_STATE_UNCONFIGURED
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_bug_is_cleaned_up(node: Example) -> None:
    node.trigger_configure()
    node.failures["activate"] = ZeroDivisionError()
    assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert node.state == State.PRIMARY_STATE_UNCONFIGURED
    assert node.calls == ["configure", "activate", "cleanup"]


def test_unavailable_transition_is_refused_and_survived(node: Example) -> None:
    assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
    assert node.state == State.PRIMARY_STATE_UNCONFIGURED
    assert node.calls == []


def test_a_shutdown_is_answered_and_ends_the_process(node: Example, probe) -> None:
    """As `run_node` spins: until the context ends."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    request = ChangeState.Request(
        transition=Transition(id=Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    )
    assert probe.call(ChangeState, "example/change_state", request).success
    thread.join(patience(10.0))
    assert not thread.is_alive()
    assert not node.context.ok()
    assert node.calls == ["cleanup"]


def test_unavailable_transition_by_service(node: Example, probe) -> None:
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    spinning = Spinning(executor)
    try:
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
        assert not probe.call(ChangeState, "example/change_state", request).success
        state = probe.call(GetState, "example/get_state", GetState.Request()).current_state
        assert state.label == "unconfigured"
    finally:
        spinning.close()

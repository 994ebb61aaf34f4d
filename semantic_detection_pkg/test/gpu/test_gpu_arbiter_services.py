"""The arbiter's one thread answers while requests wait for their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from ros_graph import GraphProbe, destroy

from interfaces_pkg.msg import GpuState
from interfaces_pkg.srv import AcquireGpu, ReleaseGpu
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.gpu.core.turns import ArbiterRules
from semantic_detection_pkg.gpu.node import main

pytestmark = pytest.mark.graph

_LONG_S = 600.0


@pytest.fixture
def arbiter(tmp_path: Path, probe: GraphProbe, ros_domain: dict[str, str]) -> Iterator[None]:
    """The arbiter without a detector, so that nobody's turn comes."""
    context = Context()
    rclpy.init(context=context, domain_id=int(ros_domain["ROS_DOMAIN_ID"]))
    node = main.make_node(
        context=context,
        use_global_arguments=False,
        parameter_overrides=[
            Parameter("gpu_lock_file", value=str(tmp_path / "gpu.lock")),
            Parameter("epoch_file", value=str(tmp_path / "gpu.epoch")),
            Parameter("autostart", value=True),
        ],
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    yield
    executor.shutdown()
    spinning.join(patience(10.0))
    destroy(node)
    context.try_shutdown()


def acquire(holder: str) -> AcquireGpu.Request:
    return AcquireGpu.Request(holder=holder, duration_s=1.0, wait_s=_LONG_S)


@pytest.mark.usefixtures("arbiter")
def test_who_waits_holds_up_nobody(probe: GraphProbe) -> None:
    assert main.make_executor is SingleThreadedExecutor  # and so is the fixture's
    states = probe.listen(GpuState, "gpu/state", STATE)
    client: Any = probe.node.create_client(AcquireGpu, "gpu/acquire")
    probe.wait_for(client.service_is_ready, "the arbiter's service")
    most = ArbiterRules.max_waiting
    waiting = [client.call_async(acquire(f"holder {number}")) for number in range(most)]
    probe.wait_for(lambda: states and states[-1].queue_length == most, "all that may wait")

    one_more = probe.result_of(client.call_async(acquire("one more")), "a refusal")
    assert (one_more.granted, one_more.reason) == (
        False,
        f"{most} requests wait already, no more are allowed",
    )
    release = ReleaseGpu.Request(holder="holder 0", epoch=1)
    assert "nobody holds the GPU" in probe.call(ReleaseGpu, "gpu/release", release).message
    assert not any(future.done() for future in waiting)

    probe.change_state(
        "gpu_arbiter", Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE
    )
    reasons = {probe.result_of(future, "an answer").reason for future in waiting}
    assert reasons == {"the arbiter stops"}

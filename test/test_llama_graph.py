"""Arbiter, detector and bridge around a real llama-server without a projector: `make vlm-check`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import llama
import pytest
from action_msgs.msg import GoalStatus
from gpu_graph import Gpu, Stub, write_launch_file
from launch_runner import LaunchSession
from llama import LlamaServer
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import GpuState, VlmAnswer
from semantic_detection_pkg.gpu.lock import holder_pid

if not llama.FOLDER:
    pytest.skip(llama.NOT_BUILT, allow_module_level=True)

pytestmark = [
    pytest.mark.graph,
    pytest.mark.timeout(300),
]


@pytest.fixture
def server() -> Iterator[LlamaServer]:
    with llama.serving("--ctx-size", "512") as server:
        yield server


@pytest.fixture
def gpu(server: LlamaServer, probe: GraphProbe) -> Iterator[Gpu]:
    folder = Path(server.path).parent
    with LaunchSession(write_launch_file(folder, bridge_locks=True), timeout_s=60.0) as launch:
        gpu = Gpu(probe, launch, Stub(folder))
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        yield gpu


def test_whatever_llama_server_does_is_uncertain_and_the_detector_comes_back(
    gpu: Gpu, server: LlamaServer
) -> None:
    lock = Path(server.path).parent / "gpu.lock"

    def ask(timeout_s: float | None = None) -> VlmAnswer:
        told = len(gpu.states)
        status, answer = gpu.answer(gpu.send(timeout_s=timeout_s))
        assert (status, answer.verdict) == (
            GoalStatus.STATUS_SUCCEEDED,
            VlmAnswer.VERDICT_UNSURE,
        )
        gpu.probe.wait_for(
            lambda: (
                [s.owner for s in gpu.states[told:]][-1:] == [GpuState.OWNER_DETECTOR]
                and GpuState.OWNER_LEASE in [s.owner for s in gpu.states[told:]]
            ),
            "a detector that was away and is back",
        )
        assert gpu.is_detector_active()
        assert holder_pid(lock) == gpu.launch.processes["detector-1"].pid
        return answer

    answer = ask()
    assert (answer.cause, answer.confidence) == ("no_vision", 0.0)
    assert answer.reason.startswith("image input is not supported")
    server.process.send_signal(signal.SIGSTOP)
    assert ask(timeout_s=patience(1.0)).cause == "timeout"
    server.process.send_signal(signal.SIGCONT)
    server.wait_until_ready()
    assert ask().cause == "no_vision"
    server.kill()
    assert ask().cause == "no_service"

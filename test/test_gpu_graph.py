"""One GPU in real processes: arbiter, detector, VLM bridge and VLM stub."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from action_msgs.msg import GoalStatus
from launch_runner import LaunchSession
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from ros_graph import GraphProbe
from sensor_msgs.msg import CompressedImage

from interfaces_pkg.action import AskVlm
from interfaces_pkg.msg import GpuState, VlmAnswer
from interfaces_pkg.srv import AcquireGpu, ReleaseGpu
from ros_support_pkg.qos import STATE
from vlm_bridge_pkg.transport.epoch_file import read_epoch
from vlm_bridge_pkg.transport.kernel_lock import holder_pid

pytestmark = pytest.mark.graph
JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def write_launch_file(folder: Path) -> Path:
    lock = {"name": "gpu_lock_file", "value": str(folder / "gpu.lock")}
    entities: list[dict[str, Any]] = [
        node(
            "detector",
            [{"name": "engine", "value": "fake"}, {"name": "model", "value": __file__}, lock],
        ),
        node(
            "gpu_arbiter",
            [
                lock,
                {"name": "epoch_file", "value": str(folder / "gpu.epoch")},
                {"name": "min_dwell_s", "value": 0.0},
                {"name": "autostart", "value": True},
            ],
        ),
        node("vlm_bridge", [{"name": "socket", "value": str(folder / "vlm.sock")}]),
    ]
    path = folder / "gpu.launch.yaml"
    path.write_text(yaml.safe_dump({"launch": entities}))
    return path


def node(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    package = "vlm_bridge_pkg" if name == "vlm_bridge" else "semantic_detection_pkg"
    respawn = {"respawn": "true", "respawn_delay": 0.1}
    return {"node": {"pkg": package, "exec": name, "param": parameters, **respawn}}


class Stub:
    """The VLM stub as a process of its own, as the other container would be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Start it, or start it again, and wait until it is ready."""
        self.stop()
        files = {"--socket": "vlm.sock", "--lock-file": "gpu.lock", "--epoch-file": "gpu.epoch"}
        words = [word for name, file in files.items() for word in (name, str(self._folder / file))]
        command = [sys.executable, "-m", "vlm_bridge_pkg.cli.vlm_stub", *words, *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while "ready" not in (line := self.process.stderr.readline()):
            assert line, "the stub has ended"

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Gpu:
    """The graph, seen from outside."""

    def __init__(self, probe: GraphProbe, launch: LaunchSession, stub: Stub) -> None:
        self.probe, self.launch, self.stub = probe, launch, stub
        self.states = probe.listen(GpuState, "gpu/state", STATE)
        self.asks = probe.action(AskVlm, "vlm/ask")

    def send(self, class_name: str = "tent", timeout_s: float = 10.0) -> Any:
        """Put a question; the goal's handle."""
        goal = AskVlm.Goal(
            crop=CompressedImage(format="jpeg", data=JPEG),
            class_name=class_name,
            timeout_s=timeout_s,
        )
        goal.crop.header.stamp.sec = 7
        return self.probe.result_of(self.asks.send_goal_async(goal), "the goal's acceptance")

    def answer(self, handle: Any) -> tuple[int, VlmAnswer]:
        """Status and answer of a goal."""
        result = self.probe.result_of(handle.get_result_async(), "the answer")
        return result.status, result.result.answer

    def wait_for_owner(self, owner: int) -> GpuState:
        return self.probe.wait_for(
            lambda: next((s for s in self.states[-1:] if s.owner == owner), None), f"owner {owner}"
        )

    def is_detector_active(self) -> bool:
        answer = self.probe.call(GetState, "detector/get_state", GetState.Request())
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)


@pytest.fixture
def gpu(probe: GraphProbe, tmp_path: Path) -> Iterator[Gpu]:
    stub = Stub(tmp_path)
    stub.start()
    with LaunchSession(write_launch_file(tmp_path), timeout_s=60.0) as launch:
        gpu = Gpu(probe, launch, stub)
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        yield gpu
        stub.stop()


def test_a_question_and_its_lease(gpu: Gpu, tmp_path: Path) -> None:
    """The arbiter brings the detector up, takes it out for the question, brings it back."""
    assert gpu.is_detector_active()
    assert holder_pid(tmp_path / "gpu.lock") == gpu.launch.processes["detector-1"].pid
    status, answer = gpu.answer(gpu.send())
    assert (status, answer.verdict, answer.cause) == (
        GoalStatus.STATUS_SUCCEEDED,
        VlmAnswer.VERDICT_YES,
        "",
    )
    assert (answer.text, answer.reason, answer.model) == ("yes\nit is there", "it is there", "stub")
    assert (answer.question, answer.prompt_id) == (
        'Is there "tent" in this picture?',
        "is_there.1",
    )
    assert answer.frame.sec == 7
    assert 0.0 < answer.latency_s < 10.0
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
    assert gpu.is_detector_active()
    leased = [s for s in gpu.states if s.owner == GpuState.OWNER_LEASE]
    assert {s.epoch for s in leased} == {answer.lease_epoch}
    epochs = [s.epoch for s in gpu.states]
    assert epochs == sorted(epochs)
    assert read_epoch(tmp_path / "gpu.epoch") > answer.lease_epoch, "the lease is void"


def test_a_cancel_ends_the_work_and_the_lease(gpu: Gpu) -> None:
    gpu.stub.start("--piece-s", "0.2", "--answer", "yes " * 200)
    handle = gpu.send()
    gpu.wait_for_owner(GpuState.OWNER_LEASE)
    gpu.probe.result_of(handle.cancel_goal_async(), "the cancel")
    status, answer = gpu.answer(handle)
    assert (status, answer.cause) == (GoalStatus.STATUS_CANCELED, "cancelled")
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)


def test_faults_of_the_service_are_uncertain_never_no(gpu: Gpu) -> None:
    for fault, causes in {
        "crash": {"cut_off"},
        "hang": {"timeout"},
        "rubbish": {"cut_off", "unreadable"},
        "stale": {"stale_epoch"},
    }.items():
        gpu.stub.start("--fault", fault)
        status, answer = gpu.answer(gpu.send(timeout_s=1.5))
        assert status == GoalStatus.STATUS_SUCCEEDED
        assert (answer.verdict, answer.cause in causes) == (0, True), (fault, answer.cause)
        if fault == "hang":
            assert gpu.stub.process is not None
            assert gpu.stub.process.wait(20) == -signal.SIGKILL, "who does not leave is ended"
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
    gpu.stub.stop()
    assert gpu.answer(gpu.send())[1].cause == "no_service"


def test_a_detector_that_died_is_brought_back(gpu: Gpu, tmp_path: Path) -> None:
    gpu.launch.send("detector", signal.SIGKILL)
    gpu.wait_for_owner(GpuState.OWNER_NOBODY)
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
    assert gpu.is_detector_active()
    assert holder_pid(tmp_path / "gpu.lock") == gpu.launch.processes["detector-1"].pid


def test_an_arbiter_that_died_makes_its_leases_void(gpu: Gpu, tmp_path: Path) -> None:
    acquire = AcquireGpu.Request(holder="test", purpose="test", duration_s=20.0, wait_s=5.0)
    lease = gpu.probe.call(AcquireGpu, "gpu/acquire", acquire)
    assert lease.granted, lease.reason
    assert not gpu.is_detector_active()
    gpu.launch.send("gpu_arbiter", signal.SIGKILL)
    gpu.probe.wait_for(
        lambda: (
            gpu.states[-1].epoch > lease.epoch and gpu.states[-1].owner == GpuState.OWNER_DETECTOR
        ),
        "the detector's turn",
    )
    assert gpu.is_detector_active()
    release = ReleaseGpu.Request(holder="test", epoch=lease.epoch)
    answer = gpu.probe.call(ReleaseGpu, "gpu/release", release)
    assert (answer.success, "nobody holds the GPU" in answer.message) == (False, True)
    assert read_epoch(tmp_path / "gpu.epoch") > lease.epoch


def test_bad_requests_say_what_is_allowed(gpu: Gpu) -> None:
    for request, reason in (
        (AcquireGpu.Request(duration_s=1.0), "holder is '', an instance id is needed"),
        (AcquireGpu.Request(holder="a"), "duration_s is 0, allowed is more than 0"),
        (
            AcquireGpu.Request(holder="a", duration_s=1.0, wait_s=-1.0),
            "wait_s is -1, allowed is 0 or more",
        ),
    ):
        assert gpu.probe.call(AcquireGpu, "gpu/acquire", request).reason == reason
    assert not gpu.send(timeout_s=0.0).accepted
    status, answer = gpu.answer(gpu.send(class_name=""))
    assert (status, answer.cause) == (GoalStatus.STATUS_ABORTED, "bad_request")
